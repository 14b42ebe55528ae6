"""The bytes that a page costs for being remembered from one generation to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from crawler.frontier.answers import Content
from crawler.frontier.frontier import Frontier
from crawler.model import Page, Plan, Policy, item_digest

from .server import running

#: Pages that are done, by turns; and in flight at a time.
PAGES, STEP = 10_000, 200


def memory(folder: Path, pages: int = PAGES) -> dict[str, float]:
    """Return the bytes per known page of what a crawl remembers, by the server's account of its
    keys, as the number of pages grows.
    """
    with running(folder) as server:
        client: Any = redis.Redis.from_url(server.url)
        frontier = Frontier(client, "bench")
        policy = Policy(concurrency_limit=STEP, depth_limit=None, results_limit=1)
        frontier.create(Plan("bench", policy, "digest", None, before_all=False))
        found, marks = {}, {pages // 5, pages}
        for done in range(0, pages, STEP):
            frontier.enqueue(Page(f"https://shop.example/{done + n}") for n in range(STEP))
            for _ in range(STEP):
                claim = frontier.claim("worker").claim
                assert claim is not None
                content = Content("new", item_digest(claim.page.url))
                # one page stays in flight, so that the crawl does not end
                frontier.finish(claim, claim.page.url, content=content)
                if done == 0:
                    frontier.open_producer("bench", 3_600)
            if done + STEP in marks:
                found[f"{done + STEP:,} pages"] = per_page(client, frontier, done + STEP)
        return found


def per_page(client: Any, frontier: Frontier, pages: int) -> float:
    """Return the bytes of the memory's keys, their names included, per page."""
    prefix = frontier.key("memory")
    keys = client.scan_iter(prefix.replace("{", "[{]").replace("}", "[}]") + "*", count=1_000)
    return round(sum(int(client.memory_usage(key, samples=0)) for key in keys) / pages, 2)
