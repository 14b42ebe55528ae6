"""Jobs: crawls that another program orders, follows and stops. Each is one crawl, begun once, under
a name of its own.

What a job is doing is never stored here: its frontier knows. Redis keeps, in one slot of a Cluster,
under ``{prefix}{jobs}:``, what was ordered (``order:ID``, JSON), all jobs by the time of their
order (``all``), and when to look whether one may be forgotten (``due``).
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..client.wakeups import BrokerUnavailable
from ..definition.crawl import Crawl
from ..errors import CrawlerError, CrawlExists, FrontierRefused, UnknownCrawl
from ..frontier.frontier import Frontier
from ..frontier.listing import Listing
from ..model import Json, Snapshot, Status
from ..net.guard import Guard, Resolve, system_resolve
from ..storage.errors import redis_errors
from ..urls.url import host_of

if TYPE_CHECKING:
    from ..client.client import Client

log = logging.getLogger(__name__)

#: What a job's crawl is called, before its id.
PREFIX = "job-"
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
#: The fields of a crawl that an order may set.
LIMITS = (
    "page_limit",
    "depth_limit",
    "time_limit",
    "error_limit",
    "item_limit",
    "concurrency_limit",
    "delay",
)
#: Seconds that the addresses of a host are waited for. Should they come later, the worker refuses
#: private ones.
RESOLVE_TIMEOUT = 1.5
#: Names that are looked up at once.
RESOLVERS = 8
#: Seconds after which a job that is in no frontier counts as failed: whoever ordered it was cut
#: short.
BEGIN_PATIENCE = 60.0
#: Jobs that one sweep looks at.
SWEEP = 100
#: Results that are read at once; each may have a megabyte.
RESULTS = 20


class UnknownJob(CrawlerError):
    """There is no job of this id, or none any more."""

    def __init__(self, id: str) -> None:  # noqa: A002, its name everywhere
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"there is no job {self.id!r}, or none any more"


class JobConflict(CrawlerError):
    """The state of a job does not allow this: its id is taken by another order, or it is not begun
    yet.
    """


class AddressRefused(CrawlerError):
    """A job may not start at ``host``: it is a private address, or has one."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return f"{self.host} is a private address, or has one; jobs may only start at public ones"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be crawled: a crawl of ``CRAWLER_CRAWLS`` by its name, or a ``url`` with the
    defaults; one of them is None.

    ``limits`` (names of :data:`LIMITS`) take the place of the crawl's own; ``message`` is JSON for
    its hooks.
    """

    crawl: str | None = None
    url: str | None = None
    message: Json = None
    limits: Mapping[str, Json] = field(default_factory=dict)

    def record(self) -> dict[str, Json]:
        """It as JSON."""
        return {
            "crawl": self.crawl,
            "url": self.url,
            "message": self.message,
            "limits": dict(self.limits),
        }


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one instant. Times are epoch seconds by Redis's clock; ``waiting`` and
    ``processing`` are seconds.

    It waits until its first page is handed out, and is processed from then to its end. ``state`` is
    new, running, done, failed or stopped; ``status`` is the word of its frontier, None if there is
    none.
    """

    id: str
    order: Order
    state: str
    status: str | None
    reason: str | None
    counts: Mapping[str, int]
    created: float
    started: float | None
    finished: float | None
    waiting: float
    processing: float

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "stopped")


ENDS = {Status.FINISHED: "done", Status.FAILED: "failed", Status.STOPPED: "stopped"}


