"""The composition root: the services that a process needs to do runs, built from its settings.

It knows no Celery.
"""

from __future__ import annotations

import atexit
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .api.job import PREFIX as JOB
from .api.jobs import Jobs
from .browser.chrome.bare_endpoint import is_bare
from .browser.chrome.chrome_memory import browser_memory
from .browser.chrome.endpoint import Endpoint
from .browser.chrome.local import sweep
from .browser.chrome.reaper import SessionReaper
from .browser.chrome.registry import Registry
from .browser.chrome.shared.seats import shared_processes, sweep_group
from .browser.pool import Chrome
from .client.client import Client
from .client.forwarding import Forwarder
from .client.start_report import StartReport
from .client.webhook_sender import WebhookSender
from .client.workers import Worker
from .config import settings as configuration
from .config.settings import Settings
from .definition.browser_profile import profile_of
from .definition.crawl import Crawl
from .definition.digest import digest_of
from .definition.fetching import fetches_by_http
from .definition.network import guard_of, plain_headers, proxies_of, robots_names
from .definition.submission import may_submit
from .errors import CrawlerError, DefinitionError, UnknownCrawl
from .frontier.frontier import Frontier
from .local.private_files import crawl_folder
from .local.processes import process_name
from .model import Json, Outcome, Result
from .net.permits import Permits
from .observe.logs import at_level, binding, logger
from .observe.tracing import Tracer
from .redaction import masked
from .run.context import RunServices
from .run.examples import Examples
from .run.fetching import Fetching
from .run.lifecycle import execute as execute_run
from .run.looks import Looks
from .run.observer import RunObserver
from .run.outcome import Failure, one_line
from .run.snapshots import ErrorSnapshots
from .run.tick import CrawlTicks
from .run.timings import StepTime
from .secret_refs import SECRET_PREFIX
from .storage.rate import Rate
from .version import __version__

if TYPE_CHECKING:
    from .browser.http.http_pool import HttpPool

log = logger(__name__)

#: Workers that a line of the log names.
WORKERS_NAMED = 5


