"""The stand-alone Celery app: ``celery -A crawler.tasks.app worker``. A project with an app of its own never imports this."""

from celery import Celery

from ..config import celery as celery_config
from ..config import settings
from . import crawl, worker

app = Celery("crawler")
app.conf.update(celery_config.celery_settings(settings.load()))
app.finalize()

__all__ = ["app", "crawl", "worker"]
