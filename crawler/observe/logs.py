"""Logs for machines: each record one line of JSON, with the crawl, the page and the task that it is
about.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

from ..model import Json
from ..redaction import masked

T = TypeVar("T")

_bound: ContextVar[Mapping[str, Json]] = ContextVar("crawler_log", default=MappingProxyType({}))


@contextmanager
def binding(**fields: Json) -> Iterator[None]:
    """Put ``fields``, and what is bound meanwhile, into each line that this thread logs in
    between.
    """
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def bind(**fields: Json) -> None:
    """Put ``fields`` as well into each line, until the :func:`binding` around it ends. Without one,
    do nothing.
    """
    if bound := _bound.get():
        _bound.set({**bound, **fields})


def inherited(target: Callable[[], T]) -> Callable[[], T]:
    """``target`` for a thread, whose lines are to have what is bound here."""
    context = copy_context()
    return lambda: context.run(target)


class JsonFormatter(logging.Formatter):
    """A record as one line: time, level, logger, message, process, what is bound, and a traceback
    where there is one.

    Passwords in URLs are masked, also those in a page's own. A project may use it: ``{"()":
    "crawler.observe.logs.JsonFormatter"}``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Json] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **_bound.get(),
        }
        # Celery's own lines about a task
        if isinstance(about := getattr(record, "data", None), dict) and "id" in about:
            line["task"] = about["id"]
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        plain = {
            name: masked(value) if isinstance(value, str) else value for name, value in line.items()
        }
        return json.dumps(plain, ensure_ascii=False, default=str)
