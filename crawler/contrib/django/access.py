"""The admin's way to crawls: who may, what a request names, and what is said when crawls cannot be
read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404

from ...config import SettingsError
from ...config import settings as configuration
from ...errors import CrawlerError, UnknownCrawl
from ...model import is_crawl_name
from ...redaction import masked

T = TypeVar("T")


class Unavailable(Exception):
    """Crawls cannot be shown; the text says why, in one line."""


@contextmanager
def reading_crawls() -> Iterator[None]:
    """Turn the errors that keep crawls from being read: an unknown name is Http404, the others are
    Unavailable.
    """
    try:
        yield
    except UnknownCrawl as error:
        raise Http404(str(error)) from error
    except (CrawlerError, SettingsError) as error:
        raise Unavailable(masked(" ".join(str(error).split()))) from error


@contextmanager
def filling(context: dict[str, Any]) -> Iterator[None]:
    """Fill the context of a page; if crawls cannot be shown, the page gets the reason instead."""
    try:
        with reading_crawls():
            context["flower"] = configuration.load().flower_url
            yield
    except Unavailable as error:
        context["away"] = str(error)


def require(permission: bool) -> None:
    """Raise PermissionDenied unless the user has the permission."""
    if not permission:
        raise PermissionDenied


def crawl_name(quoted: str) -> str:
    """Return the crawl's name in an address. Raises Http404 if no crawl can have it."""
    name = str(unquote(quoted))
    if not is_crawl_name(name):
        raise Http404("no crawl can have this name")
    return name


def offset(text: str | None) -> int:
    """Return an offset in a list; 0 for any text that is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def neighbours(start: int, size: int, *, more: bool) -> dict[str, int | None]:
    """Return the offsets of the pages before and after this one; None where there is none."""
    return {
        "first": start + 1,
        "before": max(0, start - size) if start else None,
        "later": start + size if more else None,
    }


class BriefCache:
    """Values of this process that several open screens share for a moment."""

    #: Values that are kept at most; beyond, all are forgotten.
    SIZE = 2_000

    def __init__(self) -> None:
        self._values: dict[object, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: object, life: float, make: Callable[[], T]) -> T:
        """Return the value of ``key``, which is made again after ``life`` seconds. Two threads may
        make it at once.
        """
        now = time.monotonic()
        until, value = self._values.get(key, (0.0, None))
        if now < until:
            return cast(T, value)
        value = make()
        with self._lock:
            if len(self._values) >= self.SIZE:
                self._values.clear()
            self._values[key] = (now + life, value)
        return value


cache = BriefCache()
