"""The values that the frontier's methods return, and how a script's reply becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..model import Status


class Renewal(StrEnum):
    """The answer to the renewal of a lease."""

    OK = "OK"
    STALE = "STALE"  # the page is no longer this claim's: the run's report will not count
    CANCEL = "CANCEL"  # the crawl was cancelled: give the page back and end


class Verdict(StrEnum):
    """The answer to a report about a page."""

    OK = "OK"
    REPEATED = "REPEATED"  # accepted before; the answer was lost
    STALE = "STALE"  # the page is no longer this claim's; nothing was changed
    ALIAS = "ALIAS"  # done, but its final URL is another page that is known: no result was stored


@dataclass(frozen=True, slots=True)
class Added:
    """The effect of ``enqueue``: pages that are ``new``, those ``known`` before, and the number
    ``skipped`` for each reason.
    """

    new: int = 0
    known: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wake:
    """The wake-ups to send: each of the ``tickets``, once.

    Without tickets, ``wait`` is the seconds until there will be work (None: unknown, or no room).
    ``ended``: this very call ended the crawl.
    """

    tickets: tuple[str, ...] = ()
    wait: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """The effect of a report.

    ``ended``: this very call ended the crawl. ``retry_in``: seconds until the next attempt; None if
    there is none. ``wake`` is what ``Frontier.wake`` would return now: only where the caller asked
    for it and the report counted.
    """

    verdict: Verdict
    ended: bool = False
    retry_in: float | None = None
    wake: Wake | None = None

    @property
    def accepted(self) -> bool:
        """Whether the report counts: the page is done, and its result stored."""
        return self.verdict in (Verdict.OK, Verdict.REPEATED)


@dataclass(frozen=True, slots=True)
class Tick:
    """The effect of a tick.

    ``tickets`` are to be sent, ``reaped`` pages were taken back, ``ended`` asks the caller for the
    hook for the crawl's end, ``alarms`` are sentences. ``status`` is None if no such crawl exists.
    ``damaged``: keys that belong together do not agree; the caller repairs them, for they might
    keep the crawl from its end.
    """

    tickets: tuple[str, ...] = ()
    reaped: int = 0
    ended: bool = False
    status: Status | None = None
    alarms: tuple[str, ...] = ()
    damaged: bool = False


def to_seconds(ms: int | bytes) -> float | None:
    """Return the milliseconds of a script's reply as seconds; None for its empty string."""
    return None if ms == b"" else int(ms) / 1_000


def parse_wake(reply: Sequence[Any]) -> Wake:
    """Return the wake-ups in the reply of the script ``grant``."""
    wait, *tickets = reply
    return Wake(tuple(ticket.decode() for ticket in tickets), to_seconds(wait))
