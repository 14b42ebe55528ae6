"""Pages that hooks follow arrive with their data, once, whatever raises or dies meanwhile."""

from __future__ import annotations

import json

from crawler.definition.loading import load_all
from crawler.frontier.listing import Listing
from tests.support.ground import Ground, ended_well
from tests.support.webdriver import Doc

HOOKS = """
import os
from pathlib import Path
from crawler import Crawl, Skip

FOLDER = Path(__file__).parent

shop = Crawl(
    name="shop", url="http://127.0.0.1/", robots=False, depth_limit=2,
    backoff=0.05, backoff_cap=0.1, breaker_failures=0,
)

def first_time(what):
    try:
        (FOLDER / what).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

@shop.before_all
def begin(follow):
    follow("start", data={"by": "before_all"})

@shop.extract
def read(page, follow):
    if page.url.endswith("1/"):
        for number in (1, 2, 3):
            follow(f"/{number}", "book", data={"by": "extract", "number": number}, priority="high")
        for nowhere in ("ftp://127.0.0.1/x", "http://elsewhere.example/", "http://[", "#top"):
            follow(nowhere)
        follow("/deep", depth=3)
        if first_time("killed"):
            os.kill(os.getpid(), 9)
    if page.url.endswith("/start"):
        follow("/beyond", data={"by": "skip"})
        raise Skip("no book")
    return {"data": page.data, "depth": page.depth}

@shop.route("book")
def book(page):
    if page.url.endswith("/2"):
        raise LookupError("no price")
    return {"data": page.data, "depth": page.depth, "route": page.route}

@shop.filter
def choose(link, follow):
    follow("/filtered", data={"by": "filter"})
    return "refused" not in link.url

@shop.after
def stored(result, follow):
    if result.page.url.endswith("/1"):
        follow("/later", data=result.page.data | {"by": "after"})
        if first_time("raised"):
            raise OSError("disk full")

@shop.failed
def lost(page, reason, follow):
    follow("instead", data=page.data | {"by": "failed"})
"""


def test_what_hooks_follow_arrives_once_with_its_data(ground: Ground):
    # Given hooks that follow pages, one of which is a link of the page as well
    path = ground.folder / "hooks.py"
    path.write_text(HOOKS)
    names = ("start", "1", "2", "3", "filtered", "later", "instead", "beyond")
    site = {f"/{name}": Doc() for name in names} | {"/": Doc(links=["/1", "/refused"])}
    ground.chrome_on(site | {"/start": Doc(links=["/refused"])})
    ground.worker(2, crawls=str(path))
    # When a process dies after it followed them, a hook raises, and another one is called again
    frontier = ground.crawl(load_all([str(path)])["shop"], lease=2.0)
    ground.until_end(frontier, 90)
    # Then each is done once, with the data that came first
    line = next(n for n, line in enumerate(HOOKS.splitlines(), 1) if "no price" in line)
    seen = ended_well(
        frontier,
        {"/", *(f"/{name}" for name in names if name != "2")},
        {"/2": f"extract: LookupError: no price (route book, hooks.py:{line})"},
        log=ground.redis,
    )
    found = {}
    for _, _, text in Listing(frontier).results(count=100):
        record = json.loads(text)
        found[record["url"].rpartition("/")[2]] = record["data"] or record["skipped"]
    assert found == {
        "": {"data": {}, "depth": 0},
        "start": "no book",
        "beyond": {"data": {"by": "skip"}, "depth": 1},
        "1": {"data": {"by": "extract", "number": 1}, "depth": 1, "route": "book"},
        "3": {"data": {"by": "extract", "number": 3}, "depth": 1, "route": "book"},
        "filtered": {"data": {"by": "filter"}, "depth": 1},
        "later": {"data": {"by": "after", "number": 1}, "depth": 2},
        "instead": {"data": {"by": "failed", "number": 2}, "depth": 2},
    }
    # And what was dropped is counted once, although the page was tried twice, and explained
    skipped = {name: n for name, n in seen.counts.items() if name.startswith("skipped_")}
    assert skipped == {
        "skipped_scheme": 1,
        "skipped_scope": 1,
        "skipped_malformed": 1,
        "skipped_depth": 1,
        "skipped_filter": 2,
        "skipped_duplicate": 1,
        # of the filter, which is called for each link; of `after`, which is called again
        "skipped_known_data": 3,
    }
    assert seen.examples["skipped_scope"] == "http://elsewhere.example/"
    assert seen.examples["skipped_known_data"].endswith(("/filtered", "/later"))
