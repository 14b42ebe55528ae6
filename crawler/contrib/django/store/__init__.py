"""Optional tables for the results of crawls.

``INSTALLED_APPS += ["crawler.contrib.django.store"]``, then migrate. Belongs here: the tables, and
the way of results into them. Does not: anything that the app without tables needs.
"""
