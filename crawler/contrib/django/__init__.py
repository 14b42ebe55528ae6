"""The crawler in a Django project: ``INSTALLED_APPS += ["crawler.contrib.django"]``. See
docs/django.md.
"""
