"""What the live view shows of a crawl: plain values, read from Redis with few, bounded trips.

The counts are read at each look. Hosts, pages in flight and failures each second; workers and
limits each five.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...client.pace import STEADY, Pace, pages_left
from ...client.workers import browser_memory_of
from ...errors import CrawlerError
from ...frontier.answers import Lane
from ...frontier.listing import Listing
from ...model import Plan, Snapshot, Status
from ...redaction import masked
from ...storage.server import server_time
from ...text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...client.client import Client
    from ...client.standstill import Standstill

#: Seconds between two looks at lists, and at what changes slowly.
LISTS_INTERVAL, SLOW_INTERVAL = 1.0, 5.0
#: Seconds without a page begun or done after which it is asked why; and between two questions.
STILL_MIN, ASK_INTERVAL = 3.0, 2.0
#: Rows of each list that are read: no window shows more.
HOSTS, FLIGHTS, FAILURES = 20, 40, 20
#: Spans of the course of the pace.
PARTS = 60


@dataclass(frozen=True, slots=True)
class Flight:
    """A page in flight: the ``step`` its run named last ("": not yet), its age in seconds."""

    url: str
    step: str
    age: float | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that failed for good, ``age`` seconds ago."""

    url: str
    reason: str
    age: float


@dataclass(frozen=True, slots=True)
class CrawlState:
    """A crawl at one instant, ``now`` in epoch seconds by Redis's clock. ``rate`` is in pages per
    second, of late; ``rates`` over the last ``span`` seconds; ``left`` are the pages that are known
    and not done, ``seconds_left`` what they take at this pace (None: not known). All texts are
    without passwords and control characters.
    """

    snapshot: Snapshot
    now: float
    rate: float | None = None
    rates: tuple[float, ...] = ()
    span: float = 0.0
    left: int = 0
    seconds_left: float | None = None
    page_limit: int | None = None
    hosts: tuple[Lane, ...] = ()
    #: All hosts, those that are ready, and those that wait for their time.
    host_sums: tuple[int, int, int] = (0, 0, 0)
    flights: tuple[Flight, ...] = ()
    failures: tuple[Failure, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    workers: int = 0
    standstill: str = ""


class CrawlWatch:
    """Looks at the crawl ``name`` again and again. ``why`` says why it stands still: it is asked
    each ``every`` seconds at most.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        why: Callable[[], Standstill | None] | None = None,
        *,
        every: float = ASK_INTERVAL,
    ) -> None:
        self.client, self.name = client, name
        self.why = why or (lambda: client.standstill(name))
        self.every = every
        self.pace = Pace()
        self.still: Standstill | None = None
        self._frontier = client.frontier(name)
        self._listing = Listing(self._frontier)
        self._plan: Plan | None = None
        self._lists: dict[str, object] = {}
        self._slow: dict[str, object] = {}
        self._offset: float | None = None  # of Redis's clock, to this machine's
        self._lists_at = self._slow_at = -SLOW_INTERVAL
        self._counts: tuple[object, ...] = ()
        self._changed = self._asked = time.monotonic()

    def look(self, snapshot: Snapshot, *, lists: bool = True, memory: bool = True) -> CrawlState:
        """Return the state at ``snapshot``, which was read just now: with its ``lists`` of hosts
        and pages, and the ``memory`` of browsers.

        Raises:
            FrontierUnavailable: Redis is away.
        """
        now = self._note(snapshot)
        self.ask(snapshot)
        if time.monotonic() - self._slow_at >= SLOW_INTERVAL:
            self._plan = self._frontier.plan()
            if memory:
                workers = self.client.workers.workers()
                self._slow = {"memory": browser_memory_of(workers), "workers": len(workers)}
            self._slow_at = time.monotonic()
        if lists and time.monotonic() - self._lists_at >= LISTS_INTERVAL:
            self._lists = self._read_lists(now)
            self._lists_at = time.monotonic()
        policy = self._plan.policy if self._plan else None
        left, rate = pages_left(snapshot, policy), self.pace.rate(STEADY)
        moves = snapshot.status in (Status.ACTIVE, Status.DRAINING)
        return CrawlState(
            snapshot,
            now,
            self.pace.rate(),
            self.pace.rates(PARTS),
            self.pace.span,
            left,
            left / rate if rate and moves else None,
            policy.page_limit if policy else None,
            standstill=shown(self.still.line()) if self.still else "",
            **self._lists,  # type: ignore[arg-type]
            **self._slow,  # type: ignore[arg-type]
        )

    def note(self, snapshot: Snapshot) -> float | None:
        """Take the counts of ``snapshot`` into the pace; return pages per second of late."""
        self._note(snapshot)
        return self.pace.rate()

    def _note(self, snapshot: Snapshot) -> float:
        """Take the counts of ``snapshot`` into the pace; return the time by Redis's clock."""
        if self._offset is None:
            self._offset = server_time(self.client.redis) - time.time()
            with suppress(CrawlerError, ValueError):
                self.pace.seed(self._listing.history())
        now = time.time() + self._offset
        if not snapshot.status.ended:
            self.pace.add(now, snapshot.done + snapshot.failed)
        return now

    def ask(self, snapshot: Snapshot) -> bool:
        """Ask why nothing happens, if nothing has for ``STILL_MIN`` seconds. Return whether there
        is a reason, and it is another one than before.
        """
        now = time.monotonic()
        counts = (snapshot.status, snapshot.done, snapshot.failed, snapshot.counts.get("started"))
        if counts != self._counts:
            self._counts, self._changed, self.still = counts, now, None
            return False
        if now - self._changed < STILL_MIN or now - self._asked < self.every:
            return False
        before, self.still = self.still, None
        with suppress(CrawlerError):  # Redis is away: the next snapshot says so
            self.still = self.why()
        self._asked = time.monotonic()
        return self.still is not None and (before is None or self.still.reason != before.reason)

    def _read_lists(self, now: float) -> dict[str, object]:
        listing = self._listing
        claims = listing.processing(0, FLIGHTS)
        steps = listing.steps(claims)
        return {
            "hosts": tuple(self._hosts([claim.page.lane for claim in claims])),
            "host_sums": listing.lane_sums(),
            "flights": tuple(
                Flight(
                    shown(claim.page.url),
                    shown(steps.get(claim.page.id, "")),
                    None if claim.since is None else max(0.0, now - claim.since),
                    claim.page.attempt,
                )
                for claim in claims
            ),
            "failures": tuple(
                Failure(shown(one.page.url), shown(one.reason), max(0.0, now - one.at))
                for one in reversed(listing.failed(-FAILURES, FAILURES))
            ),
        }

    def _hosts(self, busy: list[str]) -> list[Lane]:
        """Return hosts with pages: those that are asked now first, then those that are ready, then
        those that wait.
        """
        names = dict.fromkeys(busy)
        names |= dict.fromkeys(self._listing.next_lanes(HOSTS))
        chosen = list(names)[:HOSTS]
        waiting = self._listing.waiting_lanes(HOSTS) if len(chosen) < HOSTS else []
        known = {lane.name: lane for lane in waiting}
        others = [name for name in chosen if name not in known]
        return [*self._listing.lane_states(others), *waiting][:HOSTS]


def shown(text: str) -> str:
    """Return what strangers wrote without passwords and control characters."""
    return printable(masked(text))