class Services:
    """The services of one process. Each is opened when it is first used; a fork opens its own."""

    _current: Services | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pid, self.started = os.getpid(), time.time()
        self.client = Client(settings)
        self._permits: WeakKeyDictionary[Crawl, Permits] = WeakKeyDictionary()
        self._looks: WeakKeyDictionary[Crawl, Looks] = WeakKeyDictionary()
        self._examples: WeakKeyDictionary[Crawl, Examples] = WeakKeyDictionary()
        self._fetching: WeakKeyDictionary[Crawl, Fetching] = WeakKeyDictionary()
        #: The seconds for which the oldest wake-up waits, as the last tick saw it, and its crawl.
        self.oldest_wait: tuple[float, str] | None = None
        #: That no work comes here though it waits; "": all is well.
        self.idle_fault = ""
        self._ended_job = threading.local()  # the times of a job that a run of this thread ended
        self._unable: dict[str, bool] = {}  # crawls, and whether another worker can run them
        self._pending_timings: WeakKeyDictionary[Crawl, deque[StepTime]] = WeakKeyDictionary()

    @classmethod
    def current(cls) -> Services:
        """Return the services of this process, with the settings of its environment."""
        if cls._current is None or cls._current.pid != os.getpid():
            cls._current = cls(configuration.load())
        return cls._current

    @classmethod
    def is_open(cls) -> bool:
        """Whether this process has opened its services."""
        return cls._current is not None and cls._current.pid == os.getpid()

    @classmethod
    def close_current(cls) -> None:
        """End the browser of this process, if it has one, and send its last spans."""
        if not cls.is_open():
            return
        opened = vars(services := cls.current())
        if "chrome" in opened:
            services.chrome.close()
        if tracer := opened.get("tracer"):
            tracer.close()

    @cached_property
    def worker(self) -> str:
        """The name of this process in the frontier."""
        return process_name(self.pid)

    @cached_property
    def chrome(self) -> Chrome:
        """The one warm browser of this process."""
        url = self.settings.chrome_url
        # the sessions of a bare endpoint end with their process
        return Chrome(endpoint(self.settings), self.sessions if url and not is_bare(url) else None)

    @cached_property
    def http(self) -> HttpPool:
        """The sessions of this process that need no browser."""
        from .browser.http.http_pool import HttpPool  # its parser is for those who use it

        return HttpPool(endpoint(self.settings))

    @cached_property
    def sessions(self) -> Registry:
        """The owners of remote sessions."""
        return Registry(self.client.redis, self.settings.key_prefix)

    @cached_property
    def reaper(self) -> SessionReaper | None:
        """Ends the remote sessions of processes that are gone; None: sessions are local."""
        url = self.settings.chrome_url
        if not url or is_bare(url):
            return None
        return SessionReaper(self.sessions, url, self.settings.http_timeout)

    @cached_property
    def rate(self) -> Rate | None:
        """The limit on the rate at which runs complete; None: there is no limit."""
        rate = self.settings.worker_job_completion_rate_per_second
        return Rate(self.client.redis, self.settings.key_prefix, rate) if rate else None

    @cached_property
    def forwarder(self) -> Forwarder:
        """Sends wake-ups on that this process cannot answer."""
        return Forwarder(self.client)

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of this installation."""
        return Jobs(self.client, retention=self.settings.job_retention)

    @cached_property
    def webhooks(self) -> WebhookSender:
        """The sender of the webhooks of jobs."""
        return WebhookSender(self.jobs.webhooks, self.jobs.end_of, self.settings.webhook_secret)

    @cached_property
    def tracer(self) -> Tracer | None:
        """The sender of spans; None: no collector is set."""
        return Tracer(self.settings.traces_url) if self.settings.traces_url else None

    def execute(
        self,
        name: str,
        ticket: str | None = None,
        sender: Mapping[str, str] | None = None,
        came_by: str = "",
    ) -> Result | Failure | Outcome:
        """Do one run of the crawl ``name``; return its result, failure or outcome.

        ``sender`` has the headers of the message that asked for the run, with its trace;
        ``came_by`` is the queue that brought it. If this process cannot run the crawl, the wake-up
        goes on to a worker that can. See :func:`crawler.run.lifecycle.execute`.
        """
        try:
            crawl = self.client.crawl(name)
            crawl.validate()
        except (UnknownCrawl, DefinitionError) as error:
            return self.forwarder.forward(name, ticket, error, came_by)
        return self.run(crawl, ticket, sender)

    def launch_ahead(self, name: str) -> None:
        """Start the Chrome that the first run of the crawl ``name`` will use, if it is one that
        processes share. For a process that then ends.

        Raises:
            CrawlerError: there is no such crawl, or no Chrome starts; its run will say so.
        """
        crawl, frontier = self.client.crawl(name), self.client.frontier(name)
        if fetches_by_http(crawl) or frontier.refusal():
            return
        permits = self.permits(crawl, frontier)
        flags = permits.flags(local=self.chrome.local, fresh=True, submits=may_submit(crawl))
        self.chrome.launch_ahead(profile_of(crawl, flags))

    def start(
        self, name: str, if_exists: str | None = None, came_by: str = ""
    ) -> StartReport | None:
        """Start the crawl ``name``, and return what became of it; None: it is not known here, and a
        worker that knows it will start it. ``came_by`` is the queue that brought the order.

        Raises:
            UnknownCrawl: no live worker knows it.
        """
        try:
            crawl = self.client.crawl(name)
        except UnknownCrawl as error:
            self.forwarder.forward_start(name, if_exists, error, came_by)
            return None
        return self.client.start(crawl, if_exists=if_exists)

    def run(
        self, crawl: Crawl, ticket: str | None = None, sender: Mapping[str, str] | None = None
    ) -> Result | Failure | Outcome:
        """Do one run of ``crawl``: see :meth:`execute`."""
        tracing = self.tracer.run(crawl.name, sender or {}) if self.tracer else nullcontext()
        pending = self._pending_timings.setdefault(crawl, deque())
        with binding(crawl=crawl.name), at_level(crawl.log_level), tracing as trace:
            observer = RunObserver(crawl.name, pending, trace)
            outcome = execute_run(crawl, self.for_run(crawl), ticket, observer)
        if observer.ended_crawl and crawl.name.startswith(JOB):
            self._note_end_of_job(crawl.name.removeprefix(JOB))
        return outcome

    def _note_end_of_job(self, id: str) -> None:  # noqa: A002
        """Count the end of a job that this thread's run has led to. If Redis is away, a tick
        does.
        """
        with suppress(CrawlerError):
            job = self.jobs.count_end(id)
            if job.ended:
                times = {"waiting": round(job.waiting, 3), "processing": round(job.processing, 3)}
                self._ended_job.times = times

    def take_job_times(self) -> dict[str, float]:
        """Return the seconds for which the job waited and was processed that the last run of this
        thread ended; empty: it ended none, or its end was asked for before.
        """
        times: dict[str, float] = vars(self._ended_job).pop("times", {})
        return times

    def for_run(self, crawl: Crawl) -> RunServices:
        """Return the services that a run of ``crawl`` needs."""
        frontier = self.client.frontier(crawl.name)
        return RunServices(
            frontier,
            self.chrome,
            self.permits(crawl, frontier),
            self.client.start_run,
            self.worker,
            self.snapshots(crawl, frontier),
            self.rate.completion if self.rate else nullcontext,
            self._looks.setdefault(crawl, Looks()),
            self._examples.setdefault(crawl, Examples()),
            self.http if fetches_by_http(crawl) else None,
            self._fetching.setdefault(crawl, Fetching()) if fetches_by_http(crawl) else None,
        )

    def snapshots(self, crawl: Crawl, frontier: Frontier) -> ErrorSnapshots | None:
        """Return the error snapshots of ``crawl``; None: none are kept."""
        folder = self.settings.errors_dir
        return (
            ErrorSnapshots(crawl_folder(folder, crawl.name), frontier, crawl.error_snapshots)
            if folder and crawl.error_snapshots
            else None
        )

    def permits(self, crawl: Crawl, frontier: Frontier) -> Permits:
        """Return the permits of ``crawl``: the hosts and robots.txt that this process has asked."""
        if crawl not in self._permits:
            permits = self._permits[crawl] = Permits(
                guard_of(crawl),
                obey=crawl.robots,
                redis=self.client.redis,
                prefix=self.settings.key_prefix,
                pace=frontier.set_lane_delay,
                proxies=proxies_of(crawl, configuration.secrets(SECRET_PREFIX)),
                names=robots_names(crawl),
                headers=plain_headers(crawl),
            )
            if self.settings.chrome_url:  # its flags say what is private, and come before a claim
                permits.learn(frontier.entries_version(), frontier.private_entries)
        return self._permits[crawl]

    def tick(self, *, outage: bool = False) -> dict[str, Json]:
        """Find again what was lost, once: pages and runs of crawls, jobs, browsers of processes
        that are gone. Return the counts of each crawl's tick, by crawl. After an ``outage`` of
        Redis or the broker, wake-ups may be lost, and are sent again.
        """
        names = Frontier.names(self.client.redis, self.settings.key_prefix)
        self.oldest_wait = None
        ticks = CrawlTicks(self.client, self.jobs.settle, self.note_unable, self.note_wait)
        counts = ticks.tick_all(names, outage=outage)
        self.jobs.sweep()
        self.webhooks.start()
        if self.reaper:
            self.reaper.start()
        else:
            sweep(self.settings.state_dir.absolute())
            sweep_group(self.settings.state_dir.absolute())
        return counts

    @property
    def faults(self) -> tuple[str, ...]:
        """What this process cannot do, or does not get, a line for each."""
        crawls = [masked(str(fault)) for fault in self.client.crawls.faults]
        return (*crawls, *filter(None, [self.idle_fault]))

    def note_wait(self, name: str, seconds: float) -> None:
        """Note for how many seconds the oldest wake-up of the crawl ``name`` waits, which this
        process can run.
        """
        self.oldest_wait = max(self.oldest_wait or (seconds, name), (seconds, name))

    def note_unable(self, name: str, error: Exception) -> None:
        """Say in the log that this process cannot run the crawl ``name``, for this ``error``, and
        where its wake-ups go: once, and again when that changes.
        """
        able = [worker.name for worker in self.forwarder.able(error)]
        if self._unable.get(name) == bool(able):
            return
        self._unable[name] = bool(able)
        words = "%s: this worker cannot run it: %s; %s"
        what = (
            f"its wake-ups go on to {', '.join(able[:WORKERS_NAMED])}"
            if able
            else "and no other live worker can: name its module in CRAWLER_CRAWLS of one"
        )
        log.warning(words, name, masked(one_line(error)), what)

    def announce(self, name: str, life: float, processes: int = 0, broker: str = "") -> None:
        """Register the worker ``name``, with the crawls it knows, for ``life`` seconds.

        ``processes`` are those that do its runs; ``broker`` is where it takes messages from.
        """
        worker = Worker(
            name,
            {crawl.name: digest_of(crawl) for crawl in self.client.crawls.usable.values()},
            version=__version__,
            host=socket.gethostname(),
            processes=processes,
            broker=masked(broker),
            started=self.started,
            queue=self.forwarder.queue,
            faults=self.faults,
            browser_memory=browser_memory(
                os.getpid(), shared_processes(self.settings.state_dir.absolute())
            ),
        )
        self.client.workers.announce(worker, life)


def endpoint(settings: Settings) -> Endpoint:
    """Return the place where Chrome is, and the limits of its sessions, from ``settings``."""
    return Endpoint(
        url=settings.chrome_url,
        binary=str(settings.chrome_binary) if settings.chrome_binary else None,
        driver=str(settings.chromedriver) if settings.chromedriver else None,
        state=settings.state_dir.absolute(),
        files=(settings.files_dir or settings.state_dir / "files").absolute(),
        page_load_timeout=settings.page_load_timeout,
        script_timeout=settings.script_timeout,
        command_timeout=settings.http_timeout,
        session_timeout=settings.session_timeout,
        idle_timeout=settings.session_idle,
        recycle_pages=settings.session_pages,
        recycle_age=settings.session_age,
        secrets=configuration.secrets(SECRET_PREFIX),
        devtools=settings.devtools,
        shared=settings.chrome_shared,
    )


def execute(crawl: Crawl, ticket: str | None = None) -> Result | Failure | Outcome:
    """Do one run of ``crawl`` in this process, which need not be a Celery worker.

    A crawl's hook ``start`` may have it called elsewhere. The frontier, the broker and Chrome are
    those of the environment (``CRAWLER_…``). The browser ends with the process.
    """
    if not Services.is_open():
        atexit.register(Services.close_current)
    return Services.current().run(crawl, ticket)
