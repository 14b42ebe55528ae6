"""The plan of a crawl is written once, and its name must fit in a key."""

from __future__ import annotations

import pytest

from crawler.errors import FrontierMisfit, FrontierRefused
from crawler.frontier.answers import Creation, Update
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import FailureClass, Outcome, Page, Plan, Policy, Priority, Status
from tests.support.frontier import A, plan, take, urls


def test_a_crawl_is_created_once_and_goes_on_when_started_again(redis):
    frontier = Frontier(redis, "shop")
    assert frontier.plan() is None
    wanted = Plan(
        "shop",
        Policy(delay=0.5, page_limit=7, depth_limit=None, time_limit=60.0),
        "d1",
        {"url": A},
        True,
    )
    assert frontier.create(wanted) is Creation.CREATED
    assert frontier.create(wanted) is Creation.EXISTS
    assert frontier.plan() == wanted
    assert Frontier.names(redis) == ["shop"]
    assert frontier.snapshot().status is Status.NEW


def test_another_definition_needs_an_update_or_a_reset(begin):
    frontier, _ = begin(A)
    assert frontier.create(plan(digest="d2")) is Creation.OTHER
    more = plan(digest="d2", concurrency_limit=9)
    assert frontier.create(more, update=Update.ALWAYS) is Creation.UPDATED
    assert (frontier.digest(), frontier.plan().policy.concurrency_limit) == ("d2", 9)
    assert urls(Listing(frontier).queued()) == [A]
    assert frontier.create(plan(digest="d3"), reset=True) is Creation.CREATED
    assert (Listing(frontier).queued(), frontier.snapshot().generation) == ([], 2)


def test_a_crawl_that_has_ended_begins_again_only_on_a_reset(begin):
    frontier, _ = begin(A)
    frontier.finish(take(frontier), A)
    assert frontier.create(plan()) is Creation.FINISHED
    assert frontier.create(plan(), reset=True) is Creation.CREATED


def test_a_crawl_that_does_not_exist_has_and_takes_no_pages(redis):
    frontier = Frontier(redis, "shop")
    with pytest.raises(FrontierRefused, match="no crawl"):
        frontier.enqueue([Page(A)])
    assert frontier.claim("w1").outcome is Outcome.FINISHED
    assert frontier.wake().tickets == ()
    assert frontier.tick().status is None


@pytest.mark.parametrize("name", ["", "a b", "a{b}", "x" * 65, "a:b"])
def test_a_name_that_no_key_can_hold_is_refused(redis, name):
    with pytest.raises(FrontierRefused, match="cannot name a crawl"):
        Frontier(redis, name)


def test_clearing_deletes_every_key_of_the_crawl_and_no_other(begin, redis):
    redis.set("mine", 1)
    other = Frontier(redis, "other")
    other.create(plan())
    frontier, _ = begin(
        pages=[Page(f"{A}/{n}", lane=f"h{n}", priority=Priority(n % 3)) for n in range(300)],
        delay=1,
    )
    claim = take(frontier)
    frontier.finish(claim, A, result="1")
    frontier.fail(take(frontier), FailureClass.TERMINAL, "404")
    frontier.fail(take(frontier), FailureClass.RETRY, "timeout")
    frontier.wake()
    frontier.take_timer(5)
    late = take(frontier)
    before = {key for key in redis.keys("*") if b"{shop}" in key}

    assert frontier.clear() == len(before)
    assert [key for key in redis.keys("*") if b"{shop}" in key] == []
    assert sorted(redis.keys("*")) == sorted([b"mine", b"crawls", b"crawl:{other}:meta"])
    assert Frontier.names(redis) == ["other"]
    with pytest.raises(FrontierRefused):
        frontier.finish(late, A)


def test_two_crawls_and_two_prefixes_do_not_meet(redis):
    frontiers = [
        Frontier(redis, "a"),
        Frontier(redis, "b"),
        Frontier(redis, "a", prefix="staging:"),
    ]
    for frontier in frontiers:
        frontier.create(plan())
        frontier.enqueue([Page(A)])
    frontiers[0].finish(take(frontiers[0]), A)
    assert [frontier.snapshot().done for frontier in frontiers] == [1, 0, 0]
    assert (Frontier.names(redis), Frontier.names(redis, "staging:")) == (["a", "b"], ["a"])


def test_a_key_of_another_type_and_another_schema_are_told_clearly(redis):
    frontier = Frontier(redis, "shop")
    redis.set(frontier.key("meta"), "x")
    with pytest.raises(FrontierMisfit, match="not its type"):
        frontier.create(plan())
    redis.delete(frontier.key("meta"))
    frontier.create(plan())
    redis.hset(frontier.key("meta"), "version", "99")
    with pytest.raises(FrontierMisfit, match="schema 99"):
        frontier.claim("w1")
