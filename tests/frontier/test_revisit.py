"""Pages are visited again by themselves: the crawl is idle until the next is due, and never ends by
itself.
"""

from __future__ import annotations

import pytest

from crawler import Crawl
from crawler.errors import DefinitionError
from crawler.frontier.answers import Content
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.model import Change, FailureClass, Outcome, Page, Status, item_digest
from tests.support.frontier import A, B, C, Clock, plan, take, urls

DAY = 86_400.0


class Endless:
    """A crawl whose pages are visited again each day."""

    def __init__(self, redis, **policy) -> None:
        self.frontier = Frontier(redis, "shop")
        self.frontier.create(plan(**policy))
        self.clock = Clock(self.frontier)
        self.clock.now = 1_800_000_000_000
        self.clock.start()

    def done(self, item: object = 1, revisit: float | None = DAY) -> str:
        claim = take(self.frontier)
        digest = item_digest(item)
        content = Content(Change.between(claim.known or "", digest), digest)
        assert claim.again == bool(claim.known)
        self.frontier.finish(claim, claim.page.url, content=content, revisit=revisit)
        return content.change


@pytest.fixture
def endless(redis) -> Endless:
    return Endless(redis, attempts=1)


def test_a_page_is_visited_again_when_its_time_has_come(endless):
    frontier, clock = endless.frontier, endless.clock
    frontier.enqueue([Page(A, data={"shelf": "Poems"}), Page(B)])
    assert [endless.done(), endless.done(revisit=None)] == ["new", "new"]
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.revisits) == (Status.ACTIVE, 1)
    assert snapshot.next_revisit == clock.now / 1_000 + DAY
    assert Listing(frontier).queued() == []

    # idle: a run learns how long, the tick sends nobody, and people are told
    turn = frontier.claim("w1")
    assert (turn.outcome, turn.wait) == (Outcome.WAIT, DAY)
    assert frontier.tick().tickets == ()
    standing = frontier.standing()
    assert (standing.revisits, standing.revisit) == (1, snapshot.next_revisit)

    clock.advance(DAY)
    assert len(frontier.tick().tickets) == 1
    (page,) = Listing(frontier).queued()
    assert (page.url, page.data, page.attempt) == (A, {"shelf": "Poems"}, 0)
    assert endless.done(2) == "changed"
    assert (frontier.snapshot().revisits, frontier.snapshot().done) == (1, 3)
    assert audit_keys(frontier) == []


def test_many_pages_that_are_due_come_step_by_step(endless):
    frontier = endless.frontier
    frontier.enqueue([Page(f"{A}{number}") for number in range(100)])
    for _ in range(100):
        endless.done()
    endless.clock.advance(2 * DAY)
    for _ in range(100):
        assert endless.done() == "same"
    assert frontier.snapshot().revisits == 100
    assert frontier.claim("w1").outcome is Outcome.WAIT


def test_limits_and_orders_end_a_crawl_that_revisits(redis):
    endless = Endless(redis, page_limit=3, time_limit=10 * DAY)
    frontier = endless.frontier
    frontier.enqueue([Page(A), Page(B)])
    endless.done()
    endless.done()
    endless.clock.advance(DAY)
    endless.done()  # a visit counts as a page
    assert frontier.snapshot().status is Status.FINISHED

    frontier.set_limits(page_limit=None)
    frontier.resume(reopen=True)
    assert frontier.snapshot().status is Status.ACTIVE
    endless.clock.advance(11 * DAY)
    frontier.tick()
    assert frontier.snapshot().reason == "time limit 864000 s reached"
    frontier.set_limits(time_limit=None)
    frontier.resume(reopen=True)
    assert frontier.snapshot().status is Status.ACTIVE
    assert frontier.stop()


def test_what_failed_is_visited_again_and_what_is_gone_is_not(endless):
    frontier, clock = endless.frontier, endless.clock
    frontier.enqueue([Page(A), Page(B)])
    endless.done()
    endless.done()
    clock.advance(DAY)
    for failure, status in ((FailureClass.RETRY, 503), (FailureClass.TERMINAL, 404)):
        claim = take(frontier)
        frontier.fail(claim, failure, f"http_{status}", status=status, revisit=DAY)
    snapshot = frontier.snapshot()
    assert (snapshot.revisits, snapshot.vanished, snapshot.failed) == (1, 1, 2)
    clock.advance(DAY)
    assert endless.done(1) == "same"
    assert audit_keys(frontier) == []


def test_a_page_that_waits_already_is_not_queued_twice(endless):
    frontier, clock = endless.frontier, endless.clock
    frontier.enqueue([Page(A)])
    endless.done()
    assert frontier.enqueue([Page(A)], again=True).new == 1
    clock.advance(DAY)
    frontier.tick()
    assert urls(Listing(frontier).queued()) == [A]
    endless.done()
    assert frontier.snapshot().revisits == 1
    assert frontier.snapshot().next_revisit == clock.now / 1_000 + DAY


def test_lost_times_of_visits_are_found_and_mended(endless):
    frontier, redis = endless.frontier, endless.frontier.redis
    frontier.enqueue([Page(A), Page(B), Page(C)])
    for _ in range(3):
        endless.done()
    ids = [Page(url).id for url in (A, B)]
    redis.zrem(frontier.key("revisits"), ids[0])
    redis.hdel(frontier.key("revisit_pages"), ids[1])
    redis.hset(frontier.key("memory"), "pages", 7)
    expected = {
        f"page {ids[0]} is to be visited again, but never",
        f"page {ids[1]} is due again, but not there",
        "7 pages are counted as remembered, and there are 3",
    }
    assert set(audit_keys(frontier)) == expected
    assert set(repair_keys(frontier)) == expected
    assert audit_keys(frontier) == []
    assert endless.done() == "same"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5h", 5_400), ("1d", DAY), ("2 W", 14 * DAY), (60, 60)]
)
def test_an_interval_is_written_with_its_unit(text, seconds):
    crawl = Crawl(
        name="shop", url=A, revisit=text, routes={"book": {"match": "b", "revisit": "1d"}}
    )
    assert crawl.revisit == seconds
    assert Crawl(name="shop", url=A, revisit="1d").revisit == DAY
    with pytest.raises(DefinitionError, match="is no time: seconds, or a text like 90m"):
        crawl.replace(revisit="daily").validate()
