"""The wall screen: what the page of one crawl shows live, read from Redis once for all screens that
are open in this process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ...client.pace import pages_left
from ...config import settings as configuration
from ...frontier.answers import Recent, Sample
from ...frontier.listing import Listing
from ...local.private_files import crawl_folder
from ...model import Json, Plan, Snapshot, Status
from ...output.error_files import read_index
from ...redaction import masked
from ...storage.server import server_time
from . import rows
from .access import cache
from .lookup import find_snapshot
from .rows import Row

if TYPE_CHECKING:
    from ...client.client import Client

#: Seconds for which all screens of a process are shown the same.
WALL_LIFE = 1.0
#: Seconds for which the index of error snapshots is not read again.
INDEX_LIFE = 10.0
#: Rows of each list: pages in flight; results, items and failures of late; hosts; workers.
IN_FLIGHT, RECENT, HOSTS, WORKERS = 20, 10, 8, 20
#: Characters of an item that are shown.
PREVIEW_MAX = 240
#: Seconds over which the pace is measured, and the least.
PACE_WINDOW, PACE_MIN = 300.0, 15.0
URL = re.compile(r'\{"url":("(?:[^"\\]|\\.)*")')


def wall(client: Client, name: str) -> Row:
    """Return what is shown of a crawl: ``crawl`` (its row), ``samples``, and for a crawl that was
    started the values of its panels. Raises UnknownCrawl.
    """
    return cache.get(("wall", client, name), WALL_LIFE, lambda: _wall(client, name))


def list_row(client: Client, name: str) -> Row:
    """Return the row of a crawl in an open list. Raises UnknownCrawl."""
    return cache.get(("row", client, name), WALL_LIFE, lambda: rows.crawl_row(client, name))


def _wall(client: Client, name: str) -> Row:
    snapshot = find_snapshot(client, name)
    row = rows.snapshot_row(name, snapshot, defined=rows.has_definition(client, name))
    row["times"] = rows.job_times(client, name, snapshot)
    shown: Row = {"name": name, "crawl": row, "samples": []}
    if snapshot is None:
        return shown
    frontier, now = client.frontier(name), server_time(client.redis)
    listing, plan = Listing(frontier), frontier.plan()
    claims = listing.processing(0, IN_FLIGHT)
    steps, samples = listing.steps(claims), listing.history()
    known, ready, waiting = listing.lane_sums()
    workers = client.workers.workers_of(plan) if plan else None
    recent = [recent_row(one) for one in listing.recent(RECENT)]
    return (
        shown
        | rows.details(snapshot)
        | speed(snapshot, plan, samples, now)
        | {
            "samples": [*map(sample_row, samples), live_sample(snapshot, now)],
            "standstill": rows.standstill(client, name),
            "in_flight": [
                rows.claim_row(claim, steps.get(claim.page.id, ""), now) for claim in claims
            ],
            "recent": recent,
            "recent_items": [
                {"url": one["url"], "text": item} for one in recent for item in one["items"]
            ][:RECENT],
            "failures": failures(listing, name),
            "lanes": {"known": known, "ready": ready, "waiting": waiting},
            "hosts": [rows.lane_row(lane, now) for lane in listing.waiting_lanes(HOSTS)],
            "workers": [rows.worker_row(one, workers) for one in workers.alive[:WORKERS]]
            if workers
            else [],
            "alive": len(workers.alive) if workers else 0,
            "able": len(workers.able) if workers else 0,
            "current": len(workers.current) if workers else 0,
            "code": workers.code if workers else None,
        }
    )


def sample_row(sample: Sample) -> list[float]:
    """Return a sample as a page gets it."""
    counts = (sample.done, sample.failed, sample.queued, sample.delayed, sample.processing)
    return [round(sample.at, 3), *counts]


def live_sample(snapshot: Snapshot, now: float) -> list[float]:
    """Return the sample of this instant; of a crawl that has ended, of its end."""
    return sample_row(
        Sample(
            snapshot.ended or now,
            snapshot.done,
            snapshot.failed,
            snapshot.queued,
            snapshot.delayed,
            snapshot.processing,
        )
    )


def speed(snapshot: Snapshot, plan: Plan | None, samples: Sequence[Sample], now: float) -> Row:
    """Return ``pace``, the pages per second of the last minutes (None: not known), and ``left``,
    the seconds that the pages known now take at this pace (None: not known, or the crawl rests).
    """
    over, pages = snapshot.done + snapshot.failed, 0.0
    older = [sample for sample in samples if PACE_MIN <= now - sample.at <= PACE_WINDOW]
    if older:
        first = older[0]
        pages = max(0, over - first.done - first.failed) / (now - first.at)
    elif snapshot.started and now - snapshot.started >= PACE_MIN and not samples:
        pages = over / (now - snapshot.started)
    moving = snapshot.status in (Status.ACTIVE, Status.DRAINING)
    if not (older or pages) or not moving:
        return {"pace": None, "left": None}
    left = pages_left(snapshot, plan.policy if plan else None)
    return {"pace": pages, "left": left / pages if pages else None}


def recent_row(recent: Recent) -> Row:
    """Return the row of a result: its page, and a preview of each of its items."""
    at: Row = {"at": rows.moment(recent.at), "status": None, "ms": None, "links": None}
    if recent.cut:
        found = URL.match(recent.text)
        data = recent.text.partition('"data":')[2]
        url = json.loads(found[1]) if found else ""
        return at | {"url": masked(url), "items": [preview(data)] if data else []}
    record = json.loads(recent.text)
    data = record.get("data")
    items = data if isinstance(data, list) else [data]
    return at | {
        "url": masked(str(record.get("url", ""))),
        **{name: record.get(name) for name in ("status", "ms", "links")},
        "items": [preview(item) for item in items[:RECENT] if item],
    }


def preview(item: Json) -> str:
    """Return the beginning of an item, as text."""
    if isinstance(item, Mapping):
        parts = (f"{name}: {_short(value)}" for name, value in item.items() if value is not None)
        text = " · ".join(parts)
    else:
        text = _short(item)
    text = text[: PREVIEW_MAX + 1]
    return masked(text[:PREVIEW_MAX] + "…" if len(text) > PREVIEW_MAX else text)


def _short(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def failures(listing: Listing, name: str) -> list[Row]:
    """Return the rows of the last pages that failed, the newest first, with their pictures."""
    pictures = {
        record["png"].rpartition("-")[2].removesuffix(".png"): record["png"]
        for record in snapshots(name)
        if record["png"]
    }
    failed = listing.failed(-RECENT, RECENT)
    return [
        rows.failed_row(one) | {"picture": pictures.get(one.page.id)} for one in reversed(failed)
    ]


def snapshots(name: str) -> list[dict[str, Json]]:
    """Return the error snapshots of a crawl that this process can read, the newest first."""
    folder = configuration.load().errors_dir
    if folder is None:
        return []
    place = crawl_folder(folder, name)
    return cache.get(("errors", place), INDEX_LIFE, lambda: read_index(place))


def record(shown: Row) -> Row:
    """Return the part of a wall that is not text for people: for programs, as JSON."""
    found = shown.get("standstill")
    return {
        "crawl": shown["crawl"],
        "samples": shown["samples"],
        "pace": shown.get("pace"),
        "left": shown.get("left"),
        "standstill": asdict(found) if found else None,
    }
