"""What a fault test stands on: a Redis, real workers, a scripted Chrome, and the question whether
all is well in the end.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import redis as redis_py
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from crawler import Crawl
from crawler.client.client import Client
from crawler.config import settings as configuration
from crawler.config.settings import Settings, environment
from crawler.definition.bounds import entry_pages
from crawler.definition.crawl_plan import plan_of
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.local.embedded import PrivateRedis, worker_command
from crawler.model import Snapshot
from tests.support.patience import PATIENCE
from tests.support.proxy import Proxy
from tests.support.webdriver import SITE, ScriptedChrome, Site, on_site

T = TypeVar("T")

#: Seconds between two looks at what is waited for: a look costs this process and Redis some work.
LOOK_INTERVAL = 0.05
#: Settings of every worker here: patience in seconds, not minutes.
HASTY = {
    "tick_interval": 0.5, "page_load_timeout": 2.0, "script_timeout": 1.0, "run_timeout": 60.0,
    "session_timeout": 30.0, "redis_connect_timeout": 1.0, "redis_timeout": 2.0,
    "soft_shutdown_timeout": 0.0, "events": False,
}  # fmt: skip


def until(condition: Callable[[], T], what: object = "", seconds: float = PATIENCE) -> T:
    """Wait until ``condition`` gives something true, and return that. ``what`` is shown if it never
    does.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, (
            f"waited {seconds:g} s for {what() if callable(what) else what or condition}"
        )
        time.sleep(LOOK_INTERVAL)
    return value


class Worker:
    """A Celery worker with ``concurrency`` children, in a process group of its own.

    ``app`` names the project's own in the folder of ``log``; None: ours.
    """

    numbers = itertools.count(1)

    def __init__(
        self,
        settings: Settings,
        concurrency: int,
        log: Path,
        pool: str = "prefork",
        app: str | None = None,
    ) -> None:
        self.log = log
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")
        }
        command = [*worker_command(settings, concurrency), "-n", f"worker-{next(self.numbers)}@%h"]
        command += ["-P", pool]
        if app:
            command[command.index("-A") + 1] = app
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                env=environ | environment(settings),
                cwd=log.parent if app else None,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def holds(self, claim: Any) -> bool:
        """Whether ``claim`` belongs to one of this worker's processes."""
        return os.getpgid(pid_of(claim)) == self.process.pid

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """As the OOM killer, or a power cut: no process of it does anything any more."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """Kill what still lives of it, also when it was stopped, and what its hooks left."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
            self.process.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def pid_of(claim: Any) -> int:
    """The process that holds ``claim``."""
    return int(claim.worker.split("/")[1])


