"""What comparisons of pages by HTTP and by Chrome said, and the pages that are in doubt then."""

from __future__ import annotations

import pytest

from crawler.frontier.answers import Creation, Update
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.memory import Memories
from crawler.frontier.repair import audit_keys
from crawler.model import Page, Status
from tests.support.frontier import A, B, C, Clock, D, plan, take, urls

E = "https://shop.example/e"


@pytest.fixture
def frontier(redis) -> Frontier:
    frontier = Frontier(redis, "shop")
    frontier.create(plan())
    return frontier


def by_http(frontier: Frontier, worker: str, route: str = "book") -> None:
    """Do a page by HTTP, which is not compared."""
    claim = take(frontier, worker)
    frontier.finish(claim, claim.page.url, doubt=route)


def test_a_difference_queues_what_any_worker_did_since(frontier):
    clock = Clock(frontier)
    clock.start()
    frontier.enqueue(map(Page, (A, B, C, D, E)))
    # Given pages by HTTP: A before a comparison that found none, B of another worker during it, C
    # of another route, and D, which is still under way
    by_http(frontier, "w1")
    clock.advance(1)
    time = int(frontier.note_fetched()["time"])
    by_http(frontier, "w2")
    frontier.note_fetched("book", "same", shapes=9, time=time)
    by_http(frontier, "w1", "booklet")
    flying = take(frontier, "w3")
    assert urls(Listing(frontier).queued()) == [E]
    # When a page of theirs differs, and the worker that found it dies at once
    assert frontier.note_fetched("book", "differs", text="E (item: price)")["again"] == "1"
    # Then B is queued again, and D as soon as it is done, so the crawl does not end before
    assert urls(Listing(frontier).queued()) == [E, B]
    by_http(frontier, "w4", "other")
    frontier.finish(flying, D, doubt="book")
    assert [take(frontier).page.url for _ in range(2)] == [B, D]
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.counts["fetch_again"]) == (Status.ACTIVE, 2)
    assert frontier.note_fetched()["again"] == "0"
    assert audit_keys(frontier) == []


def test_a_page_that_waits_already_is_not_queued_twice(frontier):
    frontier.enqueue([Page(A), Page(B)])
    by_http(frontier, "w1")
    frontier.enqueue([Page(A, again=True)])
    frontier.note_fetched("book", "differs")
    assert urls(Listing(frontier).queued()) == [B, A]


def test_the_latest_thousand_pages_of_a_route_are_kept(frontier):
    frontier.enqueue(Page(f"{A}{n}") for n in range(1_003))
    for _ in range(1_002):
        by_http(frontier, "w1")
    answers = [frontier.note_fetched("book", "differs")["again"] for _ in range(6)]
    assert answers == ["200"] * 5 + ["0"]
    assert urls(Listing(frontier).queued())[1] == f"{A}2"
    assert audit_keys(frontier) == []


def test_another_definition_and_another_generation_compare_anew(frontier):
    def note() -> None:
        frontier.note_fetched("book", "same", "abc", shapes=9)
        assert "differs:toy" in frontier.note_fetched("toy", "differs", text="x")

    note()
    assert frontier.create(plan(digest="d2"), update=Update.ALWAYS) is Creation.UPDATED
    assert frontier.note_fetched().keys() == {"time", "again"}
    note()
    frontier.enqueue([Page(A)])
    by_http(frontier, "w1")
    assert Memories(frontier).begin_generation(plan(digest="d2")) is Creation.CREATED
    assert frontier.note_fetched().keys() == {"time", "again"}
    assert not frontier.redis.exists(frontier.key("doubtful"))
