"""What an operator's screen reads of a crawl: the course of its counts, the steps of pages in
flight, results of late, and hosts.
"""

from __future__ import annotations

import json
from itertools import pairwise

from crawler.frontier.answers import Sample
from crawler.frontier.listing import Listing
from crawler.model import Page
from tests.support.frontier import A, B, take


def test_ticks_of_many_workers_write_one_sample_each_ten_seconds(begin):
    # Given a crawl of which a page is done, and another in flight
    frontier, clock = begin(A, B)
    frontier.finish(take(frontier), A)
    take(frontier)
    # When three workers tick, for ten seconds and longer than an hour
    for _ in range(3):
        frontier.tick()
    first = Listing(frontier).history()
    for _ in range(400):
        clock.advance(10)
        frontier.tick()
        frontier.tick()
    # Then there is a sample for the ticks of each ten seconds, and the last hour is kept
    assert first == [Sample(1_000_000_000.0, 1, 0, 0, 0, 1)]
    last = Listing(frontier).history()
    assert len(last) == 360
    gaps = {round(after.at - before.at) for before, after in pairwise(last)}
    assert gaps == {10}
    # And they go with the crawl
    frontier.clear()
    assert frontier.redis.keys("*history*") == []


def test_a_renewal_tells_the_step_of_a_page_in_flight(begin):
    frontier, clock = begin(A, B)
    slow, fast = take(frontier), take(frontier)
    listing = Listing(frontier)
    clock.advance(25)
    frontier.renew(slow, "extract")
    frontier.renew(fast)
    claims = listing.processing()
    assert [claim.since for claim in claims] == [1_000_000_000.0] * 2
    assert listing.steps(claims) == {slow.page.id: "extract"}
    frontier.finish(slow, A)
    assert listing.steps(claims) == {}
    assert frontier.redis.exists(frontier.key("steps")) == 0


def test_results_of_late_come_newest_first_and_cut(begin):
    frontier, _ = begin(A, B)
    for text in ("x", "y" * 9_000):
        claim = take(frontier)
        frontier.finish(claim, claim.page.url, result=json.dumps({"data": text}))
    long, short = Listing(frontier).recent(size=100)
    assert (len(long.text), long.cut) == (100, True)
    assert (json.loads(short.text), short.cut) == ({"data": "x"}, False)
    assert len(Listing(frontier).recent(1)) == 1


def test_hosts_say_how_long_they_wait_and_why(begin):
    pages = [Page(A, lane="a"), Page(f"{A}2", lane="a"), Page(B, lane="b")]
    frontier, clock = begin(pages=pages, delay=30)
    take(frontier)
    listing = Listing(frontier)
    (waiting,) = listing.waiting_lanes()
    assert (waiting.name, waiting.place, waiting.queued, waiting.processing) == (
        *("a", "snoozed"),
        *(1, 1),
    )
    assert (waiting.due - clock.now / 1_000, waiting.why) == (30, "delay")
    assert listing.lane_sums() == (2, 1, 1)
    (other,) = listing.lane_states(["b"])
    assert (other.place, other.queued, other.why) == ("ready", 1, "delay")


def test_statuses_of_many_crawls_are_one_round_trip(begin):
    frontier, _ = begin(A)
    frontier.pause("me")
    names = ["shop", "nobody"]
    assert type(frontier).statuses(frontier.redis, names) == {"shop": "PAUSED"}
