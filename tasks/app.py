"""The stand-alone Celery app: ``celery -A crawler.tasks.app worker``.

A project with an app of its own never imports this module.
"""

import logging
import sys
from logging.handlers import WatchedFileHandler
from typing import Any

from celery import Celery, signals

from ..config import SettingsError
from ..config import celery as celery_config
from ..config import settings as configuration
from ..observe.logs import JsonFormatter, PrintableFormatter, reaches_level
from . import crawl, worker

try:
    settings = configuration.load()
except SettingsError as error:  # Celery would show a traceback of two screens
    print(f"crawler: {error}", file=sys.__stderr__)
    raise SystemExit(2) from None
app = Celery("crawler")
app.conf.update(celery_config.celery_settings(settings))
app.finalize()


def log_as_json(loglevel: int | None = None, logfile: str | None = None, **_: Any) -> None:
    """Set logging up instead of Celery, as JSON.

    Only the stand-alone app does so: a project with an app of its own owns its logging.
    """
    handler: logging.Handler = logging.StreamHandler(sys.__stderr__)
    if logfile:
        handler = WatchedFileHandler(logfile, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    handler.addFilter(reaches_level)
    root = logging.getLogger()
    root.handlers[:] = [handler]  # a child has inherited the handlers of its parent
    root.setLevel(loglevel or settings.log_level)
    app.log.redirect_stdouts("INFO")  # hooks may print


def amend_handlers(logger: logging.Logger, **_: Any) -> None:
    """Let the handlers that Celery has set up show no control characters of strangers, and mind
    the levels of crawls.
    """
    for handler in logger.handlers:
        handler.addFilter(reaches_level)  # once: it knows its filters
        if not isinstance(handler.formatter, PrintableFormatter):
            handler.setFormatter(PrintableFormatter(handler.formatter))


if settings.log_format == "json":
    signals.setup_logging.connect(log_as_json, weak=False)
else:
    signals.after_setup_logger.connect(amend_handlers, weak=False)
    signals.after_setup_task_logger.connect(amend_handlers, weak=False)

__all__ = ["app", "crawl", "worker"]
