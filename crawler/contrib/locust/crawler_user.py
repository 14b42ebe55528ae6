"""A user that feeds pages to a running crawl, and measures how long they wait and take."""

from __future__ import annotations

from locust import User, events, task  # first: it makes the standard library cooperate

# isort: split
import secrets
import time
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from locust.env import Environment

from ...client.client import Client
from ...config import SettingsError
from ...config import settings as configuration
from ...errors import CrawlerError
from ...observe.logs import logger
from .crawl_watch import CrawlWatch, Feed
from .measurement import report

log = logger(__name__)

#: The types of the rows, and the names of those for pages.
CRAWLER, PAGE = "crawler", "PAGE"
WAITING, PROCESSING, TOTAL = "WAITING", "PROCESSING", "TOTAL"
#: Seconds after which a page counts as failed.
PAGE_TIMEOUT = 60.0
#: Seconds that the end of Locust waits for crawls to be left in order.
QUIT_WAIT = 5.0


class PageRefused(Exception):
    """A URL is no new page of the crawl: it is known, out of its scope, or beyond a limit."""


class FedPageFailed(Exception):
    """A page that was fed has failed, and is not tried again."""


class PageTimeout(TimeoutError):
    """A page has not ended in time."""


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of :class:`CrawlerUser` to Locust's command and its web page."""
    parser.add_argument(
        "--crawl",
        env_var="LOCUST_CRAWLER_CRAWL",
        default="",
        help="Name of the crawl that is fed; it was started, and CRAWLER_… say where",
    )
    parser.add_argument(
        "--crawl-url",
        env_var="LOCUST_CRAWLER_URL",
        default="",
        help="URLs that are fed; {n} is another word in each",
    )
    parser.add_argument(
        "--page-timeout",
        env_var="LOCUST_CRAWLER_PAGE_TIMEOUT",
        type=float,
        default=PAGE_TIMEOUT,
        help=f"Seconds after which a page counts as failed ({PAGE_TIMEOUT:g})",
    )


class CrawlerUser(User):
    """Feeds a crawl, page by page, and waits for each.

    Beside the row ``crawler enqueue``, Locust's table gets three of the type ``PAGE``: ``WAITING``,
    from queueing to the claim of a worker, ``PROCESSING``, from there to the result, and
    ``TOTAL``, all by Redis's clock. A page that fails, or does not end in time, is a failure of
    ``TOTAL``. The crawl does not end while the test runs.
    """

    abstract = True

    #: The name of a crawl that was started; ``--crawl`` goes first.
    crawl: ClassVar[str] = ""
    #: The URLs, with ``{n}`` for what makes each another one; ``--crawl-url`` goes first.
    url: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Feed pages, if the subclass has no tasks of its own."""
        super().__init_subclass__(**kwargs)
        others = [one for one in cls.tasks if getattr(one, "__name__", "") != "feed_page"]
        cls.tasks = others or [cls.feed_page]

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        self.template = getattr(options, "crawl_url", "") or self.url
        self.page_timeout = float(getattr(options, "page_timeout", None) or PAGE_TIMEOUT)
        self.watch = watch_of(environment, getattr(options, "crawl", "") or self.crawl)

    @task
    def feed_page(self) -> None:
        """Feed the next page."""
        self.feed(self.next_url())

    def next_url(self) -> str:
        """Return a URL that was not fed before."""
        return self.template.replace("{n}", secrets.token_hex(8))

    def feed(self, url: str) -> Feed | None:
        """Queue ``url``, wait for its end, and report its times; return them. None: it was refused,
        or has not ended in time.
        """
        began, clock = time.time(), time.perf_counter()
        feed: Feed | None = None
        error: Exception | None = None
        try:
            feed, why = self.watch.feed(url)
            if feed is None:
                reasons = [name for name, number in why.items() if number]
                error = PageRefused(", ".join(reasons) or "it is no page")
        except CrawlerError as fault:
            error = fault
        took = time.perf_counter() - clock
        report(self.environment, CRAWLER, "enqueue", took, error=error, began=began)
        if feed is None:
            return None
        if not feed.arrival.wait(self.page_timeout):
            self.watch.drop(feed)
            late = PageTimeout(f"no end within {self.page_timeout:g} s")
            report(self.environment, PAGE, TOTAL, self.page_timeout, error=late, began=began)
            return None
        self.report_times(feed)
        return feed

    def report_times(self, feed: Feed) -> None:
        """Put the times of a page that has ended into Locust's table."""
        began, ended = feed.queued, feed.ended or feed.queued
        if feed.started is not None:
            waited = max(0.0, feed.started - began)
            report(self.environment, PAGE, WAITING, waited, began=began)
            took = max(0.0, ended - feed.started)
            report(self.environment, PAGE, PROCESSING, took, began=feed.started)
        error = FedPageFailed(feed.reason) if feed.reason else None
        total = max(0.0, ended - began)
        report(self.environment, PAGE, TOTAL, total, error=error, began=began)


_parting: list[gevent.Greenlet] = []
_watches: WeakKeyDictionary[Environment, dict[str, CrawlWatch]] = WeakKeyDictionary()


def watch_of(environment: Environment, crawl: str) -> CrawlWatch:
    """Return what the users of one process share, until the test stops."""
    if environment not in _watches:
        _watches[environment] = {}
        environment.events.test_stop.add_listener(close_watches)
        environment.events.quit.add_listener(join_watches)
    watches = _watches[environment]
    if crawl not in watches:
        watches[crawl] = CrawlWatch(Client(configuration.load()), crawl)
    return watches[crawl]


def close_watches(environment: Environment, **_: Any) -> None:
    """Let the crawls of a test end: in greenlets of their own, as a user that ends the test is
    killed as soon as it waits.
    """
    watches = _watches.get(environment, {})
    while watches:
        _parting.append(gevent.spawn(watches.popitem()[1].close))


def join_watches(**_: Any) -> None:
    """Wait for that before the process ends."""
    gevent.joinall(_parting, timeout=QUIT_WAIT)
    _parting.clear()


@events.init.add_listener
def check_crawls(environment: Environment, **_: Any) -> None:
    """End Locust with a line, and status 2, if there is no such crawl; its web page may still be
    told another name.
    """
    options = environment.parsed_options
    if options is None or not options.headless or options.worker:
        return
    for user in environment.user_classes:
        if not issubclass(user, CrawlerUser):
            continue
        name, template = options.crawl or user.crawl, options.crawl_url or user.url
        fault = ""
        if not name or not template:
            fault = "no crawl and no URLs to feed: --crawl NAME --crawl-url 'https://…?n={n}'"
        else:
            try:
                client = Client(configuration.load())
                client.crawl(name)
                client.handle(name).snapshot()
            except (CrawlerError, SettingsError) as error:
                fault = str(error)
        if fault:
            log.error("%s: %s", user.__name__, fault)
            raise SystemExit(2)
