"""The jobs API: crawls that other programs order, follow and stop over HTTP.

Belongs here: jobs, the routes and who may use them, and the description of the API. A request is
plain values in, a response plain values out, so that the stand-alone server and the URLs of a
Django project cannot differ. Does not: any web framework, except in ``server``.
"""
