"""Optional tables for the results of crawls: ``INSTALLED_APPS +=
["crawler.contrib.django.store"]``, then migrate.
"""
