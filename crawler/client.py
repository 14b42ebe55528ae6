"""Starting a crawl, and following it, from anywhere: a view, a script, the command line. Never imports Selenium."""

from __future__ import annotations

import time
from typing import Protocol

from celery import Celery
from kombu.exceptions import OperationalError

from .config import celery as celery_config
from .config import settings as configuration
from .config.settings import Settings
from .connection import Client, connect
from .definition import Crawl, load_all
from .errors import CrawlerError, SetupError, UnknownCrawl
from .frontier import Frontier
from .hooks import call
from .masking import masked
from .model import Snapshot, Status
from .workers import Roll

#: Seconds between two looks at a crawl that is waited for.
POLL_INTERVAL = 0.25
#: Seconds after which a wake-up that nobody took is dropped by the broker: the life of its ticket.
WAKE_UP_LIFE = 60.0


class BrokerUnavailable(CrawlerError):
    """The broker did not take a message in time. What was written to the frontier stays; a worker's tick starts it."""


class Sender(Protocol):
    """Sends the wake-up ``ticket`` for one run of the crawl ``name``, to arrive after ``delay`` seconds."""

    def __call__(self, name: str, ticket: str, delay: float = 0.0) -> None: ...


def sender(settings: Settings, app: Celery | None = None) -> Sender:
    """A sender of wake-ups through ``app``, or through a Celery app of its own that serves nothing else.

    The sender raises BrokerUnavailable after a few seconds, however silent the broker is.
    """
    if app is None:
        app = Celery("crawler.client", set_as_current=False)
        app.conf.update(celery_config.sender_settings(settings))

    def send(name: str, ticket: str, delay: float = 0.0) -> None:
        try:
            app.send_task(
                "crawler.run",
                (name, ticket),
                queue=settings.queue,
                countdown=delay or None,
                expires=delay + WAKE_UP_LIFE,
                ignore_result=True,
                argsrepr=f"({name!r},)",
            )
        except OperationalError as error:
            raise BrokerUnavailable(
                f"the broker {masked(settings.broker_url or '')} took no message: {masked(str(error))}"
            ) from error

    return send


class Handle:
    """A crawl that was started, seen from outside."""

    def __init__(self, frontier: Frontier) -> None:
        self.frontier = frontier
        self.name = frontier.name

    def snapshot(self) -> Snapshot:
        """Counts and state at this instant."""
        return self.frontier.snapshot()

    @property
    def status(self) -> Status:
        """Where the crawl stands."""
        return self.snapshot().status

    def wait(self, timeout: float | None = None) -> Snapshot:
        """Wait until the crawl has ended, at most ``timeout`` seconds.

        Raises:
            TimeoutError: it has not ended by then; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not (seen := self.snapshot()).status.ended:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(
                    f"the crawl {self.name!r} is {seen.status} after {timeout:g} s: {seen.queued} queued, {seen.done} done"
                )
            time.sleep(POLL_INTERVAL)
        return seen

    def stop(self, reason: str = "stopped by its client") -> None:
        """Begin no further page; those in flight finish."""
        self.frontier.stop(reason)

    def pause(self) -> None:
        """Begin no further page until ``resume``."""
        self.frontier.pause()

    def resume(self) -> None:
        """Go on after ``pause``; the next tick of a worker starts the runs."""
        self.frontier.resume()


class Library:
    """Where crawls are started and looked up: one Redis, one broker, as ``settings`` say."""

    def __init__(self, settings: Settings | None = None, *, send: Sender | None = None) -> None:
        self.settings = settings or configuration.load()
        if not self.settings.redis_url:
            raise SetupError("CRAWLER_REDIS_URL is not set (for example redis://127.0.0.1:6379/0)")
        self.redis: Client = connect(
            self.settings.redis_url, connect_timeout=self.settings.redis_connect_timeout, read_timeout=self.settings.redis_timeout
        )
        self.send = send or sender(self.settings)
        self.roll = Roll(self.redis, self.settings.key_prefix)

    def frontier(self, name: str) -> Frontier:
        """The frontier of the crawl ``name``, whether or not it exists."""
        return Frontier(self.redis, name, prefix=self.settings.key_prefix)

    def start(self, crawl: Crawl, *, reset: bool = False, update: bool = False, alone: bool = False) -> tuple[Handle, bool]:
        """Write ``crawl`` and its entry pages to the frontier, then send the first wake-ups. Whether it is new comes second.

        The pages come first: if the messages are lost, the tick of any worker sends others. ``alone`` says that no worker is alive:
        what an earlier one held is given back at once.

        Raises:
            DefinitionError: the definition is wrong.
            CrawlExists: the name is taken, or the crawl has ended; ``reset`` begins it anew, ``update`` replaces its definition.
            FrontierUnavailable: Redis is away.
            BrokerUnavailable: the broker is away; the crawl is in the frontier, and starts with the next tick.
        """
        crawl.validate()
        frontier = self.frontier(crawl.name)
        new = frontier.create(crawl.plan(), reset=reset, update=update)
        if new:
            frontier.enqueue(crawl.entries())
        elif alone:
            frontier.recover()
        self.wake(crawl)
        return Handle(frontier), new

    def wake(self, crawl: Crawl) -> int:
        """Start the runs that ``crawl`` can use now; how many."""
        tickets = self.frontier(crawl.name).grant()
        for ticket in tickets:
            self.start_run(crawl, ticket)
        return len(tickets)

    def start_run(self, crawl: Crawl, ticket: str, delay: float = 0.0) -> None:
        """Start one further run: by the crawl's own ``start`` hook, else by a message to the workers, ``delay`` seconds from now."""
        if hook := crawl.hooks.get("start"):
            call(hook, {"crawl": crawl, "ticket": ticket, "snapshot": self.frontier(crawl.name).snapshot})
        else:
            self.send(crawl.name, ticket, delay)


def start(crawl: Crawl | str, *, settings: Settings | None = None, reset: bool = False) -> Handle:
    """Start ``crawl``, or the one of that name among ``CRAWLER_CRAWLS``, and return at once.

    Starting a crawl that is running changes nothing and gives its handle. Errors: see :meth:`Library.start`, and UnknownCrawl.
    """
    library = Library(settings)
    if isinstance(crawl, str):
        known = load_all(library.settings.crawls)
        if crawl not in known:
            raise UnknownCrawl(crawl, tuple(known))
        crawl = known[crawl]
    return library.start(crawl, reset=reset)[0]
