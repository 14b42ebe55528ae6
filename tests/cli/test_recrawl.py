"""A crawl is crawled again from the command line; the commands say what has changed, and what
vanished.
"""

from __future__ import annotations

import json

import pytest

from crawler.client.start_report import StartOutcome
from crawler.frontier.answers import Content
from crawler.frontier.memory import Memories
from crawler.model import Change, FailureClass, item_digest
from crawler.output.items import item_rows, page_row
from tests.support.desk import SITE, Desk, take


def finish(desk: Desk, items: dict[str, object]) -> None:
    """Do the pages of the crawl "shop" as a worker would; those without an item fail with 404."""
    frontier = desk.client.frontier("shop")
    while claim := frontier.claim("w1").claim:
        path = claim.page.url.removeprefix(SITE)
        if path not in items:
            frontier.fail(claim, FailureClass.TERMINAL, "http_404", status=404)
            continue
        digest = item_digest(items[path])
        content = Content(Change.between(claim.known or "", digest), digest)
        frontier.finish(claim, claim.page.url, item=True, content=content)


@pytest.fixture
def nights(desk):
    """A crawl of two nights: the one is over, the other goes on with a page in flight."""
    desk.begin("/book", "/lamp", "/vase")
    finish(desk, {"/": 1, "/book": 2, "/lamp": 3, "/vase": 4})
    assert desk.client.start("shop", recrawl=True).outcome is StartOutcome.STARTED
    desk.client.enqueue("shop", [f"{SITE}/lamp", f"{SITE}/vase", f"{SITE}/rug"])
    return desk


def test_the_changes_of_a_night_are_told(nights):
    finish(nights, {"/": 1, "/lamp": 30, "/rug": 5})
    facts = json.loads(nights.run("info", "shop", "--json"))
    assert facts["generation"] == 2
    assert facts["changes"] == {
        "known": 4,
        "new": 1,
        "changed": 1,
        "same": 1,
        "vanished": 2,
        "left_out": 0,
    }
    assert "  changes  1 new, 1 changed, 1 same, 2 vanished" in nights.run("report", "shop")

    lines = [json.loads(line) for line in nights.run("vanished", "shop", "--json").splitlines()]
    assert [(line["url"], line["reason"], line["status"]) for line in lines] == [
        (f"{SITE}/vase", "http_404", 404),
        (f"{SITE}/book", "not_met", None),
    ]
    assert lines[0]["last_seen"].endswith(":00Z")
    shown = nights.run("vanished", "shop")
    assert shown.startswith("http_404")
    assert len(shown.splitlines()) == 2


def test_a_crawl_that_still_runs_is_not_begun_again(nights, folder):
    claim = take(nights.client.frontier("shop"))
    report = nights.client.start("shop", recrawl=True)
    assert (report.outcome, "it still runs" in (report.reason or "")) == (
        StartOutcome.REFUSED,
        True,
    )
    (folder.path / "shop.toml").write_text(
        f'name = "shop"\nurl = "{SITE}/"\nbreaker_failures = 0\n'
    )
    text = nights.run("start", "shop.toml", "--recrawl", status=2)
    assert "it still runs; recrawl it when it has ended" in text
    assert len(text.strip().splitlines()) == 1
    assert nights.client.frontier("shop").renew(claim) == "OK"


def test_a_first_start_with_recrawl_is_a_start(desk):
    handle = desk.begin()
    desk.client.clear("shop")
    report = desk.client.start(handle._crawl, recrawl=True)
    assert (report.outcome, report.handle.snapshot().generation) == (StartOutcome.STARTED, 1)


def test_urls_are_queued_again_that_the_crawl_is_done_with(desk):
    frontier = desk.begin("/book").frontier
    finish(desk, {"/": 1, "/book": 2})
    text = desk.run("enqueue", "shop", f"{SITE}/book", "--again", "--reopen")
    assert "1 queued, 0 known before" in text
    assert "1 known before" in desk.run("enqueue", "shop", f"{SITE}/book", "--again")
    finish(desk, {"/book": 3})
    counts = frontier.snapshot().counts
    assert (counts["again"], counts["change_changed"], counts["change_new"]) == (1, 1, 2)
    assert "all is well" in desk.run("audit", "shop")


def test_what_is_remembered_goes_with_the_crawl(nights):
    frontier = nights.client.frontier("shop")
    nights.client.start("shop", if_exists="reset")
    assert frontier.snapshot().known == 0
    assert Memories(frontier).last_start() is None
    finish(nights, {"/": 1})
    assert frontier.snapshot().changes == {"new": 1, "changed": 0, "same": 0}


def test_a_page_says_its_change_and_an_item_its_own():
    record = {"url": SITE, "change": "same", "data": {"price": 1, "change": "+2"}}
    assert page_row(record) == {"url": SITE, "change": "same", "items": 1}
    assert list(item_rows(record)) == [{"url": SITE, "price": 1, "change": "+2"}]
