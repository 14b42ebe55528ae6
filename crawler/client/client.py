"""The client: start crawls and look them up, from a view, a script or the command line."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from ..config import settings as configuration
from ..config.children import secrets_inherited
from ..config.settings import Settings
from ..definition.crawl import Crawl
from ..definition.crawl_plan import plan_of
from ..definition.digest import digest_of
from ..definition.network import entries_decided
from ..errors import CrawlExists, SetupError, UnknownCrawl
from ..frontier.frontier import Frontier
from ..hooks import Lazy, call
from ..model import Plan, Priority, Status
from ..secret_refs import SECRET_PREFIX
from ..storage.connection import RedisClient, connect
from ..storage.errors import redis_errors
from ..urls.sitemap_xml import Entry
from . import transaction
from .crawl_handle import CrawlHandle
from .crawls import CrawlRegistry
from .hook_errors import noted
from .seed_sources import check_seed_file, seed_urls
from .seeds import EnqueueReport, Producer, Progress, SeedLoader, enqueue_urls
from .standstill import Standstill, standstill_of
from .wakeups import BrokerUnavailable, Sender, WakeUps
from .workers import CrawlWorkers, WorkerRegistry

#: Seconds for which one caller alone may restart a crawl. To forget a crawl of ten million pages
#: takes less.
RESTART_LIFE = 120.0
#: Seconds between two looks for the answer of a worker.
ECHO_INTERVAL = 0.1


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
        self.send = send or WakeUps(self.settings)
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
            raise UnknownCrawl(name, tuple(Frontier.names(self.redis, self.settings.key_prefix)))
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
        crawl: Crawl,
        *,
        reset: bool = False,
        update: bool = False,
        alone: bool = False,
        private_names: bool = True,
        progress: Progress | None = None,
    ) -> tuple[CrawlHandle, bool]:
        """Write ``crawl``, its entry pages and seeds to the frontier, and wake the workers.

        Returns (handle, whether the crawl is new) when the last seed is queued. A long file of
        seeds, or many sitemaps, take their time; runs begin before. If a start was cut short, the
        next start goes on. The pages are written before the messages are sent: if messages are
        lost, the tick of any worker sends others.

        ``alone`` says that no worker is alive: pages that earlier workers held are given back at
        once. Whether an entry is at a private address is decided here, and kept with the crawl;
        without ``private_names`` none is whose address is not spelled out. ``progress`` receives a
        line every ten seconds while seeds are loaded; None: it is logged.

        Raises:
            DefinitionError: the definition is wrong.
            SetupError: the file of seeds cannot be read, or ``page_deadline`` is longer than a run
                may take.
            CrawlExists: the name is taken, or the crawl has ended; ``reset`` begins it again,
                ``update`` replaces its definition.
            FrontierRefused: the crawl was stopped while its seeds were loaded.
            FrontierUnavailable: Redis is away.
            BrokerUnavailable: the broker is away; the crawl is in the frontier, and starts with the
                next tick.
        """
        crawl.validate()
        self._check_deadline(crawl)
        frontier = self.frontier(crawl.name)
        seeds = SeedLoader(crawl, frontier)
        loaded = not reset and seeds.is_complete()
        if not loaded:
            check_seed_file(crawl)
        plan = plan_of(crawl, entries_decided(crawl, by_name=private_names))
        new, reopen = self._create(crawl, plan, frontier, loaded=loaded, reset=reset, update=update)
        if alone and not new:
            frontier.recover()
        if not loaded and (new or reopen or frontier.snapshot().status is not Status.STOPPING):
            with seeds.loading(reopen=reopen) as keep_alive:
                seeds.queue_entry_pages()
                if seeds.has_sources:
                    if not alone:
                        self._wake_early(crawl)
                    known = configuration.secrets(SECRET_PREFIX)
                    urls = seed_urls(crawl, frontier.private_entries(), keep_alive, known)
                    seeds.queue_urls(urls, keep_alive, progress)
        self.wake(crawl)
        return CrawlHandle(self, crawl), new

    def restart(self, crawl: Crawl) -> tuple[CrawlHandle, bool]:
        """Start ``crawl``, also if it has ended; return (handle, whether it was started).

        While the crawl goes on, in any version, nothing changes. If several callers restart it at
        once (a schedule fires twice, a user clicks twice), one of them starts it. Errors: see
        :meth:`start`.
        """
        crawl.validate()
        self._check_deadline(crawl)
        check_seed_file(crawl)
        handle = CrawlHandle(self, crawl)
        key = f"{self.settings.key_prefix}starting:{crawl.name}"
        with redis_errors(), self.redis.lock(key, timeout=RESTART_LIFE):
            digest = handle.frontier.digest()
            new = digest is None or handle.status.ended
            if new:
                plan = plan_of(crawl, entries_decided(crawl))
                handle.frontier.create(plan, reset=digest is not None)
        if new or digest == digest_of(crawl):
            # also if it goes on: its start may have been cut short while seeds were loaded
            self.start(crawl)
        return handle, new

    def _check_deadline(self, crawl: Crawl) -> None:
        """Raise SetupError if Celery would end a run before the frontier does: no run would report
        the page.
        """
        longest = self.settings.run_timeout
        if "start" not in crawl.hooks and crawl.page_deadline >= longest:
            raise SetupError(
                f"page_deadline is {crawl.page_deadline:g} s, a run may take {longest:g}: lower it,"
                " or raise CRAWLER_RUN_TIMEOUT"
            )

    def _create(
        self,
        crawl: Crawl,
        plan: Plan,
        frontier: Frontier,
        *,
        loaded: bool,
        reset: bool,
        update: bool,
    ) -> tuple[bool, bool]:
        """Write ``crawl`` to its frontier, by ``plan``; return (whether it is new, whether it must
        be reopened).

        A crawl is reopened if it ended before all its seeds were queued. ``loaded``: they are.
        """
        try:
            return frontier.create(plan, reset=reset, update=update), False
        except CrawlExists:
            if loaded or not self._ended_early(crawl, frontier):
                raise
            return False, True

    def _ended_early(self, crawl: Crawl, frontier: Frontier) -> bool:
        """Whether the crawl ended by itself because the loader of its seeds had died."""
        ended = frontier.snapshot().status in (Status.FINISHED, Status.FAILED)
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
        progress: Progress | None = None,
    ) -> EnqueueReport:
        """Queue ``urls`` that are in the scope of ``crawl``, which was started, and wake its
        workers.

        The URLs are read as a stream, so their number does not matter. ``reopen`` lets a crawl that
        has ended go on with them. ``progress`` receives a line every ten seconds; None: it is
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
        WakeUps(self.settings).echo(token)
        while not (arrived := self.workers.is_echoed(token)) and time.monotonic() < end:
            time.sleep(ECHO_INTERVAL)
        return arrived

    def start_run(self, crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
        """Start one further run: by the crawl's hook ``start``, else by a message to the workers.

        A message arrives after ``delay`` seconds.
        """
        if hook := crawl.hooks.get("start"):
            snapshot = Lazy(self.frontier(crawl.name).snapshot)
            with noted("start", hook, crawl), secrets_inherited():
                call(hook, {"crawl": crawl, "ticket": ticket, "snapshot": snapshot})
        else:
            self.send(crawl.name, ticket, delay)


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
    settings: Settings | None = None,
) -> EnqueueReport:
    """Queue ``urls`` at a crawl that was started, or at the crawl of that name: from a hook of
    another crawl, too. Return what became of them. At once, also in a transaction of Django.

    Errors: see :meth:`Client.enqueue`.
    """
    return shared(settings).enqueue(crawl, urls, priority=priority, depth=depth, reopen=reopen)


def start(
    crawl: Crawl | str, *, settings: Settings | None = None, reset: bool = False
) -> CrawlHandle:
    """Start ``crawl``, or the crawl of that name in ``CRAWLER_CRAWLS``; return when its seeds are
    queued.

    If the crawl is running, nothing changes, and the handle is that of the running crawl. In a
    transaction of Django (``atomic``, ``ATOMIC_REQUESTS``) the crawl starts with the commit, and
    not at all after a rollback; a wrong definition is an error at once. Errors: see
    :meth:`Client.start`, and UnknownCrawl.
    """
    client = shared(settings)
    if isinstance(crawl, str):
        if crawl not in client.known:
            raise UnknownCrawl(crawl, tuple(client.known))
        crawl = client.known[crawl]
    crawl.validate()
    handle = CrawlHandle(client, crawl)

    def start_committed() -> None:
        client.start(crawl, reset=reset)
        handle.uncommitted = False

    handle.uncommitted = transaction.on_commit(start_committed)
    if not handle.uncommitted:
        start_committed()
    return handle
