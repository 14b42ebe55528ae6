"""The rows of the admin's pages: crawls, their pages and their workers as plain values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.admin.utils import quote
from django.urls import reverse

from ...api.job import PREFIX as JOB
from ...client.job_times import find_times
from ...errors import UnknownCrawl
from ...frontier.answers import Lane
from ...frontier.entries import FailedPage
from ...frontier.outbox import UndeliveredLetter
from ...model import Claim, Json, Snapshot, Status
from ...output.report import examples_of, ranked, route_facts, route_texts, skipped, version_texts
from ...redaction import masked
from ...text.printable import printable
from .access import cache
from .actions import ACTIONS, NOT_STARTED
from .lookup import find_snapshot

if TYPE_CHECKING:
    from ...client.client import Client
    from ...client.standstill import Standstill
    from ...client.workers import CrawlWorkers, Worker

Row = dict[str, Json]
COUNTS = ("queued", "delayed", "processing", "done", "failed", "delivering")
#: Seconds for which an open page shows the same reason for a standstill: to find it takes some
#: trips to Redis for each crawl.
STANDSTILL_LIFE = 4.0
#: The pages of a crawl in the admin.
PAGES = ("change", "live", "failed", "retry", "undelivered", "hosts", "errors", "history")
FORMS = ("limits", "enqueue")
#: The limits that the form of a crawl shows.
LIMITS = (
    *("concurrency_limit", "delay", "host_concurrency"),
    *("page_limit", "item_limit", "error_limit", "time_limit", "idle_limit", "queue_limit"),
    *("attempts", "breaker_failures"),
)


def crawl_row(client: Client, name: str) -> Row:
    """Return the row of a crawl: its status, counts, why it stands still, and the actions that make
    sense now.
    """
    snapshot = find_snapshot(client, name)
    found = standstill(client, name) if snapshot else None
    return snapshot_row(name, snapshot, defined=has_definition(client, name)) | {
        "why": printable(masked(found.says)) if found else "",
        "times": job_times(client, name, snapshot),
    }


def job_times(client: Client, name: str, snapshot: Snapshot | None) -> dict[str, str]:
    """Return for how long a job waited, and was processed, as text; nothing for another crawl."""
    if snapshot is None or not name.startswith(JOB):
        return {}
    times = find_times(client, name.removeprefix(JOB), snapshot)
    if times is None:
        return {}
    texts = {word: duration_text(seconds) for word, seconds in times._asdict().items()}
    return texts if snapshot.begun is not None else texts | {"processing": ""}


def snapshot_row(name: str, snapshot: Snapshot | None, *, defined: bool) -> Row:
    """Return the row of a crawl from its snapshot; None: it was never started. ``defined``: it can
    be started from here.
    """
    status: str = snapshot.status.value if snapshot else NOT_STARTED
    counts = {count: getattr(snapshot, count) if snapshot else 0 for count in COUNTS}
    counts["undelivered"] = snapshot.counts.get("undelivered", 0) if snapshot else 0
    actions = [
        action.name
        for action in ACTIONS
        if status in action.when
        and (defined or not action.needs_definition)
        and (action.needs is None or counts[action.needs])
    ]
    return {
        "name": name,
        "status": status,
        "reason": printable((snapshot and snapshot.reason) or ""),
        "counts": counts,
        "actions": actions,
    }


def standstill(client: Client, name: str) -> Standstill | None:
    """Return why the crawl stands still, as of some seconds ago at most; None: it does not."""
    key = ("standstill", client, name)
    return cache.get(key, STANDSTILL_LIFE, lambda: client.standstill(name))


def has_definition(client: Client, name: str) -> bool:
    """Whether the crawl's definition is known here."""
    try:
        client.crawl(name)
    except UnknownCrawl:
        return False
    return True


def page_links(name: str, site: str) -> Row:
    """Return the addresses of a crawl's pages in the admin ``site``, by its name."""
    return {
        f"{page}_url": reverse(f"admin:crawler_crawl_{page}", args=[quote(name)], current_app=site)
        for page in (*PAGES, *FORMS)
    }


