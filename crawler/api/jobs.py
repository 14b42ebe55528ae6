"""Jobs: crawls that another program orders, follows and stops. Each is one crawl, begun once, under
a name of its own.

The state of a job is not stored here: its frontier knows it. Redis keeps, in one slot of a Cluster,
under ``{prefix}{jobs}:``, the orders (``order:ID``, JSON), all jobs by the time of their
order (``all``), when to look whether one may be forgotten (``due``), and sums (see
``client/job_tallies.py``).
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..client.job_tallies import JobTallies, failure_kind
from ..client.job_times import created_at, times_of
from ..client.start_report import IfExists
from ..client.wakeups import BrokerUnavailable
from ..client.webhooks import JOB_KEYS, Webhook, Webhooks
from ..definition.crawl import Crawl
from ..errors import DefinitionError, Fault, FrontierRefused, UnknownCrawl
from ..frontier.frontier import Frontier
from ..frontier.listing import Listing
from ..frontier.operations import Operations
from ..model import Json, Snapshot, short_id
from ..net.guard import Guard, Resolve, system_resolve
from ..observe.logs import logger
from ..redaction import masked
from ..storage.errors import redis_errors
from ..urls.url import host_of
from .job import (
    COUNTS,
    ENDS,
    ID,
    PREFIX,
    UNDELIVERED,
    AddressRefused,
    Job,
    JobConflict,
    Order,
    UnknownJob,
)

if TYPE_CHECKING:
    from ..client.client import Client
    from ..client.crawl_handle import CrawlHandle

log = logger(__name__)

#: Who changes a job, in the history of its crawl.
CLIENT = "a client of the jobs API"
#: Seconds to wait for the addresses of a host. If they come later, the worker refuses private
#: ones.
RESOLVE_TIMEOUT = 1.5
#: Names that are looked up at once.
RESOLVERS = 8
#: Seconds after which a job that is in no frontier counts as failed: the process that began it was
#: cut short.
BEGIN_PATIENCE = 60.0
#: Jobs that one sweep checks.
SWEEP = 100
#: Results read at once; each may have a megabyte.
RESULTS = 20


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
        self.prefix = client.settings.key_prefix + JOB_KEYS
        self.webhooks = Webhooks(self.redis, self.prefix)
        self.tallies = JobTallies(self.redis, self.prefix)
        self._resolve = resolve
        self._resolvers = ThreadPoolExecutor(RESOLVERS, "crawler-resolve")

    # -- for clients

    def create(self, order: Order, id: str | None = None) -> tuple[Job, bool]:  # noqa: A002
        """Begin the job of ``order``; return it, and whether it is new. With an ``id``, repeating
        the order is harmless.

        If the broker is away the job is begun all the same, by the next tick of a worker. A crawl
        with seeds or sitemaps loads them in a thread of this process.

        Raises:
            UnknownCrawl: no crawl is known here by that name.
            AddressRefused: the URL is at a private address.
            DefinitionError: a limit or a URL is wrong, or there is no secret for a webhook.
            JobConflict: ``id`` is taken by another order.
            FrontierUnavailable: Redis is away; the job may or may not have begun.
        """
        name = id or secrets.token_hex(8)
        crawl = self._crawl(order, name)
        crawl.validate()
        self._check_webhook(order, crawl)
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
        """Return the crawl of this one order; see :meth:`create` for its errors."""
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
            self._check_address(host)
        return crawl

    def _check_address(self, host: str) -> None:
        """Refuse a private ``host``. The worker, too, refuses one that proves to be private
        later."""
        refuses = Guard((), resolve=self._resolve).refuses
        with suppress(NotInTime):
            if self._resolvers.submit(refuses, host).result(RESOLVE_TIMEOUT):
                raise AddressRefused(host)

    def _check_webhook(self, order: Order, crawl: Crawl) -> None:
        if order.webhook is None:
            return
        if self.client.settings.webhook_secret is None:
            what = "cannot be signed: this server has no CRAWLER_WEBHOOK_SECRET"
            raise DefinitionError(crawl.name, (Fault("webhook", what),))
        if not self.private:
            self._check_address(host_of(order.webhook))

    def _record(self, order: Order, id: str) -> bool:  # noqa: A002
        """Write the order to Redis. False: the same order was written before, and has begun."""
        now = self._micros()
        record = order.record()
        text = json.dumps({"created": now, **record, "private": self.private})
        is_new = self.tallies.order(id, text, now, now / 1e6 + self.retention)
        if not is_new:
            earlier = self._order_record(id)
            if any(earlier.get(name) != value for name, value in record.items()):
                raise JobConflict(f"the job {id!r} was ordered before, and not the same")
        if order.webhook is not None:  # it is looked at even if the job never begins
            due = now / 1e6 + BEGIN_PATIENCE
            self.webhooks.expect(id, order.webhook, private=self.private, due=due)
        if is_new:
            return True
        return self._frontier(id).digest() is None  # cut short: begin it now

    def _begin(self, crawl: Crawl) -> None:
        try:
            self.client.start(crawl, if_exists=IfExists.KEEP, private_names=self.private)
        except BrokerUnavailable as error:
            log.warning("%s begins with the next tick: %s", crawl.name, error)

    def get(self, id: str) -> Job:  # noqa: A002
        """Return the job ``id`` as it is now. Raises UnknownJob."""
        return self._job(id, self._order_record(id))

    def explained(self, job: Job) -> Job:
        """Return ``job`` with the reason for which it stands still."""
        found = None if job.ended else self.client.standstill(PREFIX + job.id)
        return replace(job, standstill=found)

    def _order_record(self, id: str) -> dict[str, Json]:  # noqa: A002
        with redis_errors():
            text = self.redis.get(f"{self.prefix}order:{id}") if ID.fullmatch(id) else None
        if text is None:
            raise UnknownJob(id)
        return dict(json.loads(text))

    def stop(self, id: str) -> Job:  # noqa: A002
        """Begin no further page of the job ``id``; those in flight finish. An ended job stays as it
        is.

        Raises:
            UnknownJob: no job has this id.
            JobConflict: the job is about to begin; try again.
        """
        job = self.get(id)
        if job.ended:
            return job
        try:
            self._frontier(id).stop("stopped by its client")
            Operations(self._frontier(id)).note("was told to stop", CLIENT)
        except FrontierRefused as error:
            job = self.get(id)
            if job.ended:
                return job
            raise JobConflict(f"the job {id!r} is about to begin: try again") from error
        return self.get(id)

    def page(self, size: int, after: str | None = None) -> tuple[list[Job], str | None]:
        """Return at most ``size`` jobs, the youngest first, and the place where to go on, if there
        are more. ``after`` is such a place; None: from the beginning.

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
            scores = self.redis.zrevrangebyscore(
                self.prefix + "all", highest, "-inf", start=0, num=size + 1 + same, withscores=True
            )
        places = [(int(score), member.decode()) for member, score in scores]
        places = [place for place in places if not after or place < (int(highest), last)]
        jobs = []
        for _, id_ in places[:size]:
            with suppress(UnknownJob):
                jobs.append(self.get(id_))
        more = f"{places[size - 1][0]}-{places[size - 1][1]}" if len(places) > size else None
        return jobs, more

    def ordered_since(self, micros: int) -> list[tuple[str, int]]:
        """Return the ids of the jobs that were ordered at ``micros`` or later, by Redis's clock,
        each with that time in microseconds since the epoch; the oldest first.
        """
        with redis_errors():
            found = self.redis.zrangebyscore(self.prefix + "all", micros, "+inf", withscores=True)
        return [(member.decode(), int(score)) for member, score in found]

    def results(self, id: str, after: str = "0") -> Iterator[str]:  # noqa: A002
        """Return the results of the job ``id`` that Redis keeps, after the place ``after``: lines
        of JSON, each with its ``place``. After a fail-over that lost the place, all are sent.

        Raises:
            UnknownJob: at once, not with the first line.
        """
        self._order_record(id)
        return self._lines(self._frontier(id), after)

    def _lines(self, frontier: Frontier, after: str) -> Iterator[str]:
        listing = Listing(frontier)
        after = listing.place_to_resume(after)
        while batch := listing.results(after, RESULTS):
            for after, _, text in batch:
                yield f'{{"place":"{after}",{text[1:]}\n'

    def failed(self, id: str, size: int, start: int = 0) -> tuple[list[Json], str | None]:  # noqa: A002
        """Return at most ``size`` failed pages of the job ``id``, the oldest first, after ``start``
        of them; and the place where to go on, if there are more.

        Raises:
            UnknownJob: no job has this id.
        """
        self._order_record(id)
        pages = Listing(self._frontier(id)).failed(start, size + 1)
        records: list[Json] = []
        for failed in pages[:size]:
            record = {"id": short_id(failed.page.id), **failed.record()}
            # every client sees every job
            records.append(record | {name: masked(record[name]) for name in ("url", "reason")})
        return records, str(start + size) if len(pages) > size else None

    def retry(self, id: str) -> Job:  # noqa: A002
        """Send all failed pages of the job ``id`` back to its queue. A job that has ended goes on.

        Raises:
            UnknownJob: no job has this id.
            JobConflict: the job is about to begin.
        """
        with self._begun(id, "nothing was retried") as handle:
            try:
                if sent := handle.retry():
                    Operations(handle.frontier).note(f"tries {sent} failed pages again", CLIENT)
                    handle.frontier.enlist()
            except BrokerUnavailable as error:
                log.warning("job-%s goes on with the next tick: %s", id, error)
        return self.get(id)

    @contextmanager
    def _begun(self, id: str, left: str) -> Iterator[CrawlHandle]:  # noqa: A002
        """Yield the crawl of the job ``id``; ``left`` says what was not done if it has none yet.

        Raises:
            UnknownJob: no job has this id.
            JobConflict: the job is about to begin.
        """
        self._order_record(id)
        try:
            yield self.client.handle(PREFIX + id)
        except (UnknownCrawl, FrontierRefused) as error:
            raise JobConflict(f"the job {id!r} is about to begin: {left}") from error

    def undelivered(self, id: str) -> Iterator[str]:  # noqa: A002
        """Return what no hook of the job ``id`` took, the oldest first: lines of JSON.

        Raises:
            UnknownJob: at once, not with the first line.
        """
        self._order_record(id)
        if self._frontier(id).digest() is None:
            return iter(())
        letters = self.client.handle(PREFIX + id).undelivered()
        return (masked(json.dumps(letter.record())) + "\n" for letter in letters)

    def redeliver(self, id: str) -> Job:  # noqa: A002
        """Call the hooks of the job ``id`` again that gave up. A job that has ended ends again.

        Raises:
            UnknownJob: no job has this id.
            JobConflict: the job is about to begin.
        """
        with self._begun(id, "no hook was called") as handle:
            sent = handle.redeliver()
            Operations(handle.frontier).note(f"calls hooks again for {sent} results", CLIENT)
        return self.get(id)

    # -- for the tick

    def settle(self, frontier: Frontier) -> None:
        """Take the ended crawl of a job off the list of crawls. It needs no tick any more, and
        there may be many.
        """
        if not frontier.name.startswith(PREFIX) or frontier.end_hook_pending():
            return
        id_ = frontier.name.removeprefix(PREFIX)
        try:
            record = self._order_record(id_)
        except UnknownJob:
            return
        if url := record.get("webhook"):
            now = self._micros() / 1e6
            self.webhooks.expect(id_, url, private=bool(record.get("private")), due=now)
        self.count_end(id_)
        frontier.delist()
        # it may have been re-opened meanwhile
        if (snapshot := self._snapshot(frontier)) and not snapshot.status.ended:
            frontier.enlist()

    def count_end(self, id: str) -> Job:  # noqa: A002
        """Count the job ``id`` among those that have ended, if it has; return it. To repeat it is
        harmless.

        Raises:
            UnknownJob: no job has this id.
        """
        job = self.get(id)
        if job.ended and job.finished is not None:
            kind = failure_kind(job.reason or "") if job.state == "failed" else ""
            times = None if job.started is None else (job.waiting, job.processing)
            self.tallies.end(id, job.finished, job.state, kind, times)
        return job

    def end_of(self, id: str) -> tuple[str, Json] | None:  # noqa: A002
        """Return the message on the end of the job ``id``, with an id; None: it has not ended, or
        its hooks are still to be called.
        """
        try:
            job = self.get(id)
        except UnknownJob:
            return None
        if not job.ended or job.counts["delivering"]:
            return None
        event = f"{id}-{int((job.finished or 0) * 1_000)}"
        return event, {"event": "job.ended", "id": event, "job": job.record()}

    def sweep(self) -> int:
        """Forget jobs that ended long enough ago; return how many."""
        now = self._micros() / 1e6
        with redis_errors():
            due = self.redis.zrangebyscore(self.prefix + "due", "-inf", now, start=0, num=SWEEP)
        return sum(self._forget(id_.decode(), now) for id_ in due)

    def _forget(self, id: str, now: float) -> bool:  # noqa: A002
        """Forget the job ``id``, or put it off if it has not ended long enough ago."""
        frontier = self._frontier(id)
        snapshot = self._snapshot(frontier)
        if snapshot and (snapshot.ended is None or snapshot.ended + self.retention > now):
            with redis_errors():
                due = (snapshot.ended or now) + self.retention
                self.redis.zadd(self.prefix + "due", {id: due})
            return False
        self.webhooks.forget(id)
        self.tallies.forget(id)
        with redis_errors():
            self.redis.delete(f"{self.prefix}order:{id}")
        if snapshot:
            self.client.clear(frontier.name)
        with redis_errors():
            self.redis.zrem(self.prefix + "all", id)
            self.redis.zrem(self.prefix + "due", id)
        return True

    # -- parts

    def _job(self, id: str, record: Mapping[str, Json]) -> Job:  # noqa: A002
        """Return the job of an order's ``record`` as its frontier shows it now."""
        order = Order(
            record["crawl"],
            record["url"],
            record["message"],
            record["limits"],
            record.get("webhook"),
        )
        created = created_at(record)
        webhook = self.webhooks.get(id) if order.webhook else None
        snapshot = self._snapshot(self._frontier(id))
        now = snapshot.ended if snapshot and snapshot.ended else self._micros() / 1e6
        if snapshot is None:
            return self._unbegun(id, order, created, now, webhook)
        started = snapshot.begun
        return Job(
            id=id,
            order=order,
            state=ENDS.get(snapshot.status) or ("new" if started is None else "running"),
            status=snapshot.status.value,
            reason=snapshot.reason,
            counts={
                **{name: getattr(snapshot, name) for name in COUNTS},
                UNDELIVERED: snapshot.counts.get(UNDELIVERED, 0),
            },
            created=created,
            started=started,
            finished=snapshot.ended,
            **times_of(created, started, now)._asdict(),
            webhook=webhook,
        )

    def _unbegun(
        self,
        id: str,  # noqa: A002
        order: Order,
        created: float,
        now: float,
        webhook: Webhook | None,
    ) -> Job:
        """Return a job without a frontier: a new one, or a failed one if it is too old."""
        lost = now - created > BEGIN_PATIENCE
        return Job(
            id=id,
            order=order,
            state="failed" if lost else "new",
            status=None,
            reason="it never began, or its crawl was cleared" if lost else None,
            counts=dict.fromkeys((*COUNTS, UNDELIVERED), 0),
            created=created,
            started=None,
            finished=None,
            waiting=max(0.0, now - created),
            processing=0.0,
            webhook=webhook,
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
        """Return the time by Redis's clock, in microseconds since the epoch."""
        with redis_errors():
            seconds, micros = self.redis.time()
        return int(seconds) * 1_000_000 + int(micros)
