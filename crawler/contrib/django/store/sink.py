"""Results on their way from a crawl's stream in Redis into the database: in batches, and each
exactly once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from django.db import connections, router, transaction
from django.utils import timezone

from ....client.client import Client
from ....client.crawl_handle import CrawlHandle
from ....definition.bounds import scope_of
from ....definition.crawl import Crawl
from ....errors import UnknownCrawl
from ....frontier.frontier import Frontier
from ....frontier.listing import Listing
from ....model import Json, page_id
from ....urls.url import InvalidURL
from .models import StoredCrawl, StoredResult

log = logging.getLogger(__name__)

#: Results that one transaction stores.
BATCH = 500
FIELDS = ("url", "final_url", "status", "depth", "data", "links", "ms")


def store_all(client: Client, wanted: Iterable[str] = ()) -> dict[str, int]:
    """Store what is new of the crawls named, or of all; how many results each gave."""
    names = list(wanted) or Frontier.names(client.redis, client.settings.key_prefix)
    return {name: store(client.handle(name)) for name in names}


def store(crawl: CrawlHandle) -> int:
    """Store the results of ``crawl`` that came since the last time; how many.

    A batch and the place after it are one transaction, so a process that is killed repeats nothing
    and loses nothing; of two who store the same crawl at once, one waits. A page that was fetched
    again replaces its row.
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
    return stored


def _batch(crawl: CrawlHandle, definition: Crawl | None, using: str) -> int:
    origin = crawl.frontier.origin()
    with transaction.atomic(using=using):
        there = StoredCrawl.objects.using(using).filter(name=crawl.name)
        there.update(name=crawl.name)  # locks it, in SQLite too, which knows no SELECT FOR UPDATE
        kept = there.get()
        if kept.origin != origin:  # it was begun anew, and so was its stream
            kept.origin, kept.position, kept.number = origin, "0", 0
        batch = Listing(crawl.frontier).results(kept.position, BATCH)
        if not batch:
            return 0
        rows: dict[str, StoredResult] = {}
        for kept.position, number, text in batch:
            if number > kept.number + 1:
                kept.lost += number - kept.number - 1
                log.warning(
                    "%s: %d results were gone from Redis before they were stored",
                    crawl.name,
                    number - kept.number - 1,
                )
            kept.number = number
            record = _storable(json.loads(text)) if "\\u" in text else json.loads(text)
            row = StoredResult(
                crawl=kept,
                page=_page(definition, record),
                **{name: record.get(name) for name in FIELDS},
            )
            rows[row.page] = row
        _write(list(rows.values()), using)
        kept.save(using=using)
    return len(batch)


def _page(definition: Crawl | None, record: dict[str, Json]) -> str:
    """The id of a result's page: of its canonical URL, as far as the crawl's rules for it are known
    here.
    """
    try:
        return page_id(
            scope_of(definition).rules.canonical(record["url"]) if definition else record["url"]
        )
    except InvalidURL:
        return page_id(record["url"])


def _storable(value: Json) -> Json:
    """``value`` without what a site may say and a database cannot hold: NUL, and halves of
    characters.
    """
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case list():
            return [_storable(inner) for inner in value]
        case dict():
            return {_storable(name): _storable(inner) for name, inner in value.items()}
    return value


def _write(rows: list[StoredResult], using: str) -> None:
    """Insert ``rows``, or replace those that are there."""
    now = timezone.now()
    for row in rows:
        row.stored = now
    unique = (
        ("crawl", "page")
        if connections[using].features.supports_update_conflicts_with_target
        else None
    )
    StoredResult.objects.using(using).bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=unique,
        update_fields=(*FIELDS, "stored"),
    )
