"""The tasks: their names, their arguments, and their results as Flower shows them.

The meaning of a run is in the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery import current_task, shared_task, signals
from celery.exceptions import TaskPredicate

from ..client.start_report import IfExists, StartOutcome
from ..errors import (
    BrowserUnavailable,
    CrawlerError,
    FrontierRefused,
    FrontierUnavailable,
    HookFailed,
)
from ..hooks import note_of
from ..local.processes import user_of
from ..model import CRAWL_NAME, Json, Outcome
from ..observe.logs import bind, forget_bound, keep_bound, logger
from ..redaction import masked
from ..run.outcome import Failure, one_line
from .messages import TICKET
from .process import services

log = logger(__name__)

IF_EXISTS = re.compile("|".join(IfExists))


class PageFailed(CrawlerError):
    """A page ended in *failed*. Flower shows the task as a failure, with the reason in one line."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"{self.reason} at {self.url}"

    __repr__ = __str__  # Flower shows it


class BadMessage(CrawlerError):
    """A message with arguments that no part of this project sends."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise an error of a hook as one that says which hook, where in its code and at which page.

    So none is an order to Celery: to try the task again, to put its message back, or (MemoryError)
    to end the worker.
    """
    try:
        yield
    except Exception as error:
        order = isinstance(error, TaskPredicate | MemoryError)
        if not order and not note_of(error):
            raise
        note = ", ".join([one_line(error), *note_of(error).splitlines()])
        raise HookFailed(masked(note)) from (None if order else error)


#: Errors of a run of which Celery logs a line, without the traceback.
EXPECTED = (PageFailed, BrowserUnavailable, FrontierUnavailable, FrontierRefused)


@shared_task(name="crawler.run", ignore_result=True, acks_late=False, throws=EXPECTED)
def run(crawl: str, ticket: str | None = None) -> dict[str, Json]:
    """Run one page of the crawl named ``crawl``.

    ``ticket`` is the wake-up that this message answers. Returns counts and the URL; of the run that
    ended a job also the seconds for which that waited and was processed.
    """
    check_message(crawl, CRAWL_NAME)
    if ticket is not None:
        check_message(ticket, TICKET)
    request = current_task.request
    keep_bound(task=request.id, crawl=crawl)  # until Celery has logged how it ended
    with plain_errors():
        outcome = services().execute(crawl, ticket, request.headers, queue_of(request))
    times = services().take_job_times()
    if isinstance(outcome, Outcome):
        return {"outcome": outcome.value, **times}
    url = masked(outcome.page.url)
    bind(url=url, depth=outcome.page.depth)
    route = {"route": name} if (name := outcome.page.route) else {}
    bind(**route)
    if isinstance(outcome, Failure):
        reason = masked(outcome.reason)
        if outcome.retry_in is None:
            raise PageFailed(url, reason + job_words(times))
        attempt = outcome.page.attempt
        return {"outcome": "RETRY", "url": url, **route, "reason": reason, "attempt": attempt}
    return {
        "url": url,
        "status": outcome.response.status,
        "depth": outcome.page.depth,
        **route,
        "links": len(outcome.links),
        "ms": round(outcome.ms),
        **times,
    }


def job_words(times: Mapping[str, float]) -> str:
    """Return how long a job waited and was processed, for an error's text; "" if it goes on."""
    told = ", ".join(f"{name} {seconds:g} s" for name, seconds in times.items())
    return f" (job: {told})" if told else ""


@signals.task_postrun.connect
def forget_task(**_: object) -> None:
    """Put the fields of a task that is over, and logged, into no further line."""
    forget_bound()


@shared_task(name="crawler.start", ignore_result=True)
def start(
    crawl: str, if_exists: str | None = None, reset: bool = False, recrawl: bool = False
) -> dict[str, Json]:
    """Start the crawl named ``crawl``, for schedules: see :meth:`crawler.client.Client.start`.

    Returns the outcome and its reason; a start that is refused is logged, too. ``reset`` is how
    messages of version 0.1.0 spell ``if_exists="restart"``; ``recrawl`` is ``if_exists="recrawl"``.
    """
    check_message(crawl, CRAWL_NAME)
    how = if_exists or (IfExists.RESTART if reset else IfExists.RECRAWL if recrawl else None)
    if how is not None:
        check_message(how, IF_EXISTS)
    with plain_errors():
        report = services().start(crawl, how, queue_of(current_task.request))
    if report is None:
        return {"crawl": crawl, "outcome": Outcome.FORWARDED.value}
    report.note(user_of("the task crawler.start"))
    if report.outcome is StartOutcome.REFUSED:
        log.warning("%s", report)
    return {**report.record(), "status": report.handle.status.value}


@shared_task(name="crawler.tick", ignore_result=True)
def tick() -> dict[str, Json]:
    """Find again what was lost: expired leases, wake-ups that never arrived, retries that are due.

    To repeat it is harmless.
    """
    with plain_errors():
        return services().tick()


@shared_task(name="crawler.echo", ignore_result=True)
def echo(token: str) -> dict[str, Json]:
    """Say in the frontier's Redis that the message with this ``token`` arrived: whoever sent it
    learns that its broker, its queue and its Redis are those of a worker.
    """
    check_message(token, TICKET)
    services().client.workers.echo(token)
    return {}


def queue_of(request: Any) -> str:
    """Return the queue that brought the message of ``request``."""
    return str((request.delivery_info or {}).get("routing_key") or "")


def check_message(text: object, form: re.Pattern[str]) -> None:
    """Raise BadMessage unless ``text`` is of ``form``: everybody who can write to the broker can
    send a message.
    """
    if not isinstance(text, str) or not form.fullmatch(text):
        raise BadMessage(f"{str(text)[:80]!r} is not of the form {form.pattern}")
