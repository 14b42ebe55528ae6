"""``vanished``: the pages that a crawl knew before, and that are gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from ..frontier.memory import Vanished
from ..model import Json
from ..redaction import masked
from .common import find_crawl, open_client
from .parameters import CRAWL_NAME
from .terminal import echo


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object per line.")
def vanished(name: str, as_json: bool) -> None:
    """List the pages that NAME knew before, and that are gone.

    They answer so (404, 410), or fail in another way that will not pass; and, once the crawl has
    come to its end by itself, those count that it did not meet.
    """
    with open_client() as client:
        crawl, snapshot = find_crawl(client, name)
        count = 0
        for page in crawl.vanished():
            count += 1
            echo(json.dumps(record(page), ensure_ascii=False) if as_json else line(page))
        if not as_json:
            rest = "" if snapshot.whole else "; those that it does not meet are not known yet"
            if snapshot.status.ended and not snapshot.whole:
                rest = "; it did not look for all of them, so none counts as not met"
            echo(f"{count} of {snapshot.known} pages that were known vanished{rest}", err=True)


def record(page: Vanished) -> dict[str, Json]:
    """Return a page as JSON, with its times in ISO 8601."""
    times = {name: moment(at) for name, at in page.record().items() if name.endswith("_seen")}
    return page.record() | times


def line(page: Vanished) -> str:
    """Return a page for people."""
    return f"{page.reason:<20} last seen {moment(page.memory.last_seen)}  {masked(page.url)}"


def moment(at: int) -> str:
    """Return epoch seconds as a time in UTC, to the hour."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:00Z")
