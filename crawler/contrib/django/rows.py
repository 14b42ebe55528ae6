"""The rows of the admin's pages: crawls and their pages as plain values."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.admin.utils import quote
from django.urls import reverse

from ...client.client import Client
from ...errors import UnknownCrawl
from ...frontier.entries import FailedPage
from ...frontier.outbox import UndeliveredLetter
from ...model import Claim, Json, Snapshot
from ...output.report import examples_of, ranked, skipped
from ...redaction import masked
from ...text.printable import printable
from .actions import ACTIONS, NOT_STARTED
from .client import find_snapshot

Row = dict[str, Json]
COUNTS = ("queued", "delayed", "processing", "done", "failed", "delivering")


def crawl_row(client: Client, name: str) -> Row:
    """Return the row of a crawl: its status, counts, and the actions that make sense now."""
    return snapshot_row(name, find_snapshot(client, name), defined=has_definition(client, name))


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


def has_definition(client: Client, name: str) -> bool:
    """Whether the crawl's definition is known here."""
    try:
        client.crawl(name)
    except UnknownCrawl:
        return False
    return True


def page_links(name: str) -> Row:
    """Return the addresses of a crawl's pages in the admin."""
    return {
        f"{page}_url": reverse(f"admin:crawler_crawl_{page}", args=[quote(name)])
        for page in ("change", "failed", "retry", "undelivered")
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


def claim_row(claim: Claim) -> Row:
    """Return the row of a page in flight."""
    return {
        "url": masked(claim.page.url),
        "depth": claim.page.depth,
        "attempt": claim.page.attempt,
        "worker": claim.worker,
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
            (kind, number, examples.get(kind, "")) for kind, number in ranked(snapshot.reasons)
        ],
        "skipped": ranked(skipped(snapshot)),
    }


def moment(seconds: float | None) -> datetime | None:
    """Return epoch seconds as a time, which Django shows in its user's zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
