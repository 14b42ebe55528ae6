"""A user of the jobs API: orders crawls, follows them to their end, reads what they gave."""

from __future__ import annotations

from locust import HttpUser, events, tag  # first: it makes the standard library cooperate

# isort: split
import json
import time
from argparse import ArgumentTypeError
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import gevent

from .measurement import report

#: The type of the rows for jobs, and their names.
JOB = "JOB"
WAITING, PROCESSING, TOTAL = "WAITING", "PROCESSING", "TOTAL"
#: States in which a job has ended.
ENDS = ("done", "failed", "stopped")
#: Characters of a response that are quoted as the reason of a failure.
QUOTE_MAX = 200
#: Seconds until the next task of a user whose order was refused.
REFUSED_PAUSE = 1.0


class JobFailed(Exception):
    """A job has ended, and is not done."""


class JobTimeout(TimeoutError):
    """A job has not ended in time."""


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of :class:`JobsUser` to Locust's command and its web page."""
    parser.add_argument(
        "--jobs-token",
        env_var="LOCUST_JOBS_TOKEN",
        default=None,
        is_secret=True,
        help="Token of the jobs API",
    )
    parser.add_argument(
        "--jobs-order",
        env_var="LOCUST_JOBS_ORDER",
        type=checked_order,
        default=None,
        help='What each job is: JSON, as {"crawl": "shop"}; or the URL of its only page',
    )
    parser.add_argument(
        "--jobs-timeout",
        env_var="LOCUST_JOBS_TIMEOUT",
        type=float,
        default=None,
        help="Seconds after which a job counts as failed that has not ended (120)",
    )
    parser.add_argument(
        "--jobs-poll-interval",
        env_var="LOCUST_JOBS_POLL_INTERVAL",
        type=float,
        default=None,
        help="Seconds between two looks at a job (0.5)",
    )


