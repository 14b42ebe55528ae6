"""The values that the frontier's methods return, and how a script's reply becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

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


class Creation(StrEnum):
    """The answer to the plan of a crawl."""

    CREATED = "CREATED"
    EXISTS = "EXISTS"  # the same crawl goes on
    UPDATED = "UPDATED"  # it goes on, by this plan
    OTHER = "OTHER"  # one with another digest goes on; nothing was changed
    ELSEWHERE = "ELSEWHERE"  # the same, and it starts at other hosts
    STOPPING = "STOPPING"  # the same, and it is stopping
    FINISHED = "FINISHED"  # it has ended: the name is taken
    STOPPED = "STOPPED"
    FAILED = "FAILED"


class Update(StrEnum):
    """Whether a crawl that goes on takes the plan of another digest."""

    ALWAYS = "always"
    NEAR = "near"  # if it starts at one host, at least, at which the crawl started so far
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RouteTally:
    """The route that a page took, and the ``seconds`` that its run took."""

    route: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Content:
    """The item of a page that is done: its ``digest``, and how it compares with that of the last
    visit. ``left_out``: its result is not stored.
    """

    change: str = ""
    digest: str = ""
    left_out: bool = False


#: Of a page whose item nobody looked at.
UNKNOWN = Content()


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
    keep the crawl from its end. ``waits``: for how many seconds the oldest wake-up of a page has
    been on its way; None: there is none.
    """

    tickets: tuple[str, ...] = ()
    reaped: int = 0
    ended: bool = False
    status: Status | None = None
    alarms: tuple[str, ...] = ()
    damaged: bool = False
    waits: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What may keep a crawl's pages from being claimed, at the instant ``now``.

    Times are epoch seconds by Redis's clock; None where there is none. See ``lua/standstill.lua``.
    """

    now: float
    status: Status
    reason: str
    processing: int
    queued: int
    delayed: int
    outbox: int  # deliveries on their way to hooks
    producers: int  # loaders of seeds that are alive
    eligible: int  # pages that a run could claim now
    lanes: int
    end_hook: int  # 1: the crawl has ended, and its hook for that is still to be called
    tickets: int  # wake-ups on their way
    ticket: float | None  # when the oldest of them was granted
    held: float | None  # when the hold ends
    held_last: float | None  # when the last one ended, or ends
    held_since: float | None
    held_reason: str
    paused_by: str
    paused_at: float | None
    browser_wait: float | None  # when a run last began to start a browser
    last_claim: float | None
    active_since: float | None
    retry: float | None  # when the next retry is due
    revisits: int  # pages that are to be visited again
    revisit: float | None  # when the next of them is due
    lane: str = ""  # the lane that may be served next
    lane_at: float | None = None
    lane_why: str = ""  # "delay", "robots", "retry_after" or "breaker"


@dataclass(frozen=True, slots=True)
class Sample:
    """The counts of a crawl at the instant ``at``, in epoch seconds by Redis's clock."""

    at: float
    done: int
    failed: int
    queued: int
    delayed: int
    processing: int

    @classmethod
    def parse(cls, text: bytes) -> Sample:
        """Return the sample of an entry of the list ``history``."""
        at, *counts = map(int, text.split())
        return cls(at / 1_000, *counts)


@dataclass(frozen=True, slots=True)
class Recent:
    """A result of late: when it was stored (epoch seconds), and its JSON, ``cut`` if it is long."""

    at: float
    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane at this instant. Times are epoch seconds by Redis's clock, 0 where there is none."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("place", "n", "r", "accepted", "next", "blocked", "delay", "fails", "trips"),
    )

    name: str
    place: str  # idle, ready, snoozed or busy
    queued: int
    processing: int
    accepted: int
    due: float  # when it may be served
    why: str  # what it waits for: "delay", "robots", "retry_after" or "breaker"
    failures: int  # in a row

    @classmethod
    def parse(cls, name: str, reply: Sequence[bytes | None]) -> Lane:
        """Return the lane ``name`` from the values of its ``FIELDS``."""
        place, *texts = reply
        numbers = [float(text or 0) for text in texts]
        queued, running, accepted, next_, blocked, delay, fails, trips = numbers
        why = "robots" if delay else "delay"
        if blocked > next_:
            why = "breaker" if trips else "retry_after"
        return cls(
            name,
            (place or b"idle").decode(),
            int(queued),
            int(running),
            int(accepted),
            max(next_, blocked) / 1_000,
            why,
            int(fails),
        )


#: Fields of a standing that are counts, and those that are texts.
COUNTS = {
    "processing", "queued", "delayed", "outbox", "producers", "eligible", "lanes", "tickets",
    "end_hook", "revisits",
}  # fmt: skip
TEXTS = {"reason", "held_reason", "paused_by", "lane", "lane_why"}


def parse_standing(reply: Sequence[bytes]) -> Standing:
    """Return the reply of the script ``standstill``."""
    texts = {
        name.decode(): value.decode("utf-8", "replace")
        for name, value in zip(reply[::2], reply[1::2], strict=True)
    }
    values: dict[str, Any] = {"status": Status(texts.pop("status"))}
    for name, text in texts.items():
        if name in TEXTS:
            values[name] = text
        elif name in COUNTS:
            values[name] = int(text)
        else:
            values[name] = int(text) / 1_000 if text not in ("", "0") else None
    return Standing(**values)


def to_seconds(ms: int | bytes) -> float | None:
    """Return the milliseconds of a script's reply as seconds; None for its empty string."""
    return None if ms == b"" else int(ms) / 1_000


def parse_wake(reply: Sequence[Any]) -> Wake:
    """Return the wake-ups in the reply of the script ``grant``."""
    wait, *tickets = reply
    return Wake(tuple(ticket.decode() for ticket in tickets), to_seconds(wait))
