"""The crawler in a Django project: ``INSTALLED_APPS += ["crawler.contrib.django"]``.

Belongs here: the app, its admin pages, commands, checks and URLs; see docs/django.md. Does not: the
project's settings for crawls, which ``config/django`` reads.
"""
