"""A crawl with all that a page can give has the same items, whatever is killed in the midst."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.folder import Folder, until

pytest_plugins = ["tests.site.shop"]
pytestmark = [pytest.mark.browser, pytest.mark.soak]

DEFINITION = '''
import os, signal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from crawler import Crawl, Select

class Review(BaseModel):
    by: Annotated[str, Select("cite")]
    text: Annotated[str, Select("p")]

class Book(BaseModel):
    title: Annotated[str, Select("h1")]
    price: Annotated[float, Select(".price")]
    tags: Annotated[list[str], Select("a.tag")] = []

class Reviews(BaseModel):
    title: Annotated[str, Select("h1")]
    reviews: Annotated[list[Review], Select(".review")]

shop = Crawl(
    name="shop", url={url!r}, depth_limit=3, concurrency_limit=4, lease=5, backoff=0.1,
    attempts=20, crash_strikes=20, deny=["/about/", "/caf"],
    routes={{
        "book": {{"match": r"^/books/[^/]+/$", "links": False, "extract": Book}},
        "reviews": {{"links": False, "extract": Reviews, "invalid_items": "fail"}},
        "event": {{
            "match": "^/events/.",
            "extract": {{"name": "h1", "date": ".date", "words": [".blurb re:\\\\w+"]}},
        }},
    }},
)

def die(page, share):
    """Kill this process, at the first attempt at one page in so many."""
    if page.attempt == 1 and int(page.id, 16) % share == 0 and Path("kill").exists():
        with open("killed.txt", "a") as file:
            file.write(page.url + "\\n")
        os.kill(os.getpid(), signal.SIGKILL)

@shop.route("shelf", match="^/categories/(poems|gardens)/", links=[".pages"])
def shelf(page, follow):
    for place, card in enumerate(page.select_all(".cards li"), 1):
        data = {{"shelf": page.text("h1"), "place": place}}
        follow(card.attr("a", "href") + "?placed", route="placed", data=data)
    die(page, 2)

@shop.route("placed", links=False)
def placed(page, follow):
    if link := page.attr(".book p:last-child a[href$='reviews/']", "href"):
        follow(link, route="reviews")
    die(page, 4)
    return {{**page.data, "title": page.text("h1")}}

@shop.route("events", match="^/events/$", capture=["*/api/*"], wait_for="#events li")
def events(page):
    found = [(one.status, len(one.json())) for one in page.responses("*/events.json")]
    return {{"loaded": found}}

@shop.route("other", match="^/(categories/|reviews|books/.*reviews)", links=False)
def other(page):
    return None
'''


def crawl(folder: Folder, name: str, url: str, *, kill: bool) -> dict[tuple[str, str], object]:
    """Return the items of a crawl, by page and route. ``kill``: processes die in the midst."""
    path = folder.path / name
    path.mkdir()
    (path / "shop.py").write_text(DEFINITION.format(url=url))
    folder.path = path
    folder.environ["CRAWLER_STATE_DIR"] = str(path / "state")
    if kill:
        (path / "kill").touch()
    process = folder.begin("start", "shop.py", "--output", "out", "-c", "2")
    if kill:  # beside those that die by themselves, one that is at any step
        for number in (5, 15, 25):
            until(lambda n=number: len(lines_of(path)) >= n, process)
            for worker in folder.workers()[1:2]:
                worker.send_signal(signal.SIGKILL)
    said, warned = process.communicate(timeout=400)
    assert process.returncode == 0, said + warned
    lines = [json.loads(line) for line in lines_of(path)]
    twice = [url for url, number in Counter(line["url"] for line in lines).items() if number > 1]
    assert twice == [], "each page has one line"
    assert "failures" not in said, said
    return {(line["url"], line.get("route", "")): line["data"] for line in lines}


def lines_of(path: Path) -> list[str]:
    """The lines that are written to their end."""
    file = path / "out" / "pages.jsonl"
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def test_a_crawl_whose_processes_are_killed_has_the_same_items(folder: Folder, shop: str):
    whole = crawl(folder, "whole", shop, kill=False)
    killed = crawl(folder, "killed", shop, kill=True)
    deaths = (folder.path / "killed.txt").read_text().splitlines()
    assert len(deaths) >= 3
    assert killed == whole
    # and there is something of each kind
    given = Counter(route for (_, route), data in whole.items() if data)
    assert given["placed"] >= 10
    assert given["book"] >= 5
    assert given["event"] == 6
    assert given["reviews"] >= 2
    (events,) = [data for (_, route), data in whole.items() if route == "events"]
    assert events == {"loaded": [[200, 6]]}
    assert {"shelf": "Poems", "place": 1}.items() <= next(
        data
        for data in whole.values()
        if data and data.get("place") == 1 and data["shelf"] == "Poems"
    ).items()
