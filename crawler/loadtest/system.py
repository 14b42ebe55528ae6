"""The system that a load test puts under load: where none is configured, a private Redis and
workers, as ``crawler start`` has them; and a server of the jobs API, unless one is named.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis

from ..api.job import Job, Order
from ..api.jobs import Jobs
from ..api.tokens import read_tokens
from ..browser.chrome.local import sweep
from ..client.client import Client
from ..config.settings import TOKEN, Settings, environment
from ..errors import SetupError
from ..local.embedded import Embedded, PrivateWorkers, last_line
from ..local.private_files import make_private, open_private
from ..local.processes import die_with_parent, end
from .demo_page import DemoPage
from .job_book import JobBook
from .scenario import Scenario

#: Seconds until the server listens, and until the first jobs have ended: workers start meanwhile,
#: and their browsers.
SERVER_START, FIRST_JOBS = 60.0, 120.0
#: Seconds between two looks at them.
LOOK_INTERVAL = 0.1


class System:
    """What is under load, for as long as the block goes on. ``wait`` waits for so many seconds, or
    less, and returns whether to end.

    ``url``: a server of the jobs API that runs elsewhere, with the first of ``CRAWLER_API_TOKENS``;
    None: one of our own. ``page`` is the URL that jobs read; None: one of our own.
    """

    def __init__(
        self,
        settings: Settings,
        scenario: Scenario,
        wait: Callable[[float], bool],
        *,
        url: str | None = None,
        page: str | None = None,
    ) -> None:
        self.scenario, self.given, self.settings = scenario, settings, settings
        self.wait = wait
        self.folder = settings.state_dir.absolute() / "load"
        self.url, self.page = url or "", page or ""
        self.token = next(iter(tokens_of(settings)), "")
        self.workers: PrivateWorkers | None = None
        self._ending = ExitStack()

    @property
    def rate(self) -> float | None:
        """The jobs of one page that all workers together complete in a second, at most; None: any
        number, or it is not known.
        """
        return self.settings.worker_job_completion_rate_per_second

    def __enter__(self) -> System:
        """Bring up what is missing, and have the first jobs done.

        Raises:
            SetupError: something does not start, or no job is done.
        """
        if self.url and not self.given.redis_url:
            raise SetupError(
                "--url names a server that runs elsewhere, so its Redis has to be named, too: set"
                " CRAWLER_REDIS_URL"
            )
        if self.url and not self.token:
            raise SetupError(
                "--url needs a token of that server: set CRAWLER_API_TOKENS, or its file"
            )
        with self._ending as ending:
            make_private(self.folder)
            self._find_redis(ending)
            if not self.page and self.scenario.job.crawl is None and self.scenario.job.url is None:
                self.page = ending.enter_context(DemoPage()).url
            self.client = Client(self.settings)
            self.jobs = Jobs(self.client, private=True)
            if not self.given.redis_url:
                self._start_workers(ending)
            if not self.url:
                self._start_server(ending)
            self._warm_up()
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _find_redis(self, ending: ExitStack) -> None:
        rate = self.scenario.workers.rate or self.given.worker_job_completion_rate_per_second
        own: dict[str, Any] = {"worker_job_completion_rate_per_second": rate}
        if not self.url:
            self.token = self.token or secrets.token_urlsafe(24)
            own |= {"api_tokens": (self.token,), "api_rate": 0, "api_private": True}
        if self.given.redis_url:
            self.settings = self.given.model_copy(update=own)
            return
        embedded = Embedded(self.given.model_copy(update={"state_dir": self.folder, **own}))
        # last: any Chrome that is left, also that of a worker that was killed
        ending.callback(sweep, embedded.folder)
        ending.enter_context(embedded)
        # nobody's crawl is in it: its jobs are those of an earlier test
        with redis.Redis(unix_socket_path=str(embedded.redis.socket)) as server:
            server.flushall()
        self.settings = embedded.settings

    def _start_workers(self, ending: ExitStack) -> None:
        count = self.scenario.workers.concurrency
        self.workers = PrivateWorkers(self.settings, count, log=self.folder / "worker.log")
        ending.callback(self.workers.kill)
        self.workers.start()

    def _start_server(self, ending: ExitStack) -> None:
        log = self.folder / "serve.log"
        log.unlink(missing_ok=True)
        program = "from crawler.cli import main; main()"
        with open(log, "ab", opener=open_private) as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", program, "serve", "--port", "0"],
                env=os.environ | environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        ending.callback(end, process)
        self.url = address(process, log)

    def _warm_up(self) -> None:
        """Have a job done by each browser, so that no test times its start.

        Raises:
            SetupError: none is done; the text says why.
            KeyboardInterrupt: it is to end.
        """
        count = self.scenario.workers.concurrency
        ids = [self.jobs.create(self.order())[0].id for _ in range(count)]
        end = time.monotonic() + FIRST_JOBS
        # one has failed where Chrome does not start, and waits for ever where there is no worker
        while not all(self.jobs.get(id_).ended for id_ in ids):
            if time.monotonic() > end:
                break
            if self.wait(LOOK_INTERVAL):
                raise KeyboardInterrupt
            self.attend()
        ended = [self.jobs.get(id_) for id_ in ids]
        if any(job.state == "done" for job in ended):
            return
        raise SetupError(f"the first job of the load test is not done: {self._why(ended[0])}")

    def _why(self, job: Job) -> str:
        job = self.jobs.explained(job)
        if job.standstill:
            return f"{job.standstill.says} ({job.standstill.mend})"
        failed, _ = self.jobs.failed(job.id, 1)
        reason = failed[0]["reason"] if failed else job.reason
        return str(reason or "") or f"it is {job.state} after {FIRST_JOBS:g} s"

    def order(self) -> Order:
        """Return the order that each user makes."""
        body = self.scenario.job.body(self.page)
        limits: dict[str, Any] = {
            name: body[name] for name in ("page_limit", "depth_limit") if name in body
        }
        return Order(body.get("crawl"), body.get("url"), body.get("message"), limits)

    def body(self) -> dict[str, object]:
        """Return the order as the body of a request."""
        return self.scenario.job.body(self.page)

    def fresh_folder(self) -> Path:
        """Return an empty folder for the files of a stage."""
        folder = self.folder / "stage"
        shutil.rmtree(folder, ignore_errors=True)
        make_private(folder)
        return folder

    def book(self) -> JobBook:
        """Return a book of the jobs that are ordered from now on."""
        return JobBook(self.jobs)

    def attend(self) -> None:
        """Start workers of our own again that have died.

        Raises:
            SetupError: they die again and again.
        """
        if self.workers is not None:
            self.workers.restart_if_dead()


def tokens_of(settings: Settings) -> list[str]:
    """Return the tokens of the jobs API.

    Raises:
        SetupError: their file cannot be read, or holds something else.
    """
    file = settings.api_tokens_file
    return [*settings.api_tokens, *(read_tokens(file, TOKEN) if file else ())]


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return where the server listens, by its own account.

    Raises:
        SetupError: it has ended, or takes too long.
    """
    until = time.monotonic() + SERVER_START
    while not (found := re.search(r"running on (http://\S+)", log.read_text(errors="replace"))):
        if process.poll() is not None or time.monotonic() > until:
            raise SetupError(f"the server does not start: {last_line(log) or 'its log is empty'}")
        time.sleep(0.05)
    return found[1]
