"""What the admin's pages show of crawls and their pages: plain values, for templates and as
JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.admin.utils import quote
from django.urls import reverse

from ...client.client import Client
from ...errors import UnknownCrawl
from ...frontier.entries import FailedPage
from ...model import Claim, Json, Snapshot
from .actions import ACTIONS, NOT_STARTED
from .client import seen

Row = dict[str, Json]
COUNTS = ("queued", "delayed", "processing", "done", "failed")


def row(client: Client, name: str) -> Row:
    """A crawl: its counts, and the deeds that make sense now."""
    return facts(name, seen(client, name), defined=defined(client, name))


def facts(name: str, now: Snapshot | None, *, defined: bool) -> Row:
    """The same, of a snapshot; None: it was never started. ``defined`` says that it can be begun
    from here.
    """
    status: str = now.status.value if now else NOT_STARTED
    counts = {count: getattr(now, count) if now else 0 for count in COUNTS}
    deeds = [
        deed.name
        for deed in ACTIONS
        if status in deed.when
        and (defined or not deed.needs_definition)
        and (counts["failed"] or not deed.needs_failed)
    ]
    return {
        "name": name,
        "status": status,
        "reason": (now and now.reason) or "",
        "counts": counts,
        "deeds": deeds,
    }


def defined(client: Client, name: str) -> bool:
    """Whether the crawl's definition is at hand."""
    try:
        client.crawl(name)
    except UnknownCrawl:
        return False
    return True


def links(name: str) -> Row:
    """Where the pages of a crawl are."""
    return {
        f"{page}_url": reverse(f"admin:crawler_crawl_{page}", args=[quote(name)])
        for page in ("change", "failed", "retry")
    }


def letter(failed: FailedPage) -> Row:
    """A page that failed for good."""
    return failed.record() | {"id": failed.page.id, "at": moment(failed.at)}


def in_flight(claim: Claim) -> Row:
    """A page that is being worked on."""
    return {
        "url": claim.page.url,
        "depth": claim.page.depth,
        "attempt": claim.page.attempt,
        "worker": claim.worker,
    }


def details(now: Snapshot) -> Row:
    """What the page of one crawl says beyond its row."""
    skipped = {
        name.removeprefix("skipped_"): n
        for name, n in now.counts.items()
        if name.startswith("skipped_") and n
    }
    return {
        "seen": now,
        "started": moment(now.started),
        "ended": moment(now.ended),
        "rate": now.done / now.active if now.active else None,
        "items": now.counts.get("items", 0),
        "retried": now.counts.get("retried", 0),
        "reasons": ranked(now.reasons),
        "skipped": ranked(skipped),
    }


def ranked(counts: dict[str, int] | Json) -> list[tuple[str, int]]:
    """Pairs of a name and a count, the largest first."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def moment(seconds: float | None) -> datetime | None:
    """Epoch seconds as a time that Django shows in its user's zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
