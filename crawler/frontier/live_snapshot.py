"""The snapshot that hooks get: its counts of pages list these pages when they are called."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..model import Page, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from .entries import FailedPage

#: The counts whose pages can be listed.
LISTED = ("queued", "delayed", "processing", "done", "failed")
#: Pages of one list, and how far into a state lists go: Redis serves nobody else meanwhile.
LIST_MAX, REACH_MAX = 1_000, 10_000

T = TypeVar("T")


class ListedFrontier(Protocol):
    """A frontier, as far as a snapshot needs it."""

    def snapshot(self) -> Snapshot:
        """Return counts and state at one instant."""

    def pages(self, state: str, start: int, count: int) -> list[Any]:
        """Return at most ``count`` pages of ``state``, without the first ``start``."""


class PageCount(int, Generic[T]):
    """The number of the pages of a state, which lists them when it is called. Copies of it, for
    other processes, are plain numbers.
    """

    _state: str
    _pages: Callable[[int, int], list[T]]

    @classmethod
    def of(cls, number: int, state: str, frontier: ListedFrontier) -> PageCount[T]:
        """Return ``number`` as the count of ``state`` in ``frontier``."""
        count: PageCount[T] = cls(number)
        count._state, count._pages = state, partial(frontier.pages, state)
        return count

    def __call__(self, count: int = 10, start: int = 0) -> list[T]:
        """Return at most ``count`` of the pages as they are at this moment, without the first
        ``start``: one trip to Redis.

        Raises:
            ValueError: they are more than 1,000 at a time, or lie beyond the first 10,000.
        """
        call = f"snapshot.{self._state}()"
        if not (is_whole(count) and 1 <= count <= LIST_MAX):
            raise ValueError(f"{call} lists 1 to {LIST_MAX:,} pages at a time, not {count!r}")
        if not (is_whole(start) and 0 <= start <= REACH_MAX - count):
            raise ValueError(
                f"{call} lists {count} of the first {REACH_MAX:,} pages, so start is at most"
                f" {REACH_MAX - count:,}, not {start!r}"
            )
        return self._pages(start, count)

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return int, (int(self),)


@dataclass(frozen=True, slots=True)
class LiveSnapshot(Snapshot):
    """Counts and state of the crawl at one instant. Five of the counts are lists on request, too:
    ``queued(10)``, ``delayed``, ``processing`` (pages), ``done`` (URLs, the latest first) and
    ``failed`` (with ``url``, ``reason``, ``status``, ``page``; the latest first).
    """

    queued: PageCount[Page]
    delayed: PageCount[Page]
    processing: PageCount[Page]
    done: PageCount[str]
    failed: PageCount[FailedPage]

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        values = (getattr(self, one.name) for one in fields(Snapshot))
        return Snapshot, tuple(int(one) if isinstance(one, PageCount) else one for one in values)


def live_snapshot(frontier: ListedFrontier) -> LiveSnapshot:
    """Return the snapshot of ``frontier`` for its crawl's hooks."""
    snapshot = frontier.snapshot()
    values = {one.name: getattr(snapshot, one.name) for one in fields(Snapshot)}
    for state in LISTED:
        values[state] = PageCount.of(values[state], state, frontier)
    return LiveSnapshot(**values)


def is_whole(value: object) -> bool:
    """Whether ``value`` is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)
