"""The composition root: what a process needs to do runs, built from its settings, made once and
kept. It knows no Celery.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from weakref import WeakKeyDictionary

from .api.jobs import Jobs
from .browser.chrome.endpoint import Endpoint
from .browser.chrome.local import sweep
from .browser.chrome.registry import Registry
from .browser.pool import Chrome
from .browser.transport.remote_end import end_session, split_credentials
from .client.client import Client
from .client.crawl_handle import CrawlHandle
from .config import settings as configuration
from .config.settings import Settings
from .definition.crawl import Crawl
from .definition.digest import digest_of
from .definition.network import guard_of, proxies_of
from .errors import CrawlerError, FrontierUnavailable
from .frontier.frontier import Frontier
from .frontier.listing import Listing
from .local.processes import is_gone, process_name
from .model import FailureClass, Json, Outcome, Result
from .net.permits import Permits
from .observe.logs import binding
from .observe.tracing import Tracer
from .redaction import masked
from .run.context import RunServices
from .run.lifecycle import execute as execute_run
from .run.next_runs import END_TICKET
from .run.observer import RunObserver
from .run.outcome import Failure
from .run.snapshots import ErrorSnapshots
from .run.timings import StepTime
from .secret_refs import SECRET_PREFIX
from .storage.rate import Rate

log = logging.getLogger(__name__)

#: Seconds for which a process that ends a session for another has it to itself, beyond what the
#: endpoint may take.
REAP_MARGIN = 15.0


class Services:
    """The connections and crawls of one process. Each is opened when it is first used, and none is
    shared over a fork.
    """

    _current: Services | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pid = os.getpid()
        self.client = Client(settings)
        self.reaper: threading.Thread | None = None
        self._permits: WeakKeyDictionary[Crawl, Permits] = WeakKeyDictionary()
        self._pending_timings: WeakKeyDictionary[Crawl, deque[StepTime]] = WeakKeyDictionary()

    @classmethod
    def current(cls) -> Services:
        """The services of this process, as its environment describes them."""
        if cls._current is None or cls._current.pid != os.getpid():
            cls._current = cls(configuration.load())
        return cls._current

    @classmethod
    def is_open(cls) -> bool:
        """Whether this process has services already."""
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
        """This process's name in the frontier."""
        return process_name(self.pid)

    @cached_property
    def chrome(self) -> Chrome:
        """The one warm browser of this process."""
        return Chrome(endpoint(self.settings), self.sessions if self.settings.chrome_url else None)

    @cached_property
    def sessions(self) -> Registry:
        """Whose the remote sessions are."""
        return Registry(self.client.redis, self.settings.key_prefix)

    @cached_property
    def rate(self) -> Rate | None:
        """How fast runs may complete; None: as fast as they can."""
        rate = self.settings.worker_job_completion_rate_per_second
        return Rate(self.client.redis, self.settings.key_prefix, rate) if rate else None

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of this installation."""
        return Jobs(self.client, retention=self.settings.job_retention)

    @cached_property
    def tracer(self) -> Tracer | None:
        """Where this process sends spans, if anywhere."""
        return Tracer(self.settings.traces_url) if self.settings.traces_url else None

    def execute(
        self, name: str, ticket: str | None = None, sender: Mapping[str, str] | None = None
    ) -> Result | Failure | Outcome:
        """Do one run of the crawl ``name``: see :func:`crawler.run.lifecycle.execute`. ``sender``
        is the trace of the run or request that asked for it.
        """
        return self.run(self.client.crawl(name), ticket, sender)

    def run(
        self, crawl: Crawl, ticket: str | None = None, sender: Mapping[str, str] | None = None
    ) -> Result | Failure | Outcome:
        """Do one run of ``crawl``."""
        tracing = self.tracer.run(crawl.name, sender or {}) if self.tracer else nullcontext()
        pending = self._pending_timings.setdefault(crawl, deque())
        with binding(crawl=crawl.name), tracing as trace:
            observer = RunObserver(crawl.name, pending, trace)
            return execute_run(crawl, self.for_run(crawl), ticket, observer)

    def for_run(self, crawl: Crawl) -> RunServices:
        """Return what a run of ``crawl`` needs of this process."""
        frontier = self.client.frontier(crawl.name)
        return RunServices(
            frontier,
            self.chrome,
            self.permits(crawl, frontier),
            self.client.start_run,
            self.worker,
            self.snapshots(crawl, frontier),
            self.rate.completion if self.rate else nullcontext,
        )

    def snapshots(self, crawl: Crawl, frontier: Frontier) -> ErrorSnapshots | None:
        """Return the keeper of error snapshots of ``crawl``; None: none are kept."""
        folder = self.settings.errors_dir
        return (
            ErrorSnapshots(folder / crawl.name, frontier, crawl.error_snapshots)
            if folder and crawl.error_snapshots
            else None
        )

    def permits(self, crawl: Crawl, frontier: Frontier) -> Permits:
        """What ``crawl`` may request, as far as this process has asked."""
        if crawl not in self._permits:
            self._permits[crawl] = Permits(
                guard_of(crawl),
                obey=crawl.robots,
                redis=self.client.redis,
                prefix=self.settings.key_prefix,
                pace=frontier.set_lane_delay,
                proxies=proxies_of(crawl, configuration.secrets(SECRET_PREFIX)),
            )
        return self._permits[crawl]

    def begin(self, name: str, *, reset: bool = False) -> tuple[CrawlHandle, bool]:
        """Start the crawl ``name``, with ``reset`` also one that has ended; whether it is new comes
        second.
        """
        crawl = self.client.crawl(name)
        return self.client.restart(crawl) if reset else self.client.start(crawl)

    def tick(self) -> dict[str, Json]:
        """One tick of every crawl: what it found, by crawl. An unknown crawl is left to the workers
        that know it.
        """
        found: dict[str, Json] = {}
        for name in Frontier.names(self.client.redis, self.settings.key_prefix):
            try:
                found[name] = self.tick_crawl(self.client.frontier(name))
            except FrontierUnavailable:
                raise
            except (
                CrawlerError
            ) as error:  # what is wrong with one crawl must not keep the others from their tick
                log.warning("tick of %s: %s", name, error)
            except Exception:  # its own start hook, for instance
                log.exception("tick of %s", name)
        self.jobs.sweep()
        if self.settings.chrome_url:
            if self.reaper is None or not self.reaper.is_alive():
                self.reaper = threading.Thread(target=self.reap, name="crawler-reaper", daemon=True)
                self.reaper.start()
        else:
            sweep(self.settings.state_dir.absolute())
        return found

    def reap(self) -> None:
        """End the remote sessions of processes that are gone. No tick waits for that: an endpoint
        may take its time.
        """
        url, patience = self.settings.chrome_url or "", self.settings.http_timeout
        try:
            self.sessions.reap(
                split_credentials(url)[0],
                lambda session: end_session(url, session, patience),
                2 * patience + REAP_MARGIN,
            )
        except FrontierUnavailable as error:
            log.warning("remote sessions of processes that are gone: %s", error)
        except Exception:
            log.exception("remote sessions of processes that are gone")

    def tick_crawl(self, frontier: Frontier) -> dict[str, Json]:
        """One tick of one crawl. A wake-up that cannot be sent is given back: the next tick tries
        again.
        """
        self.release_dead(frontier)
        tick = frontier.tick()
        for alarm in tick.alarms:
            log.warning("%s: %s", frontier.name, alarm)
        unsent = list(tick.tickets)
        if tick.ended:  # this tick ended it, or whoever did died over it
            if "after_all" in self.client.crawl(frontier.name).hooks:
                self.client.start_run(
                    self.client.crawl(frontier.name), f"{END_TICKET}{secrets.token_hex(6)}"
                )
            else:
                frontier.end_hook_done()
        try:
            while unsent:
                self.client.start_run(self.client.crawl(frontier.name), unsent[0])
                unsent.pop(0)
        finally:
            for ticket in unsent:
                frontier.drop_ticket(ticket)
        if tick.status and tick.status.ended:
            self.jobs.settle(frontier)
        return {"started": len(tick.tickets), "reaped": tick.reaped}

    def release_dead(self, frontier: Frontier) -> None:
        """Return the pages of processes of this machine that are gone: nobody needs to wait for
        their leases.
        """
        for claim in Listing(frontier).processing():
            if is_gone(claim.worker):
                frontier.fail(claim, FailureClass.CRASH, "worker_died")
                log.warning(
                    "%s: the process %s died over %s",
                    frontier.name,
                    claim.worker,
                    masked(claim.page.url),
                )

    def announce(self, name: str, life: float) -> None:
        """Put the worker ``name`` on the roll, with the crawls it knows, for ``life`` seconds."""
        self.client.workers.announce(
            name, {crawl.name: digest_of(crawl) for crawl in self.client.known.values()}, life
        )

    def leave(self, name: str) -> None:
        """Take the worker ``name`` off the roll."""
        self.client.workers.leave(name)


def endpoint(settings: Settings) -> Endpoint:
    """Where Chrome is, and how patient to be with it."""
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
    )


def execute(crawl: Crawl, ticket: str | None = None) -> Result | Failure | Outcome:
    """One run of ``crawl`` in this process, which need not be a Celery worker: what a crawl's own
    ``start`` may call elsewhere.

    The frontier, the broker and Chrome are those of the environment (``CRAWLER_…``). The browser
    ends with the process.
    """
    if not Services.is_open():
        atexit.register(Services.close_current)
    return Services.current().run(crawl, ticket)
