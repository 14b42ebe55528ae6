"""Pages and links are added once, in batches, within the limits of depth and number."""

from __future__ import annotations

from crawler.frontier.answers import Added
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import Page, Priority
from tests.support.frontier import A, B, C, D, plan, take, urls


def test_a_link_found_twice_is_queued_once(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    added = frontier.enqueue([Page(B, 1), Page(B, 1), Page(A, 1)], parent=entry)
    assert added == Added(new=1, known=2)
    assert [(page.url, page.depth) for page in Listing(frontier).queued()] == [(B, 1)]
    assert Listing(frontier).seen(B)
    assert not Listing(frontier).seen(C)


def test_a_page_knows_on_which_page_it_was_found(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    frontier.enqueue([Page(B, 1)], parent=entry)
    assert Listing(frontier).queued()[0].parent == entry.page.id


def test_links_that_are_too_deep_are_counted_and_stay_unknown(begin):
    frontier, _ = begin(A, depth_limit=1)
    entry = take(frontier)
    added = frontier.enqueue([Page(B, 1), Page(C, 2)], parent=entry, skipped={"scope": 3})
    assert added == Added(1, 0, {"depth": 1, "scope": 3})
    assert frontier.enqueue([Page(C, 1)], parent=entry).new == 1
    assert frontier.snapshot().counts["skipped_depth"] == 1


def test_queue_and_lane_limits_bound_what_waits(begin):
    frontier, _ = begin(A, queue_limit=2, host_page_limit=1)
    assert frontier.enqueue([Page(B), Page(C, lane="c"), Page(D, lane="d")]).skipped == {
        "lane": 1,
        "full": 1,
    }


def test_a_stale_claim_adds_no_links(begin):
    frontier, clock = begin(A, lease=1)
    lost = take(frontier)
    clock.advance(1)
    frontier.tick()
    assert frontier.enqueue([Page(B, 1)], parent=lost) == Added(0, 0, {"stale": 1})
    assert not Listing(frontier).seen(B)


def test_links_that_no_browser_could_open_are_skipped_and_counted(begin):
    frontier, _ = begin()
    added = frontier.enqueue(
        [
            Page("https://a.example/\ud800"),
            Page("data:" + "x" * 50_000),
            Page("https://a.example/\x00é“”"),
        ]
    )
    assert added == Added(1, 0, {"invalid": 2})
    assert take(frontier).page.url == "https://a.example/\x00é“”"


def test_pages_of_any_number_are_added_in_batches(begin):
    frontier, _ = begin()
    assert frontier.enqueue(Page(f"{A}/{n}") for n in range(1_001)) == Added(1_001, 0, {})
    assert [len(Listing(frontier).queued(0, 10_000)), len(Listing(frontier).queued(1_000, 10))] == [
        1_001,
        1,
    ]


def test_pages_at_the_front_keep_their_order(begin):
    frontier, _ = begin(A)
    frontier.enqueue([Page(B), Page(C)], front=True)
    assert urls(Listing(frontier).queued()) == [B, C, A]


def test_long_urls_are_added_in_smaller_batches(begin, monkeypatch):
    frontier, _ = begin()
    calls: list[int] = []
    run = frontier.run_script
    monkeypatch.setattr(
        frontier, "run_script", lambda *args: calls.append((len(args) - 5) // 3) or run(*args)
    )
    assert frontier.enqueue(Page(f"{A}?{n}{'x' * 16_000}") for n in range(100)).new == 100
    assert max(calls) == 6


def test_priorities_are_served_in_order_within_a_lane(begin):
    frontier, _ = begin(
        pages=[Page(A, priority=Priority.LOW), Page(B), Page(C, priority=Priority.HIGH)]
    )
    assert [take(frontier).page.url for _ in range(3)] == [C, B, A]


def test_everything_about_a_page_comes_back_from_the_queue(begin):
    page = Page(
        A + '?q="quoted\\"]', 2, A, "shop.example_8080", Priority.HIGH, 0, 0, "00ff00ff00ff00ff"
    )
    frontier, _ = begin(pages=[page])
    claimed = take(frontier).page
    assert claimed == Page(
        page.url, 2, A, "shop.example_8080", Priority.HIGH, 1, 0, "00ff00ff00ff00ff"
    )
    assert claimed.id == page.id


def test_a_lane_whose_name_no_key_can_hold_gets_one_that_can(begin):
    frontier, _ = begin(
        pages=[
            Page(A, lane="[::1]:80"),
            Page(B, lane="0", priority=Priority.HIGH),
            Page(C, priority=Priority.HIGH),
        ]
    )
    assert sorted((page.url, page.lane) for page in Listing(frontier).queued()) == [
        (A, "___1__80"),
        (B, "0_"),
        (C, ""),
    ]


def test_known_urls_are_kept_in_intsets_of_any_number(redis):
    frontier = Frontier(redis, "shop", buckets=1)
    frontier.create(plan())
    assert frontier.enqueue(Page(f"{A}/{n}") for n in range(6_000)).new == 6_000
    assert frontier.enqueue(Page(f"{A}/{n}") for n in range(6_000)).known == 6_000
    assert redis.hget(frontier.key("meta"), "splits") == b"31"
    buckets = [key for key in redis.keys("*") if b":seen:" in key]
    assert {redis.object("encoding", key) for key in buckets} == {b"intset"}
    assert sum(redis.scard(key) for key in buckets) == 6_000
