"""The bytes that a queued URL costs besides for what its link brought: nothing, a route, data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from crawler.frontier.entries import encode_page
from crawler.model import Page

from .pages import LINKS, SECTIONS, pages
from .server import running

#: Fields of an entry that every page has.
FIELDS = 9
#: URLs per list: as many as the smallest row of the table has.
URLS = 10_000


def link_data(folder: Path) -> dict[str, float]:
    """Return the bytes per queued URL, by what its link brought, beyond those of an entry with only
    the fields that every page has: by the server's account of lists with URLS of them.
    """
    plain = [*pages(0, URLS)]
    with running(folder) as server:
        client: Any = redis.Redis.from_url(server.url)

        def size(entries: Iterable[str]) -> float:
            client.delete("queue")
            for entry in entries:
                client.rpush("queue", entry)
            return int(client.memory_usage("queue", samples=0)) / URLS

        least = size(bare(page) for page in plain)
        found = {
            "nothing": size(map(entry, plain)),
            "a route": size(entry(replace(page, route="book")) for page in plain),
            "a route, and data of one field": size(
                entry(replace(page, route="book", data=shelf(number)))
                for number, page in enumerate(plain)
            ),
        }
        return {brought: round(number - least, 2) for brought, number in found.items()}


def shelf(number: int) -> dict[str, str]:
    """Return the data of the link to a page: those of one shelf bring the same."""
    return {"shelf": f"{SECTIONS[number // LINKS % len(SECTIONS)]} {number // LINKS}"}


def entry(page: Page) -> str:
    """Return ``page`` as it is queued."""
    text = encode_page(page)
    assert text is not None
    return text


def bare(page: Page) -> str:
    """Return ``page`` as it is queued, without a place for what its link brought."""
    fields = json.loads(entry(page))[:FIELDS]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
