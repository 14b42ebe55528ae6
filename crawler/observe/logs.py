"""Logs: what strangers wrote stands in them without passwords and control characters; those for
machines are one line of JSON per record, with its crawl, page and task.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from ..model import Json
from ..redaction import masked
from ..text.encodable import text_of_error
from ..text.printable import printable

if TYPE_CHECKING:
    LoggerAdapter = logging.LoggerAdapter[logging.Logger]
else:
    LoggerAdapter = logging.LoggerAdapter

#: The beginning of each further line of a record, by which no text can pass for another record.
CONTINUATION = "\n    "

T = TypeVar("T")

_bound: ContextVar[Mapping[str, Json]] = ContextVar("crawler_log", default=MappingProxyType({}))
_kept: ContextVar[bool] = ContextVar("crawler_log_kept", default=False)
_level: ContextVar[int | None] = ContextVar("crawler_log_level", default=None)


@contextmanager
def binding(**fields: Json) -> Iterator[None]:
    """Put ``fields`` into each line that this thread logs within the block, and the fields that
    :func:`bind` adds within it.
    """
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    except BaseException:
        if not _kept.get():
            _bound.reset(token)
        raise
    else:
        _bound.reset(token)


def keep_bound(**fields: Json) -> None:
    """Put ``fields`` into each line that this thread logs until :func:`forget_bound`; and those of
    a :func:`binding` that an error leaves, so that who logs the error has them as well.
    """
    _kept.set(True)
    _bound.set({**_bound.get(), **fields})


def forget_bound() -> None:
    """Forget the fields that :func:`keep_bound` kept, and those bound since, and the level."""
    if _kept.get():
        _kept.set(False)
        _bound.set(MappingProxyType({}))
        _level.set(None)


@contextmanager
def at_level(name: str | None) -> Iterator[None]:
    """Log what this thread has to say within the block from the level ``name`` on, whatever the
    level of the process is; None: from that. What :func:`keep_bound` keeps lasts as long.
    """
    token = _level.set(logging.getLevelName(name) if name else None)
    try:
        yield
    finally:
        if not _kept.get():
            _level.reset(token)


def reaches_level(record: logging.LogRecord) -> bool:
    """Whether ``record`` is logged where :func:`at_level` counts: a filter for handlers."""
    level = _level.get()
    return level is None or record.levelno >= level


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


class Lines(str):
    """A text of several lines, which a log shows as such: a traceback."""

    __slots__ = ()


class SafeLogger(LoggerAdapter):
    """A logger whose arguments may be what strangers wrote: URLs, reasons, errors.

    They are shown without passwords, and with their control characters as escapes, whatever the
    handlers and formatters of the project are.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log ``msg`` with harmless ``args``."""
        if self.isEnabledFor(level):
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            # the logger itself would ask for its own level again
            shown = msg if args else _harmless(msg)
            self.logger._log(level, shown, tuple(map(_harmless, args)), **kwargs)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 -- logging calls it so
        """Whether messages of ``level`` are logged: by the level of the crawl at work, if it has
        one of its own.
        """
        own = _level.get()
        return super().isEnabledFor(level) if own is None else level >= own

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add nothing."""
        return msg, kwargs


def logger(name: str) -> SafeLogger:
    """Return the logger ``name``."""
    return SafeLogger(logging.getLogger(name), {})


def _harmless(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = text_of_error(value) if isinstance(value, BaseException) else str(value)
    if isinstance(value, Lines):
        return Lines(printable(masked(text), keep="\n"))
    return printable(masked(text))


class PrintableFormatter(logging.Formatter):
    """A formatter that shows what ``inner`` makes of a record without passwords, and with control
    characters as escapes.

    Each further line of a record, as of a traceback, is indented. The colours of ``inner``, if it
    is Celery's and has any, are put around the whole. A project may use it for its own handlers:
    ``handler.setFormatter(PrintableFormatter(handler.formatter))``.
    """

    def __init__(self, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()
        self._colours: Mapping[str, Callable[[str], object]] = {}
        if getattr(self.inner, "use_color", False):
            self._colours = getattr(self.inner, "colors", {})
            self.inner.use_color = False  # type: ignore[attr-defined]

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of ``record``."""
        text = printable(masked(self.inner.format(record)), keep="\n")
        text = text.replace("\n", CONTINUATION)
        colour = self._colours.get(record.levelname)
        return str(colour(text)) if colour else text


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
