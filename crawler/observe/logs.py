"""Logs for machines: each record is one line of JSON, with its crawl, page and task."""

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
from ..text.printable import printable

T = TypeVar("T")

_bound: ContextVar[Mapping[str, Json]] = ContextVar("crawler_log", default=MappingProxyType({}))


@contextmanager
def binding(**fields: Json) -> Iterator[None]:
    """Put ``fields`` into each line that this thread logs within the block, and the fields that
    :func:`bind` adds within it.
    """
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def bind(**fields: Json) -> None:
    """Put ``fields`` into each line, too, until the :func:`binding` around this call ends. Without
    one, do nothing.
    """
    if bound := _bound.get():
        _bound.set({**bound, **fields})


def inherited(target: Callable[[], T]) -> Callable[[], T]:
    """Return ``target`` for another thread, whose lines have the fields that are bound here."""
    context = copy_context()
    return lambda: context.run(target)


class JsonFormatter(logging.Formatter):
    """A formatter of one line per record: time, level, logger, message, process, the bound fields,
    and the traceback if there is one.

    Passwords in URLs are masked, also in those of pages. A project may use it:
    ``{"()": "crawler.observe.logs.JsonFormatter"}``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
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
        return printable(json.dumps(plain, ensure_ascii=False, default=str))
