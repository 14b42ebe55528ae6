"""Starting a crawl, and following it, from anywhere: a view, a script, the command line. Never
imports Selenium.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache

from ..config import settings as configuration
from ..config.settings import Settings
from ..definition.crawl import Crawl
from ..definition.crawl_plan import plan_of
from ..definition.digest import digest_of
from ..errors import CrawlExists, FrontierRefused, SetupError, UnknownCrawl
from ..frontier.entries import FailedPage
from ..frontier.frontier import Frontier
from ..frontier.listing import Listing
from ..hooks import Lazy, call
from ..model import Json, Priority, Snapshot, Status
from ..storage.connection import RedisClient, connect
from ..storage.errors import redis_errors
from . import seeds, transaction
from .crawls import CrawlRegistry
from .seeds import Fed
from .wakeups import BrokerUnavailable, Sender, WakeUps
from .workers import WorkerRegistry

#: Seconds between two looks at a crawl that is waited for.
POLL_INTERVAL = 0.25
#: Seconds for which nobody else may begin a crawl anew while one does; a crawl of ten million pages
#: is forgotten in less.
RESTART_LIFE = 120.0
#: Failed pages that are read at once.
PAGE = 500
#: Failed pages that are sent back at once; each time, the whole list of them is gone through.
RETRY_BATCH = 50_000


class CrawlHandle:
    """A crawl that was started, seen from outside.

    ``uncommitted``: it starts when the transaction of its caller is committed, and has until then
    neither pages nor an end.
    """

    def __init__(self, client: Client, crawl: Crawl | str) -> None:
        self.client, self.crawl = client, crawl
        self.name: str = crawl if isinstance(crawl, str) else crawl.name
        self.frontier = client.frontier(self.name)
        self.uncommitted = False

    def snapshot(self) -> Snapshot:
        """Counts and state at this instant."""
        if self.uncommitted:
            return Snapshot(
                self.name, Status.NEW, "its transaction is not committed", 0, 0, 0, 0, 0, 0, 0
            )
        return self.frontier.snapshot()

    @property
    def status(self) -> Status:
        """Where the crawl stands."""
        return self.snapshot().status

    @property
    def counts(self) -> dict[str, int]:
        """How many pages are queued, delayed, processing, done and failed."""
        seen = self.snapshot()
        return {
            name: getattr(seen, name)
            for name in ("queued", "delayed", "processing", "done", "failed")
        }

    def wait(self, timeout: float | None = None) -> Snapshot:
        """Wait until the crawl has ended, at most ``timeout`` seconds.

        Raises:
            TimeoutError: it has not ended by then; it goes on.
            FrontierRefused: it is to start with the transaction in which it is waited for, or that
                was rolled back.
        """
        if self.uncommitted:
            raise FrontierRefused(
                f"the crawl {self.name!r} has not begun: its transaction is not committed"
            )
        end = None if timeout is None else time.monotonic() + timeout
        while not (seen := self.snapshot()).status.ended:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(
                    f"the crawl {self.name!r} is {seen.status} after {timeout:g} s: {seen.queued}"
                    f" queued, {seen.done} done"
                )
            time.sleep(POLL_INTERVAL)
        return seen

    def stop(self, reason: str = "stopped by its client") -> None:
        """Begin no further page; those in flight finish."""
        self.frontier.stop(reason)

    def cancel(self, reason: str = "cancelled by its client") -> None:
        """Begin no further page, and give up those in flight at their next heartbeat; they are not
        lost, see ``resume``.
        """
        self.frontier.cancel(reason)

    def pause(self) -> None:
        """Begin no further page until ``resume``."""
        self.frontier.pause()

    def resume(self, *, reopen: bool = False) -> Status:
        """Go on after ``pause`` or ``stop``, at once; with ``reopen`` also after the crawl has
        ended. Its status then.

        Raises:
            FrontierRefused: it has ended, and ``reopen`` is not set.
        """
        status = self.frontier.resume(reopen=reopen)
        self.client.wake(self.crawl)
        return status

    def enqueue(
        self,
        urls: str | Iterable[str],
        *,
        priority: Priority = Priority.NORMAL,
        depth: int = 0,
        reopen: bool = False,
    ) -> Fed:
        """Feed it ``urls``: see :meth:`Client.enqueue`."""
        return self.client.enqueue(self.crawl, urls, priority=priority, depth=depth, reopen=reopen)

    def failed(self, reason: str | None = None) -> Iterator[FailedPage]:
        """Pages that are not tried again by themselves, oldest first; those of one ``reason``, if
        given.
        """
        start = 0
        while batch := Listing(self.frontier).failed(start, PAGE):
            yield from (one for one in batch if reason in (None, one.reason))
            start += len(batch)

    def retry(self, urls: str | Iterable[str] | None = None, *, reason: str | None = None) -> int:
        """Send failed pages back to their queues, as if they had never been tried; how many.

        All of them, or those of ``urls`` (a page's id will do), or of one ``reason``. A crawl that
        has ended goes on.
        """
        names = None if urls is None else frozenset([urls] if isinstance(urls, str) else urls)
        sent = 0
        if names is None and reason is None:
            sent = self.frontier.retry_failed()
        else:
            # what fails while we look is for another time
            start, left, ids = 0, self.snapshot().failed, list[str]()
            while left > 0:
                batch = Listing(self.frontier).failed(start, min(PAGE, left))
                start, left = start + len(batch), left - len(batch) if batch else 0
                for letter in batch:
                    page = letter.page
                    if (names is None or names & {page.url, page.key, page.id}) and reason in (
                        None,
                        letter.reason,
                    ):
                        ids.append(page.id)
                if ids and (len(ids) >= RETRY_BATCH or not left):
                    back = self.frontier.retry_failed(ids)
                    sent, start, ids = sent + back, start - back, []
        if sent:
            self.client.wake(self.crawl)
        return sent

    def results(self, after: str = "0") -> Iterator[tuple[str, Json]]:
        """What the crawl's pages gave, as far as Redis keeps it (``results_limit``), each with its
        place in the stream.

        ``after`` is the place of the last one that was seen: so a reader goes on where it was.
        """
        while batch := Listing(self.frontier).results(after):
            for after, _, text in batch:
                yield after, json.loads(text)


class Client:
    """Where crawls are started and looked up: one Redis, one broker, as ``settings`` say.

    ``attended``: False where nobody is there to be woken, because the services run for this one
    command only.
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

    @property
    def known(self) -> dict[str, Crawl]:
        """The crawls that ``CRAWLER_CRAWLS`` names, by name."""
        return self.crawls.loaded

    def frontier(self, name: str) -> Frontier:
        """The frontier of the crawl ``name``, whether or not it exists."""
        return Frontier(self.redis, name, prefix=self.settings.key_prefix)

    def handle(self, name: str) -> CrawlHandle:
        """A crawl that was started, here or elsewhere. Raises UnknownCrawl if there is none of this
        name.
        """
        handle = CrawlHandle(self, name)
        if handle.frontier.digest() is None:
            raise UnknownCrawl(name, tuple(Frontier.names(self.redis, self.settings.key_prefix)))
        return handle

    def crawl(self, name: str) -> Crawl:
        """The crawl ``name``: one of ``CRAWLER_CRAWLS``, else one without code that is stored with
        its frontier.

        Raises:
            UnknownCrawl: it is neither.
        """
        return self.crawls.crawl(name)

    def start(
        self,
        crawl: Crawl,
        *,
        reset: bool = False,
        update: bool = False,
        alone: bool = False,
        tell: seeds.Tell = seeds.log.info,
    ) -> tuple[CrawlHandle, bool]:
        """Write ``crawl``, its entry pages and seeds to the frontier, and wake the workers. Whether
        it is new comes second.

        Returns when the last seed is in: with a long file of them, or many sitemaps, that takes its
        time, and runs begin before. Should it be cut short, starting the crawl again goes on. The
        pages come before the messages: if those are lost, the tick of any worker sends others.
        ``alone`` says that no worker is alive: what an earlier one held is given back at once.
        ``tell`` hears every ten seconds how loading gets on.

        Raises:
            DefinitionError: the definition is wrong.
            SetupError: its file of seeds cannot be read, or its page_deadline is longer than a run
                may take.
            CrawlExists: the name is taken, or the crawl has ended; ``reset`` begins it anew,
                ``update`` replaces its definition.
            FrontierRefused: somebody stopped it while seeds were loaded.
            FrontierUnavailable: Redis is away.
            BrokerUnavailable: the broker is away; the crawl is in the frontier, and starts with the
                next tick.
        """
        crawl.validate()
        self._check_deadline(crawl)
        frontier = self.frontier(crawl.name)
        loaded = not reset and frontier.is_seeded(digest_of(crawl))
        if not loaded:
            seeds.check_seeds(crawl)
        reopen = False
        try:
            new = frontier.create(plan_of(crawl), reset=reset, update=update)
        except CrawlExists:
            if loaded or not self._cut_short(crawl, frontier):
                raise
            new, reopen = False, True
        if alone and not new:
            frontier.recover()
        if not loaded and (new or reopen or frontier.snapshot().status is not Status.STOPPING):
            seeds.load(
                crawl,
                frontier,
                reopen=reopen,
                begun=lambda: None if alone else self._wake_early(crawl),
                tell=tell,
            )
        self.wake(crawl)
        return CrawlHandle(self, crawl), new

    def restart(self, crawl: Crawl) -> tuple[CrawlHandle, bool]:
        """Start ``crawl``, anew if it has ended; while it goes on, in whatever version, nothing
        changes. Whether it was started comes second.

        Of several who do this at once (a schedule that fires twice, two clicks) one starts it.
        Errors: see :meth:`start`.
        """
        crawl.validate()
        self._check_deadline(crawl)
        seeds.check_seeds(crawl)
        handle = CrawlHandle(self, crawl)
        key = f"{self.settings.key_prefix}starting:{crawl.name}"
        with redis_errors(), self.redis.lock(key, timeout=RESTART_LIFE):
            there = handle.frontier.digest()
            new = there is None or handle.status.ended
            if new:
                handle.frontier.create(plan_of(crawl), reset=there is not None)
        if new or there == digest_of(crawl):
            # also if it goes on: it may have been cut short while its seeds were loaded
            self.start(crawl)
        return handle, new

    def _check_deadline(self, crawl: Crawl) -> None:
        """A run that Celery ends before the frontier does would be one that nobody reports."""
        longest = self.settings.run_timeout
        if "start" not in crawl.hooks and crawl.page_deadline >= longest:
            raise SetupError(
                f"page_deadline is {crawl.page_deadline:g} s, a run may take {longest:g}: lower it,"
                " or raise CRAWLER_RUN_TIMEOUT"
            )

    def _cut_short(self, crawl: Crawl, frontier: Frontier) -> bool:
        """Whether a crawl ended by itself because the loader of its seeds was gone."""
        ended = frontier.snapshot().status in (Status.FINISHED, Status.FAILED)
        return (
            ended and bool(crawl.seeds or crawl.sitemaps) and frontier.digest() == digest_of(crawl)
        )

    def _wake_early(self, crawl: Crawl) -> None:
        """Start runs while seeds are still loaded; if that fails, there is a later attempt."""
        with suppress(BrokerUnavailable):
            self.wake(crawl)

    def enqueue(
        self,
        crawl: Crawl | str,
        urls: str | Iterable[str],
        *,
        priority: Priority = Priority.NORMAL,
        depth: int = 0,
        reopen: bool = False,
        tell: seeds.Tell = seeds.log.info,
    ) -> Fed:
        """Feed ``urls`` to a crawl that was started, as far as they are in its scope, and wake its
        workers; what became of them.

        They are read as a stream, so there may be any number. ``reopen`` lets a crawl that has
        ended go on with them.

        Raises:
            UnknownCrawl: it has code that is not known here, so nobody can tell its scope (see
                ``CRAWLER_CRAWLS``).
            FrontierRefused: there is no such crawl, or it is stopping, or has ended and ``reopen``
                is not set.
            BrokerUnavailable: the broker is away; the pages are in the frontier.
        """
        known = self.crawl(crawl) if isinstance(crawl, str) else crawl
        frontier = self.frontier(known.name)
        with seeds.producing(frontier, reopen=reopen) as alive:
            fed = seeds.feed(
                known,
                frontier,
                [urls] if isinstance(urls, str) else urls,
                priority=priority,
                depth=depth,
                alive=alive,
                tell=tell,
            )
        if fed.new:
            self.wake(known)
        return fed

    def clear(self, name: str) -> int:
        """Forget the crawl ``name``; the number of keys that went."""
        return self.frontier(name).clear()

    def wake(self, crawl: Crawl | str) -> int:
        """Start the runs that ``crawl`` can use now; how many. One that is known by name only is
        started by messages.
        """
        if not self.attended:
            return 0
        name = crawl if isinstance(crawl, str) else crawl.name
        if isinstance(crawl, str) and crawl in self.known:
            crawl = self.known[crawl]
        frontier = self.frontier(name)
        tickets = frontier.wake().tickets
        if tickets:
            frontier.enlist()  # that of a job that has ended is taken off the list
        for ticket in tickets:
            if isinstance(crawl, str):
                self.send(crawl, ticket)
            else:
                self.start_run(crawl, ticket)
        return len(tickets)

    def start_run(self, crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
        """Start one further run: by the crawl's own ``start`` hook, else by a message to the
        workers, in ``delay`` seconds.
        """
        if hook := crawl.hooks.get("start"):
            call(
                hook,
                {
                    "crawl": crawl,
                    "ticket": ticket,
                    "snapshot": Lazy(self.frontier(crawl.name).snapshot),
                },
            )
        else:
            self.send(crawl.name, ticket, delay)


def shared(settings: Settings | None = None) -> Client:
    """This process's client for ``settings``: its connections are kept from call to call, and
    never shared over a fork.
    """
    return _shared(settings or configuration.load(), os.getpid())


@lru_cache(maxsize=4)
def _shared(settings: Settings, pid: int) -> Client:  # noqa: ARG001 - another process, another client
    return Client(settings)


def start(
    crawl: Crawl | str, *, settings: Settings | None = None, reset: bool = False
) -> CrawlHandle:
    """Start ``crawl``, or the one of that name among ``CRAWLER_CRAWLS``, and return when its seeds
    are in.

    Starting a crawl that is running changes nothing and gives its handle. Within a transaction of
    Django (``atomic``, ``ATOMIC_REQUESTS``) it starts when that is committed, and not at all if it
    is rolled back; what is wrong with the definition is told before. Errors: see
    :meth:`Client.start`, and UnknownCrawl.
    """
    client = shared(settings)
    if isinstance(crawl, str):
        if crawl not in client.known:
            raise UnknownCrawl(crawl, tuple(client.known))
        crawl = client.known[crawl]
    crawl.validate()
    handle = CrawlHandle(client, crawl)

    def begin() -> None:
        client.start(crawl, reset=reset)
        handle.uncommitted = False

    handle.uncommitted = transaction.on_commit(begin)
    if not handle.uncommitted:
        begin()
    return handle
