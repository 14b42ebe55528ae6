"""Values that follow from a crawl's definition, worked out once for each crawl and kept with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import unwrap
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .crawl import Crawl

T = TypeVar("T")


def once_per_crawl(derive: Callable[[Crawl], T]) -> Callable[[Crawl], T]:
    """Return ``derive`` with a memory: the crawl keeps its value until a hook is added to it."""

    @wraps(derive)
    def value(crawl: Crawl) -> T:
        kept: dict[object, T] = crawl.derived
        try:
            return kept[derive]
        except KeyError:
            return kept.setdefault(derive, derive(crawl))

    return value


def share(value: Callable[[Crawl], T], crawl: Crawl, other: Crawl) -> None:
    """Let ``other`` have the ``value`` that was worked out once for ``crawl``."""
    other.derived[unwrap(value)] = value(crawl)
