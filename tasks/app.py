"""The stand-alone Celery app: ``celery -A crawler.tasks.app worker``. A project with an app of its
own never imports this.
"""

import logging
import sys
from logging.handlers import WatchedFileHandler
from typing import Any

from celery import Celery, signals

from ..config import celery as celery_config
from ..config import settings
from ..observe.logs import JsonFormatter
from . import crawl, worker

given = settings.load()
app = Celery("crawler")
app.conf.update(celery_config.celery_settings(given))
app.finalize()


def log_as_json(loglevel: int | None = None, logfile: str | None = None, **_: Any) -> None:
    """Set logging up in Celery's stead. Only here: a project with an app of its own owns its
    logging.
    """
    log = (
        WatchedFileHandler(logfile, encoding="utf-8")
        if logfile
        else logging.StreamHandler(sys.__stderr__)
    )
    log.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [log]  # in a child, those of its parent were there
    root.setLevel(loglevel or given.log_level)
    app.log.redirect_stdouts("INFO")  # what hooks print


if given.log_format == "json":
    signals.setup_logging.connect(log_as_json, weak=False)

__all__ = ["app", "crawl", "worker"]
