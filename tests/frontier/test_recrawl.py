"""A crawl that has ended is crawled again, and remembers its pages: what is new, changed, the same,
and what vanished.
"""

from __future__ import annotations

import pytest

from crawler.errors import FrontierRefused
from crawler.frontier.answers import Content, Creation
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.memory import WINDOW, Memories
from crawler.frontier.repair import audit_keys
from crawler.model import Change, FailureClass, Page, Status, item_digest
from tests.support.frontier import A, B, C, Clock, D, plan, take

DAY = 86_400
#: How a page fails, by its status.
GONE, AWAY = (404,), (503,)


class Shop:
    """A crawl of pages whose items are given, and its nights."""

    def __init__(self, redis, **policy) -> None:
        self.frontier = Frontier(redis, "shop")
        self.frontier.create(plan(**policy))
        self.clock = Clock(self.frontier)
        self.clock.now = 1_800_000_000_000
        self.clock.start()

    def visit(self, items: dict[str, object], queue: bool = True) -> dict[str, str]:
        """Crawl ``items``, by URL, or how they fail. Return the changes."""
        if queue:
            self.frontier.enqueue([Page(url) for url in items])
        changes = {}
        while claim := self.frontier.claim("w1").claim:
            url = claim.page.url
            changes[url] = self.done(claim, items[url])
        return changes

    def done(self, claim, item) -> str:
        if item in (GONE, AWAY):
            failure = FailureClass.TERMINAL if item is GONE else FailureClass.RETRY
            self.frontier.fail(claim, failure, f"http_{item[0]}", status=item[0])
            return "failed"
        digest = item_digest(item)
        change = Change.between(claim.known, digest)
        content = Content(change, digest)
        assert self.frontier.finish(claim, claim.page.url, result="{}", content=content).accepted
        return change.value

    def next_night(self, **policy) -> None:
        assert Memories(self.frontier).begin_generation(plan(**policy)) is Creation.CREATED
        self.clock.advance(DAY)

    @property
    def vanished(self) -> dict[str, str]:
        return {one.url: one.reason for one in Memories(self.frontier).vanished(str)}


@pytest.fixture
def shop(redis) -> Shop:
    return Shop(redis, attempts=1)


def test_another_generation_tells_new_changed_and_same_pages(shop):
    assert shop.visit({A: 1, B: {"x": 1, "y": 2}, C: None}) == {A: "new", B: "new", C: "new"}
    shop.next_night(attempts=1)
    frontier = shop.frontier
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.generation, snapshot.known) == (Status.NEW, 2, 3)
    assert Listing(frontier).results() == Listing(frontier).done() == []

    # the order of keys does not matter
    changes = shop.visit({A: 2, B: {"y": 2, "x": 1}, C: None, D: 1})
    assert changes == {A: "changed", B: "same", C: "same", D: "new"}
    snapshot = frontier.snapshot()
    assert snapshot.changes == {"new": 1, "changed": 1, "same": 2}
    assert (snapshot.vanished, shop.vanished) == (0, {})
    assert Listing(frontier).done() == [D]  # the others are known
    assert audit_keys(frontier) == []

    shop.next_night(attempts=1)
    assert frontier.snapshot().known == 4
    assert set(shop.visit({A: 2, B: {"x": 1, "y": 2}, C: None, D: 1}).values()) == {"same"}


def test_pages_that_vanished_are_listed_with_the_reason(shop):
    shop.visit(dict.fromkeys((A, B, C, D), 1))
    shop.next_night(attempts=1)
    shop.visit({A: 1, B: GONE})
    assert shop.vanished == {B: "http_404", C: "not_met", D: "not_met"}
    assert shop.frontier.snapshot().vanished == 3
    gone = next(Memories(shop.frontier).vanished(str))
    assert (gone.status, gone.memory.first_seen) == (
        404,
        shop.clock.now // 1000 // 3600 * 3600 - DAY,
    )

    # said once; and a page that is back is new
    shop.next_night(attempts=1)
    assert shop.frontier.snapshot().known == 1
    assert shop.visit({A: 1, B: 1, C: 1}) == {A: "same", B: "new", C: "new"}
    assert shop.vanished == {}


def test_a_page_whose_host_was_away_has_not_vanished(shop):
    shop.visit({A: 1, B: 1, C: 1})
    shop.next_night(attempts=1)
    shop.visit({A: 1, B: AWAY})
    assert shop.vanished == {C: "not_met"}
    # C may be behind B: it is remembered for one more night, and B is
    shop.next_night(attempts=1)
    assert shop.frontier.snapshot().known == 3
    assert shop.visit({A: 1, B: 1, C: 2}) == {A: "same", B: "same", C: "changed"}


def test_a_crawl_that_was_cut_short_forgets_nothing(shop):
    shop.visit({A: 1, B: 1, C: 1})
    shop.next_night(page_limit=1, attempts=1)
    assert shop.visit({A: 1, B: 1, D: 1}) == {A: "same"}
    assert shop.frontier.snapshot().reason
    assert (shop.frontier.snapshot().vanished, shop.vanished) == (0, {})
    shop.next_night(attempts=1)
    assert shop.visit({A: 1, B: 2, C: 1}) == {A: "same", B: "changed", C: "same"}