class Ground:
    """One Redis in ``folder``, and everything that a test sets up around it; ``close`` ends all of
    it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ending = ExitStack()
        short = Path(
            self.ending.enter_context(
                tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)
            )
        )
        self.sockets = short
        self.redis = PrivateRedis(short / "redis")
        self.redis.start()
        self.ending.callback(self.redis.stop)
        self.workers: list[Worker] = []
        self.chrome: ScriptedChrome | None = None
        self._client: redis_py.Redis | None = None

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.ending.close()

    # Parts

    @property
    def client(self) -> redis_py.Redis:
        """A client of the test's own; it waits for a Redis that was killed."""
        if self._client is None:
            retry = Retry(ConstantBackoff(0.05), 400)
            self._client = redis_py.Redis(
                unix_socket_path=str(self.redis.socket), socket_timeout=10, retry=retry
            )
        return self._client

    def chrome_on(self, site: Site, **options: Any) -> ScriptedChrome:
        """A scripted Chrome for all workers that are started from now on."""
        self.chrome = ScriptedChrome(site, **options)
        self.ending.callback(self.chrome.close)
        return self.chrome

    def proxy(self) -> Proxy:
        """A line to Redis that can be cut."""
        proxy = Proxy(
            self.sockets / f"proxy-{len(list(self.sockets.iterdir()))}", self.redis.socket
        )
        self.ending.callback(proxy.close)
        return proxy

    def settings(self, **given: Any) -> Settings:
        """Settings of this place."""
        here = {
            "redis_url": self.redis.url,
            "broker_url": self.redis.broker_url,
            "state_dir": self.folder / "state",
        }
        return configuration.load(
            **{**HASTY, **here, "chrome_url": self.chrome and self.chrome.url, **given}
        )

    def worker(
        self,
        concurrency: int = 1,
        *,
        pool: str = "prefork",
        app: str | None = None,
        **settings: Any,
    ) -> Worker:
        """A worker, started; it takes a moment until it works."""
        log = self.folder / f"worker-{len(self.workers) + 1}.log"
        worker = Worker(self.settings(**settings), concurrency, log, pool, app)
        self.workers.append(worker)
        return worker

    # The crawl

    def library(self) -> Client:
        return Client(self.settings())

    def crawl(self, crawl: Crawl, *, wake: bool = True, **policy: Any) -> Frontier:
        """Write ``crawl`` and its entries to Redis, ``policy`` beyond what a definition may say,
        and wake the workers.
        """
        library = self.library()
        plan = plan_of(crawl)
        library.frontier(crawl.name).create(replace(plan, policy=replace(plan.policy, **policy)))
        frontier = Frontier(self.client, crawl.name)
        frontier.enqueue(entry_pages(crawl))
        if wake:
            library.wake(crawl)
        return frontier

    def until(self, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
        """Wait until ``condition`` gives something true; if it never does, show what the workers
        said.
        """
        return until(
            condition,
            lambda: "\n".join(
                [str(condition), *(worker.said()[-3000:] for worker in self.workers)]
            ),
            seconds,
        )

    def until_end(self, frontier: Frontier, seconds: float = 150) -> Snapshot:
        """Wait until the crawl has ended. Wake-ups that died with a worker come again in 60 s."""

        def seen() -> Snapshot | None:
            snapshot = frontier.snapshot()
            return snapshot if snapshot.status.ended else None

        def story() -> str:
            return "\n".join(
                [str(frontier.snapshot()), *(worker.said()[-3000:] for worker in self.workers)]
            )

        return until(seen, story, seconds)

    def holder(self, frontier: Frontier, path: str) -> tuple[Worker, Any]:
        """The worker that works on the page at ``path``, and its claim."""
        claim = self.until(
            lambda: next(
                (c for c in Listing(frontier).processing() if c.page.url == on_site(path)), None
            )
        )
        return (
            next(
                worker
                for worker in self.workers
                if worker.process.poll() is None and worker.holds(claim)
            ),
            claim,
        )


def shop(**fields: Any) -> Crawl:
    """A crawl without code over SITE: fast to retry, and of anything on it."""
    given = {
        "name": "shop",
        "url": f"{SITE}/",
        "robots": False,
        "depth_limit": None,
        "backoff": 0.05,
        "backoff_cap": 0.1,
        "page_deadline": 50.0,
        "extract": {"title": "h1"},
        "breaker_failures": 0,
    }
    return Crawl(**{**given, **fields})


#: Pages that are worked on, by three accounts at one instant.
I2 = """
local p = KEYS[1]
return {
    redis.call("LLEN", p .. "processing"),
    redis.call("HLEN", p .. "inflight"),
    redis.call("ZCARD", p .. "leases"),
}"""


def reading(redis: redis_py.Redis, script: str, *keys: str) -> Any:
    """Run a script that writes nothing, which works on a full Redis, too; one before 7.0 does not
    know the line that says so.
    """
    modern = int(redis.info("server")["redis_version"].split(".")[0]) >= 7
    return redis.eval(
        ("#!lua flags=no-writes\n" if modern else "") + script.strip(), len(keys), *keys
    )


def consistent(frontier: Frontier) -> Snapshot:
    """The invariants, at any instant: each page is in one place (I1), each page in flight has one
    claim and one lease (I2).
    """
    assert audit_keys(frontier) == []
    processing, inflight, leases = reading(frontier.redis, I2, frontier.prefix)
    assert processing == inflight == leases
    snapshot = frontier.snapshot()
    assert (
        snapshot.queued + snapshot.delayed + snapshot.processing + snapshot.done + snapshot.failed
        == snapshot.accepted
    ), snapshot
    return snapshot


def ended_well(
    frontier: Frontier,
    done: Iterable[str],
    failed: Mapping[str, str] | None = None,
    *,
    log: PrivateRedis | None,
    statuses: Iterable[str] = ("NEW", "ACTIVE", "FINISHED"),
) -> Snapshot:
    """The crawl has ended, once; ``done`` are the pages that are done, each with one result;
    ``failed`` the others with reason.

    ``log`` is the Redis whose AOF tells every status that the crawl ever had; None where a part of
    it was lost on purpose.
    """
    snapshot = consistent(frontier)
    statuses = list(statuses)
    assert snapshot.status.value == statuses[-1], snapshot
    wanted = sorted(map(on_site, done))
    assert sorted(Listing(frontier).done(0, 1_000_000)) == wanted
    assert snapshot.done == len(wanted)
    assert {page.page.url: page.reason for page in Listing(frontier).failed(0, 1_000_000)} == {
        on_site(path): reason for path, reason in (failed or {}).items()
    }
    assert sorted(results(frontier)) == wanted
    assert (snapshot.processing, snapshot.tickets >= 0) == (0, True)
    if log is not None:
        assert history(log.folder, frontier) == statuses
    return snapshot


def results(frontier: Frontier) -> Iterator[str]:
    """The URL of each result."""
    for _, _, line in Listing(frontier).results("0", 1_000_000):
        match = re.match(r'\{"url":"([^"]*)"', line)
        assert match, line
        yield match[1]


def history(folder: Path, frontier: Frontier) -> list[str]:
    """Every status that was written for the crawl, in turn, as Redis's log of all changes tells it.

    While the disk is busy Redis puts off writing to the log, by seconds: it is read until it tells
    of the present status.
    """
    end, now = time.monotonic() + PATIENCE, frontier.snapshot().status
    while (found := logged(folder, frontier))[-1:] != [now] and time.monotonic() < end:
        time.sleep(0.1)
    return found


def logged(folder: Path, frontier: Frontier) -> list[str]:
    """The same, as far as it is in the log."""
    files = sorted(
        folder.glob("appendonlydir/*.incr.aof"), key=lambda path: int(path.name.split(".")[-3])
    )
    found = []
    for path in files or [folder / "appendonly.aof"]:
        for command, *arguments in commands(path.read_bytes()):
            if command.upper() == b"HSET" and arguments[0] == frontier.key("meta").encode():
                found += [
                    value.decode()
                    for field, value in zip(arguments[1::2], arguments[2::2], strict=True)
                    if field == b"status"
                ]
    return found


def commands(log: bytes) -> Iterator[list[bytes]]:
    """The commands of an AOF."""
    at = 0
    while at < len(log):
        end = log.index(b"\r\n", at)
        if log[at : at + 1] != b"*":  # a note of the time
            at = end + 2
            continue
        count, at, words = int(log[at + 1 : end]), end + 2, []
        for _ in range(count):
            end = log.index(b"\r\n", at)
            length = int(log[at + 1 : end])
            words.append(log[end + 2 : end + 2 + length])
            at = end + 2 + length + 2
        yield words


def children(worker: Worker) -> list[psutil.Process]:
    """The processes of ``worker`` that do runs."""
    return [
        child
        for child in psutil.Process(worker.process.pid).children()
        if "celery" in " ".join(child.cmdline())
    ]


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process that runs ``code``."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
