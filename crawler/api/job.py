"""What is known of one job: its order, how it stands, and how clients see both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..client.webhooks import Webhook
from ..errors import CrawlerError
from ..model import Json, Status
from ..redaction import masked

if TYPE_CHECKING:
    from ..client.standstill import Standstill

#: The name of a job's crawl is this and the job's id.
PREFIX = "job-"
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
#: The fields of a crawl that an order may set.
LIMITS = (
    "page_limit",
    "depth_limit",
    "time_limit",
    "error_limit",
    "item_limit",
    "concurrency_limit",
    "delay",
)
#: The counts of a job, as its snapshot names them.
COUNTS = ("accepted", "queued", "delayed", "processing", "done", "failed", "delivering")
#: Another one, of dead letters of hooks.
UNDELIVERED = "undelivered"
#: The state of a job by the last status of its crawl.
ENDS = {Status.FINISHED: "done", Status.FAILED: "failed", Status.STOPPED: "stopped"}


class UnknownJob(CrawlerError):
    """There is no job of this id, or none any more."""

    def __init__(self, id: str) -> None:  # noqa: A002, its name everywhere
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"there is no job {self.id[:80]!r}, or none any more"


class JobConflict(CrawlerError):
    """The state of a job does not allow this: its id is taken by another order, or it is not begun
    yet.
    """


class AddressRefused(CrawlerError):
    """A job may not start at ``host``, or tell it of its end: it is a private address, or has
    one.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return (
            f"{self.host} is a private address, or has one; jobs and webhooks may only go to public"
            " ones"
        )


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a job: a crawl of ``CRAWLER_CRAWLS`` by its name, or a ``url`` with the
    defaults; one of them is None.

    ``limits`` (names of :data:`LIMITS`) take the place of the crawl's own; ``message`` is JSON for
    its hooks; ``webhook`` is the URL that is told of its end.
    """

    crawl: str | None = None
    url: str | None = None
    message: Json = None
    limits: Mapping[str, Json] = field(default_factory=dict)
    webhook: str | None = None

    def record(self) -> dict[str, Json]:
        """Return the order as JSON."""
        return {
            "crawl": self.crawl,
            "url": self.url,
            "message": self.message,
            "limits": dict(self.limits),
            "webhook": self.webhook,
        }


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one instant. Times are epoch seconds by Redis's clock; ``waiting`` and
    ``processing`` are seconds.

    It waits until its first page is handed out, and is processed from then to its end. ``state`` is
    new, running, done, failed or stopped; ``status`` is the word of its frontier, None if it has
    none.
    """

    id: str
    order: Order
    state: str
    status: str | None
    reason: str | None
    counts: Mapping[str, int]
    created: float
    started: float | None
    finished: float | None
    waiting: float
    processing: float
    webhook: Webhook | None = None
    standstill: Standstill | None = None  # why nothing happens, if it was asked for

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "stopped")

    def record(self) -> dict[str, Json]:
        """Return the job as clients see it. Times are UTC, to the millisecond; durations are
        seconds.
        """
        return {
            "id": self.id,
            "state": self.state,
            "status": self.status,
            "reason": self.reason,
            **self.order.record(),
            "url": self.order.url and masked(self.order.url),  # every client sees every job
            "webhook": self.webhook and webhook_record(self.webhook),
            "standstill": self.standstill and standstill_record(self.standstill),
            "counts": dict(self.counts),
            "created": utc(self.created),
            "started": utc(self.started),
            "finished": utc(self.finished),
            "waiting": round(self.waiting, 3),
            "processing": round(self.processing, 3),
        }


def webhook_record(webhook: Webhook) -> dict[str, Json]:
    """Return the webhook of a job as clients see it."""
    return {
        "url": masked(webhook.url),
        "state": webhook.state,
        "attempts": webhook.attempts,
        "reason": webhook.reason,
        "at": utc(webhook.at),
    }


def standstill_record(found: Standstill) -> dict[str, Json]:
    """Return why a job stands still, as clients see it."""
    return found.record() | {"since": utc(found.since), "until": utc(found.until)}


def utc(seconds: float | None) -> str | None:
    """Return epoch seconds as ISO 8601 (RFC 3339)."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
