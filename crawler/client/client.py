"""The client: start crawls and look them up, from a view, a script or the command line."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from redis.exceptions import LockError

from ..config import settings as configuration
from ..config.children import secrets_inherited
from ..config.settings import Settings
from ..definition.bounds import canonical
from ..definition.crawl import Crawl
from ..definition.crawl_plan import plan_of
from ..definition.digest import digest_of
from ..definition.field_types import LAST
from ..definition.network import entries_decided, entry_hosts
from ..errors import FrontierRefused, SetupError, UnknownCrawl
from ..frontier.answers import Creation, Update
from ..frontier.frontier import Frontier
from ..frontier.keys import CLEARING
from ..frontier.live_snapshot import live_snapshot
from ..frontier.memory import Memories
from ..hooks import Hook, Lazy, call
from ..model import Plan, Priority, Snapshot, Status
from ..secret_refs import SECRET_PREFIX
from ..storage.connection import RedisClient, connect
from ..storage.errors import redis_errors
from ..urls.modified import first_moment
from ..urls.sitemap_xml import Entry
from . import transaction
from .crawl_handle import CrawlHandle
from .crawls import CrawlRegistry
from .hook_errors import noted
from .seed_sources import check_seed_file, seed_urls
from .seeds import EnqueueReport, Producer, Progress, SeedLoader, enqueue_urls
from .standstill import Standstill, standstill_of
from .start_report import STILL_RUNS, IfExists, StartOutcome, StartReport, refusal, state_reason
from .wakeups import BrokerUnavailable, Sender, WakeUps
from .workers import CrawlWorkers, WorkerRegistry

#: Seconds between two looks for the answer of a worker.
ECHO_INTERVAL = 0.1
#: Seconds for which one caller alone may begin a crawl again. To forget a crawl of ten million
#: pages takes less. Another caller waits for so many seconds, at most.
RESTART_LIFE, RESTART_WAIT = 120.0, 10.0

ENDS = (Creation.FINISHED, Creation.STOPPED, Creation.FAILED)
#: When a crawl that goes on takes a changed definition over.
UPDATES: dict[IfExists | None, Update] = {
    None: Update.NEAR,
    IfExists.KEEP: Update.NEVER,
    IfExists.UPDATE: Update.ALWAYS,
}


class Client:
    """Starts crawls and looks them up, with the Redis and the broker of ``settings``.

    ``attended``: False where no worker can be woken, because the services run for one command only.
    """

    def __init__(
        self, settings: Settings | None = None, *, send: Sender | None = None, attended: bool = True
    ) -> None:
        self.settings = settings or configuration.load()
        if not self.settings.redis_url:
            raise SetupError("CRAWLER_REDIS_URL is not set (for example redis://127.0.0.1:6379/0)")
        self.redis: RedisClient = connect(
            self.settings.redis_url,
            connect_timeout=self.settings.redis_connect_timeout,
            read_timeout=self.settings.redis_timeout,
        )
        self.wakeups = WakeUps(self.settings)
        self.send = send or self.wakeups
        self.attended = attended
        self.workers = WorkerRegistry(self.redis, self.settings.key_prefix)
        self.crawls = CrawlRegistry(self.settings.crawls, self.frontier)

    # -- looking up

    @property
    def known(self) -> dict[str, Crawl]:
        """The crawls of ``CRAWLER_CRAWLS``, by name."""
        return self.crawls.loaded

    def frontier(self, name: str) -> Frontier:
        """Return the frontier of the crawl ``name``, which need not exist."""
        return Frontier(self.redis, name, prefix=self.settings.key_prefix)

    def handle(self, name: str) -> CrawlHandle:
        """Return the handle of the crawl ``name``, which was started here or elsewhere.

        Raises:
            UnknownCrawl: no crawl of this name was started.
        """
        handle = CrawlHandle(self, name)
        if handle.frontier.digest() is None:
            begun = Frontier.names(self.redis, self.settings.key_prefix)
            raise UnknownCrawl(name, tuple(sorted({*begun, *self.crawls.usable})))
        return handle

    def crawl(self, name: str) -> Crawl:
        """Return the definition of the crawl ``name``.

        It is one of ``CRAWLER_CRAWLS``, else one without code that is stored with its frontier.

        Raises:
            UnknownCrawl: it is neither.
        """
        return self.crawls.crawl(name)

    def workers_of(self, crawl: Crawl | str) -> CrawlWorkers:
        """Return the live workers, and those of them that can run ``crawl``: what it is in the
        frontier, or, if it was never started, here.

        Raises:
            UnknownCrawl: it is neither.
        """
        name = crawl if isinstance(crawl, str) else crawl.name
        plan = self.frontier(name).plan()
        if plan is None:
            plan = plan_of(self.crawl(crawl) if isinstance(crawl, str) else crawl)
        return self.workers.workers_of(plan)

    # -- starting

    def start(
        self,
        crawl: Crawl | str,
        *,
        if_exists: IfExists | str | None = None,
        recrawl: bool = False,
        alone: bool = False,
        private_names: bool = True,
        progress: Progress | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> StartReport:
        """Write ``crawl``, its entry pages and seeds to the frontier, and wake the workers; return
        what became of it: a crawl that goes on, or has ended, is no error.

        ``crawl`` is a definition, or the name of one that is known here or was started without
        code. ``if_exists`` says what becomes of a crawl of this name that is there already: see
        :class:`IfExists`. None: one that goes on takes a changed definition over, if it starts at
        one host at least of those at which it started so far (else the start is refused: another
        crawl has the name); one that has ended stays as it is, and the start is refused.

        ``recrawl`` stands for ``if_exists="recrawl"``: one that has ended visits all its pages
        again, as another generation that remembers the last one; each result then says what has
        become of its item (``change``). A first start is an ordinary one.

        In a transaction of Django (``atomic``, ``ATOMIC_REQUESTS``) all of this happens with the
        commit, and not at all after a rollback. The report then says what would become of it now,
        and after the commit what did.

        Returns when the last seed is queued. A long file of seeds, or many sitemaps, take their
        time; runs begin before. If a start was cut short, the next start goes on. The pages are
        written before the messages are sent: if messages are lost, the tick of any worker sends
        others. Of many who restart a crawl at once, one does.

        ``alone`` says that no worker is alive: pages that earlier workers held are given back at
        once. Whether an entry is at a private address is decided here, and kept with the crawl;
        without ``private_names`` none is whose address is not spelled out. ``progress`` receives a
        line every ten seconds while seeds are loaded; None: it is logged. ``limits`` are fields of
        the crawl's :class:`~crawler.model.Policy` that take the place of those of ``crawl`` before
        its first page, as :meth:`Frontier.set_limits` would change them later.

        Raises:
            UnknownCrawl: no crawl is known by that name.
            DefinitionError: the definition is wrong.
            SetupError: the file of seeds cannot be read, or ``page_deadline`` is longer than a run
                may take.
            FrontierUnavailable: Redis is away.
            BrokerUnavailable: the broker is away; the crawl is in the frontier, and starts with the
                next tick.
        """
        definition = self.crawl(crawl) if isinstance(crawl, str) else crawl
        how = None if if_exists is None else IfExists(if_exists)
        if recrawl and how not in (None, IfExists.RECRAWL):
            raise ValueError(f"recrawl and if_exists={how.value!r} exclude each other")
        how = IfExists.RECRAWL if recrawl else how
        definition.validate()
        self._check_deadline(definition)
        report = StartReport(CrawlHandle(self, definition), StartOutcome.STARTED)

        def start_now() -> None:
            report.handle.uncommitted = False
            answer = self._start(
                *(definition, how, limits or {}),
                alone=alone,
                private_names=private_names,
                progress=progress,
            )
            report.outcome, report.reason = answer

        if transaction.is_open():
            report.outcome, report.reason = self._foresee(definition, how)
            report.handle.uncommitted = True
            transaction.on_commit(start_now)
        else:
            start_now()
        return report

    def restart(self, crawl: Crawl | str) -> StartReport:
        """Start ``crawl``, again if it has ended: :meth:`start` with ``if_exists="restart"``."""
        return self.start(crawl, if_exists=IfExists.RESTART)

    def _start(
        self,
        crawl: Crawl,
        how: IfExists | None,
        limits: Mapping[str, Any],
        *,
        alone: bool,
        private_names: bool,
        progress: Progress | None,
    ) -> tuple[StartOutcome, str | None]:
        """Start ``crawl`` now: see :meth:`start`. Return the outcome and its reason."""
        frontier = self.frontier(crawl.name)
        seeds = SeedLoader(crawl, frontier)
        loaded = seeds.is_complete()
        if not loaded:
            check_seed_file(crawl)
        plan = plan_of(crawl, entries_decided(crawl, by_name=private_names))
        plan = replace(plan, policy=replace(plan.policy, **limits)) if limits else plan
        if (answer := self._write_plan(crawl, plan, frontier, how)) is None:
            return StartOutcome.REFUSED, "another process begins it again at this moment"
        new, origin = answer is Creation.CREATED, frontier.origin()
        if limits and answer is Creation.EXISTS:  # the plan was not written
            frontier.set_limits(**limits)
        if new and how is IfExists.RECRAWL:
            Memories(frontier).tidy(partial(canonical, crawl))
        loaded = loaded and not new
        reopen = (
            not loaded
            and how is not IfExists.RECRAWL
            and self._ended_early(answer, crawl, frontier)
        )
        if alone and not new:
            frontier.recover()
        report = self._judge(answer, how, frontier, reopen=reopen)
        if report[0] is StartOutcome.REFUSED or answer in (Creation.OTHER, Creation.ELSEWHERE):
            return report
        if not loaded:
            try:
                self._load_seeds(crawl, frontier, seeds, reopen, wake_early=not alone, say=progress)
            except FrontierRefused:
                if is_forgotten(frontier, origin):
                    return report[0], "another process has forgotten it since"
                if frontier.snapshot().status not in (Status.STOPPING, Status.STOPPED):
                    raise
                return StartOutcome.REFUSED, "it was stopped while its seeds were loaded"
        self.wake(crawl)
        return report

    def _write_plan(
        self, crawl: Crawl, plan: Plan, frontier: Frontier, how: IfExists | None
    ) -> Creation | None:
        """Write ``plan`` to its frontier; return what became of it. None: another process begins
        the crawl again, and takes long.
        """
        update = UPDATES.get(how, Update.NEAR)
        if how not in (IfExists.RESTART, IfExists.RESET, IfExists.RECRAWL):
            return frontier.create(plan, update=update)
        with self._one_at_a_time(plan.name) as mine:
            if not mine:
                return None
            if how is IfExists.RECRAWL and not is_cleared(frontier):
                if (snapshot := snapshot_of(frontier)) and not snapshot.over:
                    return Creation.OTHER
                check_seed_file(crawl)
                return Memories(frontier).begin_generation(plan)
            if how is IfExists.RESTART:
                answer = frontier.create(plan, update=update)
                if answer not in ENDS:
                    return answer
            check_seed_file(crawl)
            return frontier.create(plan, reset=frontier.digest() is not None)

    @contextmanager
    def _one_at_a_time(self, name: str) -> Iterator[bool]:
        """Keep others from beginning the crawl ``name`` again in this block. False: another one is
        at it, and takes long.
        """
        key = f"{self.settings.key_prefix}starting:{name}"
        lock = self.redis.lock(key, timeout=RESTART_LIFE, blocking_timeout=RESTART_WAIT)
        with redis_errors():
            mine = lock.acquire()
        try:
            yield mine
        finally:
            if mine:
                with suppress(LockError), redis_errors():
                    lock.release()

    def _judge(
        self, answer: Creation, how: IfExists | None, frontier: Frontier, *, reopen: bool
    ) -> tuple[StartOutcome, str | None]:
        """Return the outcome of a start, and its reason, by the ``answer`` of the frontier."""
        if answer is Creation.CREATED:
            return StartOutcome.STARTED, None
        if how is IfExists.RECRAWL:
            return StartOutcome.REFUSED, STILL_RUNS
        if reopen:
            return StartOutcome.RUNNING, "it had ended before all its seeds were queued"
        if answer is Creation.OTHER and how is IfExists.KEEP:
            return StartOutcome.RUNNING, "by another version of its definition"
        if answer not in (Creation.EXISTS, Creation.UPDATED):
            return StartOutcome.REFUSED, refusal(answer)
        snapshot = frontier.snapshot()
        if snapshot.status is Status.STOPPING:
            return StartOutcome.REFUSED, refusal(Creation.STOPPING)
        outcome = StartOutcome.RUNNING if answer is Creation.EXISTS else StartOutcome.UPDATED
        return outcome, state_reason(snapshot)

    def _foresee(self, crawl: Crawl, how: IfExists | None) -> tuple[StartOutcome, str | None]:
        """Return what would become of a start now; nothing is changed."""
        frontier = self.frontier(crawl.name)
        digest = frontier.digest()
        if digest is None or how is IfExists.RESET:
            return StartOutcome.STARTED, None
        snapshot = frontier.snapshot()
        status = snapshot.status
        if how is IfExists.RECRAWL:
            answer = Creation.CREATED if snapshot.over else Creation.OTHER
        elif status.ended:
            answer = Creation.CREATED if how is IfExists.RESTART else Creation(status.value)
        elif digest == digest_of(crawl):
            answer = Creation.EXISTS
        elif how is IfExists.KEEP:
            answer = Creation.OTHER
        elif status is Status.STOPPING:
            answer = Creation.STOPPING
        else:
            before, hosts = frontier.entries().keys(), entry_hosts(crawl)
            far = how is not IfExists.UPDATE and before and hosts and not before & hosts
            answer = Creation.ELSEWHERE if far else Creation.UPDATED
        return self._judge(answer, how, frontier, reopen=False)

    def _load_seeds(
        self,
        crawl: Crawl,
        frontier: Frontier,
        seeds: SeedLoader,
        reopen: bool,
        *,
        wake_early: bool,
        say: Progress | None,
    ) -> None:
        """Queue the entry pages and the seeds of ``crawl``."""
        with seeds.loading(reopen=reopen) as keep_alive:
            seeds.queue_entry_pages()
            if seeds.has_sources:
                if wake_early:
                    self._wake_early(crawl)
                known = configuration.secrets(SECRET_PREFIX)
                since = sitemaps_since(crawl, frontier)
                urls = seed_urls(crawl, frontier.private_entries(), keep_alive, known, since)
                seeds.queue_urls(urls, keep_alive, say)

    def _check_deadline(self, crawl: Crawl) -> None:
        """Raise SetupError if Celery would end a run before the frontier does: no run would report
        the page.
        """
        longest = self.settings.run_timeout
        if not self.hook_of_start(crawl) and crawl.page_deadline >= longest:
            raise SetupError(
                f"page_deadline is {crawl.page_deadline:g} s, a run may take {longest:g}: lower it,"
                " or raise CRAWLER_RUN_TIMEOUT"
            )

    def _ended_early(self, answer: Creation, crawl: Crawl, frontier: Frontier) -> bool:
        """Whether the crawl ended by itself because the loader of its seeds had died: it must be
        reopened.
        """
        ended = answer in (Creation.FINISHED, Creation.FAILED)
        has_sources = SeedLoader(crawl, frontier).has_sources
        return ended and has_sources and frontier.digest() == digest_of(crawl)

    def _wake_early(self, crawl: Crawl) -> None:
        """Start runs while seeds are loaded; if that fails, ``start`` tries again at its end."""
        with suppress(BrokerUnavailable):
            self.wake(crawl)

    # -- feeding, waking, forgetting

    def enqueue(
        self,
        crawl: Crawl | str,
        urls: str | Iterable[str | Entry],
        *,
        priority: Priority = Priority.NORMAL,
        depth: int = 0,
        reopen: bool = False,
        again: bool = False,
        progress: Progress | None = None,
    ) -> EnqueueReport:
        """Queue ``urls`` that are in the scope of ``crawl``, which was started, and wake its
        workers.

        The URLs are read as a stream, so their number does not matter. ``reopen`` lets a crawl that
        has ended go on with them; ``again`` queues also those that it knows, once it is done with
        them. ``progress`` receives a line every ten seconds; None: it is
        logged.

        Raises:
            UnknownCrawl: the crawl has code that is not known here, so its scope is unknown, too
                (see ``CRAWLER_CRAWLS``).
            FrontierRefused: the crawl was not started, or is stopping, or has ended and ``reopen``
                is not set.
            BrokerUnavailable: the broker is away; the pages are in the frontier.
        """
        definition = self.crawl(crawl) if isinstance(crawl, str) else crawl
        frontier = self.frontier(definition.name)
        with Producer(frontier, reopen=reopen) as producer:
            report = enqueue_urls(
                definition,
                frontier,
                [urls] if isinstance(urls, str) else urls,
                producer.keep_alive,
                priority=priority,
                depth=depth,
                again=again,
                progress=progress,
            )
        if report.new:
            self.wake(definition)
        return report

    def clear(self, name: str) -> int:
        """Forget the crawl ``name``; return the number of keys that are deleted."""
        return self.frontier(name).clear()

    def wake(self, crawl: Crawl | str) -> int:
        """Start the runs that ``crawl`` can use now; return their number.

        Messages start the runs of a crawl that is known by name only.
        """
        if not self.attended:
            return 0
        if isinstance(crawl, str):
            crawl = self.known.get(crawl, crawl)
        frontier = self.frontier(crawl if isinstance(crawl, str) else crawl.name)
        tickets = frontier.wake().tickets
        if tickets:
            frontier.enlist()  # the tick takes the crawl of a job off the list when it has ended
        for ticket in tickets:
            if isinstance(crawl, str):
                self.send(crawl, ticket)
            else:
                self.start_run(crawl, ticket)
        return len(tickets)

    def standstill(self, name: str, *, ask: bool = False) -> Standstill | None:
        """Return why the crawl ``name`` stands still; None: it does not. See
        :func:`~crawler.client.standstill.standstill_of`.
        """
        return standstill_of(self, name, ask=ask)

    def reaches_workers(self, wait: float = 5.0) -> bool:
        """Whether a message that this client sends is answered by a worker in this client's Redis,
        within ``wait`` seconds: then both have the same broker, queue and Redis, and one is free.

        Raises:
            BrokerUnavailable: the broker takes no message.
        """
        token, end = secrets.token_hex(8), time.monotonic() + wait
        self.wakeups.echo(token)
        while not (arrived := self.workers.is_echoed(token)) and time.monotonic() < end:
            time.sleep(ECHO_INTERVAL)
        return arrived

    def hook_of_start(self, crawl: Crawl) -> Hook | None:
        """Return the crawl's hook ``start``; None: there is none, or ``start_hooks`` is off, so
        that messages to workers start its runs.
        """
        return crawl.hooks.get("start") if self.settings.start_hooks else None

    def start_run(self, crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
        """Start one further run: by the crawl's hook ``start``, else by a message to the workers.

        A message arrives after ``delay`` seconds.
        """
        if hook := self.hook_of_start(crawl):
            snapshot = Lazy(partial(live_snapshot, self.frontier(crawl.name)))
            with noted("start", hook, crawl), secrets_inherited():
                call(hook, {"crawl": crawl, "ticket": ticket, "snapshot": snapshot})
        else:
            self.send(crawl.name, ticket, delay)


def sitemaps_since(crawl: Crawl, frontier: Frontier) -> float | None:
    """Return the moment since which pages of sitemaps must have been modified to be visited, in
    epoch seconds; None: all of them are.
    """
    if crawl.sitemaps_since == LAST:
        return Memories(frontier).last_start()
    return first_moment(crawl.sitemaps_since) if crawl.sitemaps_since else None


def snapshot_of(frontier: Frontier) -> Snapshot | None:
    """Return the snapshot of a crawl; None: it was never started."""
    return None if frontier.digest() is None else frontier.snapshot()


def is_cleared(frontier: Frontier) -> bool:
    """Whether the crawl was being forgotten when that was cut short: it remembers nothing."""
    snapshot = snapshot_of(frontier)
    return snapshot is not None and snapshot.reason == CLEARING


def is_forgotten(frontier: Frontier, origin: str) -> bool:
    """Whether the crawl of ``origin`` is cleared, or about to be: perhaps it begins again."""
    try:
        snapshot = frontier.snapshot()
    except FrontierRefused:
        return True
    return snapshot.reason == CLEARING or frontier.origin() != origin


def shared(settings: Settings | None = None) -> Client:
    """Return this process's client for ``settings``, with its open connections.

    A fork gets a client of its own.
    """
    return _shared(settings or configuration.load(), os.getpid())


@lru_cache(maxsize=4)
def _shared(settings: Settings, pid: int) -> Client:  # noqa: ARG001 - one client for each process
    return Client(settings)


def enqueue(
    crawl: Crawl | str,
    urls: str | Iterable[str],
    *,
    priority: Priority = Priority.NORMAL,
    depth: int = 0,
    reopen: bool = False,
    again: bool = False,
    settings: Settings | None = None,
) -> EnqueueReport:
    """Queue ``urls`` at a crawl that was started, or at the crawl of that name: from a hook of
    another crawl, too. Return what became of them. At once, also in a transaction of Django.

    Errors: see :meth:`Client.enqueue`.
    """
    return shared(settings).enqueue(
        crawl, urls, priority=priority, depth=depth, reopen=reopen, again=again
    )


def start(
    crawl: Crawl | str,
    *,
    if_exists: IfExists | str | None = None,
    recrawl: bool = False,
    settings: Settings | None = None,
) -> StartReport:
    """Start ``crawl``, or the crawl of that name in ``CRAWLER_CRAWLS``; return what became of it
    when its seeds are queued: see :meth:`Client.start`.
    """
    return shared(settings).start(crawl, if_exists=if_exists, recrawl=recrawl)


def restart(crawl: Crawl | str, *, settings: Settings | None = None) -> StartReport:
    """Start ``crawl``, or the crawl of that name, again if it has ended: see
    :meth:`Client.restart`.
    """
    return shared(settings).restart(crawl)
