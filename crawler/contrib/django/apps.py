"""The Django app: settings, crawls of installed apps, commands, tasks for the project's Celery app,
and pages in the admin.
"""

from __future__ import annotations

from django.apps import AppConfig


class CrawlerConfig(AppConfig):
    """The app. It opens no connection, and brings no browser into the web process."""

    name = "crawler.contrib.django"
    label = "crawler"
    verbose_name = "Crawler"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks  # noqa: F401 - registers them