def test_a_failed_page_that_is_retried_has_not_vanished(shop):
    shop.visit({A: 1, B: 1})
    shop.next_night(attempts=1)
    shop.visit({A: 1, B: GONE})
    assert shop.vanished == {B: "http_404"}
    assert shop.frontier.retry_failed() == 1
    assert shop.visit({B: 1}, queue=False) == {B: "same"}
    assert (shop.frontier.snapshot().vanished, shop.vanished) == (0, {})
    shop.next_night(attempts=1)
    assert shop.frontier.snapshot().known == 2


def test_no_retry_sees_its_own_first_write(shop):
    shop.visit({A: 1})
    shop.next_night(attempts=3, lease=10)
    frontier = shop.frontier
    frontier.enqueue([Page(A)])
    first = take(frontier)
    shop.clock.advance(11)  # the worker is silent
    frontier.tick()
    shop.clock.advance(3600)
    second = take(frontier, "w2")
    assert first.known == second.known == item_digest(1)
    assert shop.done(second, 2) == "changed"
    ending = frontier.finish(first, A, content=Content("changed", item_digest(2)))
    assert not ending.accepted
    assert frontier.snapshot().changes == {"new": 0, "changed": 1, "same": 0}


def test_a_crawl_that_goes_on_is_not_begun_again(shop):
    shop.frontier.enqueue([Page(A)])
    with pytest.raises(FrontierRefused, match="when it has ended"):
        Memories(shop.frontier).begin_generation(plan())
    assert shop.visit({A: 1}, queue=False) == {A: "new"}


def test_a_generation_change_that_was_cut_short_is_repeated(shop, monkeypatch):
    shop.visit({A: 1, B: 1})
    frontier, memories = shop.frontier, Memories(shop.frontier)
    monkeypatch.setattr(frontier, "write_plan", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        memories.begin_generation(plan())
    monkeypatch.undo()
    for script, argument in (("resume", 1), ("retry", 20), ("redeliver", 20)):
        with pytest.raises(FrontierRefused, match="recrawl"):
            frontier.run_script(script, argument)
    assert audit_keys(frontier) == []
    shop.next_night()
    assert frontier.snapshot().known == 2
    assert shop.visit({A: 1, B: 2}) == {A: "same", B: "changed"}


def test_a_large_generation_changes_in_small_steps(redis):
    shop = Shop(redis)
    pages = {f"https://shop.example/{number}": number for number in range(3 * WINDOW)}
    shop.visit(pages)
    shop.next_night()
    assert shop.visit(pages | {A: 1})[A] == "new"
    shop.next_night()
    frontier = shop.frontier
    assert (frontier.snapshot().known, redis.llen(frontier.key("known"))) == (1501, 1501)
    fewer = dict(list(pages.items())[:10])
    assert set(shop.visit(fewer).values()) == {"same"}
    assert (len(shop.vanished), frontier.snapshot().vanished) == (1491, 1491)
    shop.next_night()
    assert Memories(frontier).tidy(str) == 10
    assert redis.llen(frontier.key("known")) == 10
    assert set(shop.visit(fewer).values()) == {"same"}
    assert frontier.clear() > 30
    assert redis.keys("*") == []


@pytest.mark.parametrize("first", [1, GONE])
def test_again_holds_for_pages_that_are_done_with(redis, first):
    shop = Shop(redis)
    frontier = shop.frontier
    frontier.enqueue([Page(A), Page(B), Page(C)])
    shop.done(take(frontier), first)
    again = [Page(A), Page(B), Page(A), Page(D)]
    added = frontier.enqueue(again, again=True)
    assert (added.new, added.known) == (2, 2)  # B waits, and A since a moment ago
    assert audit_keys(frontier) == []
    change = "new" if first is GONE else "changed"
    assert shop.visit({A: 2, B: 1, C: 1, D: 1}, queue=False)[A] == change
    assert (frontier.snapshot().done, frontier.snapshot().accepted) == (
        4 if first is GONE else 5,
        5,
    )
    assert frontier.snapshot().counts["again"] == 1
    assert audit_keys(frontier) == []


def test_a_page_may_ask_for_itself_again(shop):
    frontier = shop.frontier
    frontier.enqueue([Page(A), Page(B)])
    claim = take(frontier)
    content = Content("new", item_digest(1))
    frontier.finish(claim, A, [Page(A, again=True), Page(B, again=True)], content=content)
    assert [page.url for page in Listing(frontier).queued()] == [B, A]
    assert shop.visit({A: 1, B: 1}, queue=False) == {B: "new", A: "same"}
    assert (frontier.snapshot().status, frontier.snapshot().done) == (Status.FINISHED, 3)
    assert audit_keys(frontier) == []


def test_left_out_results_are_counted_and_not_stored(shop):
    frontier = shop.frontier
    frontier.enqueue([Page(A)])
    content = Content("same", item_digest(1), left_out=True)
    frontier.finish(take(frontier), A, result='{"url":1}', item=True, content=content)
    assert Listing(frontier).results() == []
    counts = frontier.snapshot().counts
    assert (counts["left_out"], counts["items"], counts["change_same"]) == (1, 1, 1)
