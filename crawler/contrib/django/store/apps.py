"""The Django app with tables; nothing else of the crawler needs it."""

from __future__ import annotations

from django.apps import AppConfig


class StoreConfig(AppConfig):
    """The app."""

    name = "crawler.contrib.django.store"
    label = "crawler_store"
    verbose_name = "Crawler store"
    default_auto_field = "django.db.models.BigAutoField"