def failed_row(failed: FailedPage) -> Row:
    """Return the row of a page that failed for good."""
    return without_credentials(failed.record()) | {"id": failed.page.id, "at": moment(failed.at)}


def undelivered_row(letter: UndeliveredLetter) -> Row:
    """Return the row of a result or failure that no hook took."""
    return without_credentials(letter.record()) | {"at": moment(letter.at)}


def without_credentials(row: Row) -> Row:
    """Return ``row`` with ``***`` for what looks like credentials in its texts."""
    return {name: masked(value) if isinstance(value, str) else value for name, value in row.items()}


def claim_row(claim: Claim, step: str, now: float) -> Row:
    """Return the row of a page in flight, at the ``step`` that its run named last ("": none)."""
    return {
        "url": masked(claim.page.url),
        "depth": claim.page.depth,
        "attempt": claim.page.attempt,
        "worker": claim.worker,
        "step": step,
        "seconds": None if claim.since is None else max(0, round(now - claim.since)),
    }


#: What a host waits for, in words.
LANE_WAITS = {
    "delay": "delay",
    "robots": "robots.txt",
    "retry_after": "it asked to wait",
    "breaker": "it failed too often",
}


def lane_row(lane: Lane, now: float) -> Row:
    """Return the row of a host."""
    wait = max(0, round(lane.due - now)) if lane.queued else 0
    return {
        "name": lane.name or "all hosts",
        "place": "waits" if lane.place == "snoozed" else lane.place,
        "queued": lane.queued,
        "processing": lane.processing,
        "accepted": lane.accepted,
        "failures": lane.failures,
        "wait": wait,
        "why": LANE_WAITS[lane.why] if wait else "",
    }


def worker_row(worker: Worker, crawl: CrawlWorkers | None = None) -> Row:
    """Return the row of a worker, and whether it knows ``crawl``."""
    knows = None
    if crawl and crawl.code is not None:
        knows = "no"
        if worker in crawl.current:
            knows = "yes"
        elif worker in crawl.able:
            knows = "another version"
    return {
        "name": worker.name,
        "version": worker.version,
        "host": worker.host,
        "processes": worker.processes,
        "started": moment(worker.started or None),
        "broker": worker.broker,
        "crawls": len(worker.crawls),
        "faults": [masked(fault) for fault in worker.faults],
        "knows": knows,
    }


def details(snapshot: Snapshot) -> Row:
    """Return the facts that the page of one crawl shows beyond its row."""
    examples = examples_of(snapshot, "failed_")
    return {
        "snapshot": snapshot,
        "started": moment(snapshot.started),
        "ended": moment(snapshot.ended),
        "rate": snapshot.done / snapshot.active if snapshot.active else None,
        "items": snapshot.counts.get("items", 0),
        "retried": snapshot.counts.get("retried", 0),
        "reasons": [
            (kind, number, masked(examples.get(kind, "")))
            for kind, number in ranked(snapshot.reasons)
        ],
        "skipped": ranked(skipped(snapshot)),
        "versions": version_texts(snapshot.versions),
        "routes": route_texts({name: route_facts(one) for name, one in snapshot.routes.items()}),
    }


def duration_text(seconds: float) -> str:
    """Return seconds as people read them: tenths below a minute."""
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def moment(seconds: float | None) -> datetime | None:
    """Return epoch seconds as a time, which Django shows in its user's zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


#: The statuses that a list can be narrowed down to.
STATUSES = (*(status.value for status in Status), NOT_STARTED)


def limit_rows(client: Client, name: str) -> list[dict[str, str]]:
    """Return the limits of a crawl that was started, and their values as text."""
    plan = client.frontier(name).plan()
    policy = asdict(plan.policy) if plan else {}
    return [
        {"name": limit, "value": limit_text(policy[limit])} for limit in LIMITS if limit in policy
    ]


def limit_text(value: object) -> str:
    """Return the value of a limit as people write it."""
    return "none" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