class JobsUser(HttpUser):
    """Orders jobs of the server at ``host``, follows them, and reads, lists and stops.

    Beside the rows of the requests, Locust's table gets three of the type ``JOB``: ``WAITING``,
    from the order to the first page, ``PROCESSING``, from there to the end, and ``TOTAL``; of jobs
    that were followed to their end. They are by the server's clock, so neither polling nor the
    network is in them. A job that fails, or does not end in time, is a failure of ``TOTAL``.
    """

    abstract = True

    #: How often each action is chosen, next to the others. A subclass may have other tasks, too.
    weights: ClassVar[Mapping[str, int]] = {
        "order_and_wait": 10,
        "order_and_stop": 1,
        "list_jobs": 2,
        "order_and_leave": 0,
    }
    #: What each job is: the body of ``POST /jobs``; ``--jobs-order`` goes first.
    order: Mapping[str, Any] = {}
    #: What the server asks for; ``--jobs-token`` goes first.
    token: str = ""
    #: Seconds between two looks at a job, and after which it counts as failed;
    #: ``--jobs-poll-interval`` and ``--jobs-timeout`` go first.
    poll_interval: float = 0.5
    job_timeout: float = 120.0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make tasks of the actions, as often as ``weights`` says."""
        super().__init_subclass__(**kwargs)
        if unknown := sorted(set(cls.weights) - set(ACTIONS)):
            known = ", ".join(ACTIONS)
            raise ValueError(f"{cls.__name__}.weights: no action {unknown[0]!r}; there are {known}")
        others = [task for task in cls.tasks if getattr(task, "__name__", "") not in ACTIONS]
        chosen = [getattr(cls, name) for name, weight in cls.weights.items() for _ in range(weight)]
        cls.tasks = others + chosen

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        if token := getattr(options, "jobs_token", None) or self.token:
            self.client.headers["Authorization"] = f"Bearer {token}"
        if text := getattr(options, "jobs_order", None):
            self.order = order_of(text)
        # Locust's web page sends text
        self.job_timeout = float(getattr(options, "jobs_timeout", None) or self.job_timeout)
        interval = getattr(options, "jobs_poll_interval", None) or self.poll_interval
        self.poll_interval = float(interval)

    # -- actions

    @tag("order")
    def order_and_wait(self) -> None:
        """Order a job, follow it to its end, and read its results."""
        job = self.order_job()
        if job and self.follow(job):
            self.read_results(job["id"])

    @tag("order")
    def order_and_leave(self) -> None:
        """Order a job, and never ask for it again."""
        self.order_job()

    @tag("order", "stop")
    def order_and_stop(self) -> None:
        """Order a job, look at it once, and stop it."""
        if job := self.order_job():
            gevent.sleep(self.poll_interval)
            if (self.look(job["id"]) or job)["state"] not in ENDS:
                self.stop_job(job["id"])

    @tag("list")
    def list_jobs(self) -> None:
        """Read the first page of the list of jobs."""
        self.client.get("/jobs?limit=50", name="/jobs?limit")

    # -- their parts, for tasks of a subclass

    def order_job(self, **order: Any) -> dict[str, Any] | None:
        """Order a job, of ``order`` over the user's own; return it, None if it was refused."""
        body = {**self.order, **order}
        with self.client.post("/jobs", json=body, name="/jobs", catch_response=True) as answer:
            if answer.status_code in (200, 201):
                return dict(answer.json())
            answer.failure(f"{answer.status_code}: {(answer.text or '')[:QUOTE_MAX]}")
        gevent.sleep(REFUSED_PAUSE)
        return None

    def follow(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Ask for ``job`` until it has ended, and report its times; None: it did not in time."""
        end = time.monotonic() + self.job_timeout
        while job["state"] not in ENDS:
            if time.monotonic() > end:
                error = JobTimeout(f"no end within {self.job_timeout:g} s")
                report(self.environment, JOB, TOTAL, self.job_timeout, error=error)
                return None
            gevent.sleep(self.poll_interval)
            job = self.look(job["id"]) or job
        self.report_times(job)
        return job

    def look(self, id: str) -> dict[str, Any] | None:  # noqa: A002, as the API calls it
        """Ask for a job; None if there was no answer, or another one."""
        answer = self.client.get(f"/jobs/{id}", name="/jobs/ID")
        return dict(answer.json()) if answer.status_code == 200 else None

    def read_results(self, id: str) -> None:  # noqa: A002
        """Read the results of a job."""
        self.client.get(f"/jobs/{id}/results", name="/jobs/ID/results")

    def stop_job(self, id: str) -> None:  # noqa: A002
        """Stop a job."""
        self.client.delete(f"/jobs/{id}", name="/jobs/ID")

    def report_times(self, job: Mapping[str, Any]) -> None:
        """Put the times of a job that has ended into Locust's table."""
        began = epoch(job["created"])
        error = None if job["state"] == "done" else JobFailed(f"{job['state']}: {job['reason']}")
        report(self.environment, JOB, WAITING, job["waiting"], began=began)
        if job["started"]:
            at = epoch(job["started"])
            report(self.environment, JOB, PROCESSING, job["processing"], began=at)
        total = epoch(job["finished"] or job["created"]) - began
        report(self.environment, JOB, TOTAL, total, error=error, began=began)


#: The actions of a user, by the name that ``weights`` has for them.
ACTIONS = ("order_and_wait", "order_and_leave", "order_and_stop", "list_jobs")


def order_of(text: str) -> dict[str, Any]:
    """Return the order that ``--jobs-order`` means.

    Raises:
        ValueError: it is neither JSON of an object nor a URL.
    """
    if text.startswith(("http://", "https://")):
        return {"url": text, "page_limit": 1}
    try:
        order = json.loads(text)
    except ValueError:
        order = None
    if not isinstance(order, dict):
        raise ValueError(f"neither a URL nor an object of JSON: {text[:QUOTE_MAX]!r}")
    return order


def checked_order(text: str) -> str:
    """Return ``text`` if it is an order; argparse tells its user if it is none."""
    try:
        order_of(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def epoch(text: str) -> float:
    """Return a time of a job as epoch seconds."""
    return datetime.fromisoformat(text).timestamp()
