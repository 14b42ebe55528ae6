"""Results on their way from a crawl's stream in Redis into the database: in batches, and each
exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connections, router, transaction
from django.utils import timezone

from ....client.client import Client
from ....client.crawl_handle import CrawlHandle
from ....definition.bounds import canonical
from ....definition.crawl import Crawl
from ....errors import UnknownCrawl
from ....frontier.frontier import Frontier
from ....frontier.listing import Listing
from ....frontier.memory import Memories
from ....model import ID_LENGTH_BEFORE, Change, Json, page_id
from ....observe.logs import logger
from .models import StoredCrawl, StoredResult

log = logger(__name__)

#: Results that one transaction stores.
BATCH = 500
FIELDS = ("url", "final_url", "status", "depth", "data", "links", "ms")
#: Further fields that a later visit replaces.
OF_VISIT = ("change", "last_seen", "vanished", "stored")


def store_all(client: Client, names: Iterable[str] = ()) -> dict[str, int]:
    """Store the new results of the crawls ``names``, or of all; return how many each had."""
    names = list(names) or Frontier.names(client.redis, client.settings.key_prefix)
    return {name: store(client.handle(name)) for name in names}


def store(crawl: CrawlHandle) -> int:
    """Store the results of ``crawl`` that came since the last time; return how many.

    A batch and the place after it are one transaction, so a process that is killed repeats nothing
    and loses nothing; of two processes that store one crawl, one waits. A page that was fetched
    again replaces its row, also after a fail-over that lost the place.
    """
    using = router.db_for_write(StoredResult)
    StoredCrawl.objects.using(using).get_or_create(name=crawl.name)
    try:
        definition: Crawl | None = crawl.definition()
    except UnknownCrawl:
        definition = None
    stored = 0
    while count := _batch(crawl, definition, using):
        stored += count
    compare(crawl, using)
    return stored


def compare(crawl: CrawlHandle, using: str) -> None:
    """Note, once, which pages a crawl that has ended saw without a result to store, as
    ``only_changes`` leaves it out, and which vanished.
    """
    snapshot = crawl.snapshot()
    progress = StoredCrawl.objects.using(using).get(name=crawl.name)
    origin = crawl.frontier.origin()
    if snapshot.generation < 2 or not snapshot.over or progress.compared == origin:
        return
    memories, ended = Memories(crawl.frontier), _moment(snapshot.ended or 0)
    started = _moment(snapshot.started or 0)
    rows = progress.results.using(using).filter(last_seen__lt=started, vanished=None)
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", "page")[:BATCH]):
        last = batch[-1][0]
        found = memories.recall([page for _, page in batch])
        seen, gone = list[int](), list[int]()
        for (pk, _), memory in zip(batch, found, strict=True):
            if memory and memory.met and memory.present:
                seen.append(pk)
            elif memory is None or memory.met or snapshot.whole:
                gone.append(pk)
        rows.filter(pk__in=seen).update(last_seen=ended, change=Change.SAME)
        rows.filter(pk__in=gone).update(vanished=ended)
    progress.compared = origin
    progress.save(using=using, update_fields=["compared"])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _batch(crawl: CrawlHandle, definition: Crawl | None, using: str) -> int:
    """Store the next batch of results; return how many it had."""
    origin = crawl.frontier.origin()
    with transaction.atomic(using=using):
        same = StoredCrawl.objects.using(using).filter(name=crawl.name)
        same.update(name=crawl.name)  # locks it, in SQLite too, which knows no SELECT FOR UPDATE
        progress = same.get()
        if progress.origin != origin:  # another crawl of this name, with a stream of its own
            progress.origin, progress.position, progress.number = origin, "0", 0
        listing = Listing(crawl.frontier)
        place = listing.place_to_resume(progress.position)
        batch = listing.results(place, BATCH)
        if not batch:
            return 0
        if place == "0":  # a fail-over took back what was stored: its pages come again
            progress.number = min(progress.number, batch[0][1] - 1)
        rows: dict[str, StoredResult] = {}
        for place, number, text in batch:
            progress.position, seen = place, _moment(int(place.partition("-")[0]) / 1_000)
            _count_lost(progress, number)
            record = _storable(json.loads(text)) if "\\u" in text else json.loads(text)
            page = _page(definition, record["url"])
            fields = {name: record.get(name) for name in FIELDS}
            fields["route"] = record.get("route", "")
            first = rows[page].first_seen if page in rows else seen
            rows[page] = StoredResult(
                crawl=progress,
                page=page,
                change=record.get("change", ""),
                first_seen=first,
                last_seen=seen,
                **fields,
            )
        _lengthen(progress, rows, using)
        _write(list(rows.values()), using)
        progress.save(using=using)
    return len(batch)


def _count_lost(progress: StoredCrawl, number: int) -> None:
    """Note the running ``number`` of a result, and how many before it are gone from Redis."""
    if lost := max(0, number - progress.number - 1):
        progress.lost += lost
        log.warning(
            "%s: %d results were gone from Redis before they were stored", progress.name, lost
        )
    progress.number = number


def _page(definition: Crawl | None, url: str) -> str:
    """Return the id of the page at ``url``: of its canonical URL, if the rules of its crawl are
    known here.
    """
    return page_id(canonical(definition, url) if definition else url)


def _lengthen(crawl: StoredCrawl, pages: Iterable[str], using: str) -> None:
    """Give rows of ``pages`` that an earlier version wrote, with shorter ids, their present ids."""
    present = {page[:ID_LENGTH_BEFORE]: page for page in pages}
    written = StoredResult.objects.using(using).filter(crawl=crawl, page__in=present)
    for short in list(written.values_list("page", flat=True)):
        written.filter(page=short).update(page=present[short])


def _storable(value: Json) -> Json:
    """Return ``value`` without characters that a database cannot hold: NUL, and halves of pairs."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case list():
            return [_storable(inner) for inner in value]
        case dict():
            return {_storable(name): _storable(inner) for name, inner in value.items()}
    return value


def _write(rows: list[StoredResult], using: str) -> None:
    """Insert ``rows``, or replace earlier rows of their pages."""
    now = timezone.now()
    for row in rows:
        row.stored = now
    has_target = connections[using].features.supports_update_conflicts_with_target
    StoredResult.objects.using(using).bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=("crawl", "page") if has_target else None,
        update_fields=(*FIELDS, "route", *OF_VISIT),
    )