class Jobs:
    """The jobs of one installation.

    ``private``: they may also start at private addresses. ``retention`` is how many seconds an
    ended one is remembered.
    """

    def __init__(
        self,
        client: Client,
        *,
        private: bool = False,
        retention: float = 86_400.0,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.client, self.private, self.retention = client, private, retention
        self.redis: Any = client.redis
        self.prefix = f"{client.settings.key_prefix}{{jobs}}:"
        self._resolve = resolve
        self._resolvers = ThreadPoolExecutor(RESOLVERS, "crawler-resolve")

    # -- what a client does

    def create(self, order: Order, id: str | None = None) -> tuple[Job, bool]:  # noqa: A002
        """Begin what was ordered; whether the job is new comes second. With an ``id``, repeating
        the order is harmless.

        If the broker is away the job is begun all the same, by the next tick of a worker. A crawl
        with seeds or sitemaps loads them in a thread of this process.

        Raises:
            UnknownCrawl: no crawl is known here by that name.
            AddressRefused: the URL is at a private address.
            DefinitionError: a limit or the URL is wrong.
            JobConflict: ``id`` is taken by another order.
            FrontierUnavailable: Redis is away; perhaps the job is begun, and perhaps it is not.
        """
        name = id or secrets.token_hex(8)
        crawl = self._crawl(order, name)
        crawl.validate()
        if not self._record(order, name):
            return self.get(name), False
        if crawl.seeds or crawl.sitemaps:
            threading.Thread(
                target=self._begin, args=(crawl,), name=f"seeds of {crawl.name}", daemon=True
            ).start()
        else:
            self._begin(crawl)
        return self.get(name), True

    def _crawl(self, order: Order, id: str) -> Crawl:  # noqa: A002
        """The crawl of this one order."""
        fields = {**order.limits, "name": PREFIX + id}
        if order.message is not None:
            fields["message"] = order.message
        if order.crawl is not None:
            known = self.client.known
            if order.crawl not in known:
                raise UnknownCrawl(order.crawl, tuple(known))
            return known[order.crawl].variant(**fields)
        crawl = Crawl(url=order.url, public_only=not self.private, **fields)
        crawl.validate()
        for host in () if self.private else sorted(map(host_of, crawl.url)):
            # the worker, too, refuses a host that turns out to be private
            with suppress(NotInTime):
                if self._resolvers.submit(Guard((), resolve=self._resolve).refuses, host).result(
                    RESOLVE_TIMEOUT
                ):
                    raise AddressRefused(host)
        return crawl

    def _record(self, order: Order, id: str) -> bool:  # noqa: A002
        """Write down what was ordered; False if the same was before, and has begun."""
        now = self._micros()
        record = order.record()
        with redis_errors():
            # What is listed without an order, because somebody died in between, is forgotten by the
            # sweep.
            self.redis.zadd(self.prefix + "all", {id: now}, nx=True)
            self.redis.zadd(self.prefix + "due", {id: now / 1e6 + self.retention}, nx=True)
            if self.redis.set(
                f"{self.prefix}order:{id}", json.dumps({"created": now, **record}), nx=True
            ):
                return True
        found = self._ordered(id)
        if {name: value for name, value in found.items() if name != "created"} != record:
            raise JobConflict(f"the job {id!r} was ordered before, and not the same")
        return self._frontier(id).digest() is None  # cut short: begin it now

    def _begin(self, crawl: Crawl) -> None:
        try:
            self.client.start(crawl)
        except CrawlExists:
            log.debug("%s was begun by somebody else", crawl.name)
        except BrokerUnavailable as error:
            log.warning("%s begins with the next tick: %s", crawl.name, error)

    def get(self, id: str) -> Job:  # noqa: A002
        """The job ``id`` now. Raises UnknownJob."""
        return self._job(id, self._ordered(id))

    def _ordered(self, id: str) -> dict[str, Json]:  # noqa: A002
        with redis_errors():
            text = self.redis.get(f"{self.prefix}order:{id}") if ID.fullmatch(id) else None
        if text is None:
            raise UnknownJob(id)
        return dict(json.loads(text))

    def stop(self, id: str) -> Job:  # noqa: A002
        """Begin no further page of it; those in flight finish. An ended job stays as it is.

        Raises:
            UnknownJob: there is none.
            JobConflict: it is about to begin; try again.
        """
        job = self.get(id)
        if job.ended:
            return job
        try:
            self._frontier(id).stop("stopped by its client")
        except FrontierRefused as error:
            job = self.get(id)
            if job.ended:
                return job
            raise JobConflict(f"the job {id!r} is about to begin: try again") from error
        return self.get(id)

    def page(self, size: int, after: str | None = None) -> tuple[list[Job], str | None]:
        """At most ``size`` jobs, the youngest first; those that follow the place ``after``. The
        next place comes second.

        Raises:
            ValueError: ``after`` is no such place.
        """
        highest, last = "+inf", ""
        if after:
            highest, _, last = after.partition("-")
            if not (highest.isascii() and highest.isdigit() and ID.fullmatch(last)):
                raise ValueError(f"{after!r} is no place in the list")
        with redis_errors():
            same = self.redis.zcount(self.prefix + "all", highest, highest) if after else 0
            found = self.redis.zrevrangebyscore(
                self.prefix + "all", highest, "-inf", start=0, num=size + 1 + same, withscores=True
            )
        places = [(int(score), member.decode()) for member, score in found]
        places = [place for place in places if not after or place < (int(highest), last)]
        jobs = []
        for _, id_ in places[:size]:
            with suppress(UnknownJob):
                jobs.append(self.get(id_))
        more = f"{places[size - 1][0]}-{places[size - 1][1]}" if len(places) > size else None
        return jobs, more

    def results(self, id: str, after: str = "0") -> Iterator[str]:  # noqa: A002
        """What its pages gave, as far as Redis keeps it, after the place ``after``: lines of JSON,
        each with its ``place``.

        Raises:
            UnknownJob: at once, not when the first line is asked for.
        """
        self._ordered(id)
        return self._lines(self._frontier(id), after)

    def _lines(self, frontier: Frontier, after: str) -> Iterator[str]:
        while batch := Listing(frontier).results(after, RESULTS):
            for after, _, text in batch:
                yield f'{{"place":"{after}",{text[1:]}\n'

    # -- what a tick does

    def settle(self, frontier: Frontier) -> None:
        """Take the ended crawl of a job off the list of crawls: it needs no tick any more, and
        there may be many.
        """
        if not frontier.name.startswith(PREFIX) or frontier.end_hook_pending():
            return
        with redis_errors():
            if not self.redis.exists(f"{self.prefix}order:{frontier.name.removeprefix(PREFIX)}"):
                return
        frontier.delist()
        # somebody re-opened it meanwhile
        if (seen := self._snapshot(frontier)) and not seen.status.ended:
            frontier.enlist()

    def sweep(self) -> int:
        """Forget jobs that ended long enough ago; how many."""
        now = self._micros() / 1e6
        with redis_errors():
            due = self.redis.zrangebyscore(self.prefix + "due", "-inf", now, start=0, num=SWEEP)
        forgotten = 0
        for id_ in (member.decode() for member in due):
            frontier = self._frontier(id_)
            seen = self._snapshot(frontier)
            if seen and (seen.ended is None or seen.ended + self.retention > now):
                with redis_errors():
                    self.redis.zadd(
                        self.prefix + "due", {id_: (seen.ended or now) + self.retention}
                    )
                continue
            with redis_errors():
                self.redis.delete(f"{self.prefix}order:{id_}")
            if seen:
                self.client.clear(frontier.name)
            with redis_errors():
                self.redis.zrem(self.prefix + "all", id_)
                self.redis.zrem(self.prefix + "due", id_)
            forgotten += 1
        return forgotten

    # -- parts

    def _job(self, id: str, found: Mapping[str, Json]) -> Job:  # noqa: A002
        order = Order(found["crawl"], found["url"], found["message"], found["limits"])
        # as exact as the frontier's times, or the first page might precede it
        created = found["created"] // 1_000 / 1_000
        seen = self._snapshot(self._frontier(id))
        now = seen.ended if seen and seen.ended else self._micros() / 1e6
        if seen is None:
            lost = now - created > BEGIN_PATIENCE
            reason = "it never began, or its crawl was cleared" if lost else None
            zeros = dict.fromkeys(
                ("accepted", "queued", "delayed", "processing", "done", "failed"), 0
            )
            state = "failed" if lost else "new"
            return Job(
                id,
                order,
                state,
                None,
                reason,
                zeros,
                created,
                None,
                None,
                max(0.0, now - created),
                0.0,
            )
        started = seen.begun
        return Job(
            id=id,
            order=order,
            state=ENDS.get(seen.status) or ("new" if started is None else "running"),
            status=seen.status.value,
            reason=seen.reason,
            counts={
                "accepted": seen.accepted,
                "queued": seen.queued,
                "delayed": seen.delayed,
                "processing": seen.processing,
                "done": seen.done,
                "failed": seen.failed,
            },
            created=created,
            started=started,
            finished=seen.ended,
            waiting=max(0.0, (now if started is None else started) - created),
            processing=0.0 if started is None else max(0.0, now - started),
        )

    def _frontier(self, id: str) -> Frontier:  # noqa: A002
        return self.client.frontier(PREFIX + id)

    def _snapshot(self, frontier: Frontier) -> Snapshot | None:
        if frontier.digest() is None:
            return None
        try:
            return frontier.snapshot()
        except FrontierRefused:  # cleared in between
            return None

    def _micros(self) -> int:
        """Redis's clock, in microseconds."""
        with redis_errors():
            seconds, micros = self.redis.time()
        return int(seconds) * 1_000_000 + int(micros)
