"""The users of ``crawler load``, as a locustfile: those that wait for their jobs, those that only
order them, and those that receive what was ordered.

Beside the rows of :class:`JobsUser`, Locust's table gets one more of the type JOB: RECEIVED, from
the order until its user has seen the end, by the clock of Locust.
"""

from __future__ import annotations

from crawler.contrib.locust import JobsUser  # first: it makes the standard library cooperate

# isort: split
import random
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import gevent
from gevent.queue import Empty, Queue
from locust import events, task

from crawler.contrib.locust.measurement import report

#: Seconds between two looks at a job, after which it is given up, and for which a request waits for
#: the end of one.
POLL_INTERVAL, PATIENCE, HELD = 0.2, 600.0, 30
ENDS = ("done", "failed", "stopped")
#: Jobs of publishers that no subscriber has taken yet, each with the time of its order.
published: Any = Queue()


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of this file to Locust's; the rate can be changed in its web page."""
    for name in ("waiters", "publishers", "subscribers"):
        parser.add_argument(f"--{name}", type=int, default=0, include_in_web_ui=False)
    parser.add_argument(
        "--arrivals", choices=["even", "random"], default="even", include_in_web_ui=False
    )
    parser.add_argument(
        "--job-rate", type=float, default=1.0, help="Jobs a second of each publisher."
    )


@events.init.add_listener
def share(environment: Any, **_: Any) -> None:
    """Have as many users of each kind, of all that are started, as the options say."""
    options = environment.parsed_options
    for kind, number in (
        (Waiter, options.waiters),
        (Publisher, options.publishers),
        (Subscriber, options.subscribers),
    ):
        kind.weight = number


class LoadUser(JobsUser):
    """A client of the jobs API whose patience is that of a load test."""

    abstract = True
    weights: ClassVar[Mapping[str, int]] = {}
    poll_interval = POLL_INTERVAL
    job_timeout = PATIENCE

    def receive(self, began: float) -> None:
        """Put into Locust's table how long it took from ``began``, by the monotonic clock."""
        report(self.environment, "JOB", "RECEIVED", time.monotonic() - began)


class Waiter(LoadUser):
    """Orders a job, waits for its end, and orders the next one."""

    @task
    def order_and_receive(self) -> None:
        """Order a job, and wait for its end."""
        began = time.monotonic()
        job = self.order_job()
        if job and self.follow(job):
            self.receive(began)


class Publisher(LoadUser):
    """Orders jobs at its rate, and waits for none of them: late orders are made up for."""

    def on_start(self) -> None:
        """Begin at some time of the first interval, as strangers do."""
        self.due = time.monotonic() + random.random() / self.job_rate  # noqa: S311

    @property
    def job_rate(self) -> float:
        """The jobs that it orders in a second; Locust's web page sends text."""
        return float(self.environment.parsed_options.job_rate)

    def wait_time(self) -> float:
        """Return the seconds until the next order is due."""
        even = self.environment.parsed_options.arrivals == "even"
        self.due += 1 / self.job_rate if even else random.expovariate(self.job_rate)
        return float(max(0.0, self.due - time.monotonic()))

    @task
    def publish(self) -> None:
        """Order a job."""
        gevent.sleep(max(0.0, self.due - time.monotonic()))
        began = time.monotonic()
        job = self.order_job()
        if job and self.environment.parsed_options.subscribers:
            published.put((job, began))


class Subscriber(LoadUser):
    """Takes the jobs of publishers as they come, and reads the results of each when it has
    ended.
    """

    @task
    def take(self) -> None:
        """Take one job, and wait for it beside those that were taken before."""
        try:
            job, began = published.get(timeout=POLL_INTERVAL)
        except Empty:
            return
        gevent.spawn(self.read, job, began)

    def read(self, job: dict[str, Any], began: float) -> None:
        """Wait for the end of a job, with requests that the server holds, and read its results."""
        path, end = f"/jobs/{job['id']}?wait={HELD}", began + PATIENCE
        while job["state"] not in ENDS and time.monotonic() < end:
            answer = self.client.get(path, name="/jobs/ID?wait=")
            if answer.status_code == 200:
                job = answer.json()
            if job["state"] not in ENDS:  # where too many wait, the server holds none
                gevent.sleep(POLL_INTERVAL)
        if job["state"] in ENDS:
            self.report_times(job)
            self.read_results(job["id"])
            self.receive(began)
