"""A lane serves one page per delay, and no more at once than its host may take."""

from __future__ import annotations

from crawler.frontier.answers import Renewal
from crawler.model import FailureClass, Outcome, Page
from tests.support.frontier import A, B, C, take


def test_two_claims_of_one_lane_are_never_closer_than_the_delay(begin):
    pages = [Page(f"{A}/{n}", lane=f"h{n % 3}") for n in range(12)]
    frontier, clock = begin(pages=pages, delay=1.0, jitter=True, concurrency_limit=12)
    last: dict[str, int] = {}
    claimed = 0
    while claimed < 12:
        turn = frontier.claim("w1")
        if turn.claim is None:
            assert turn.outcome is Outcome.WAIT
            clock.advance(turn.wait)
            continue
        lane = turn.claim.page.lane
        assert clock.now - last.get(lane, 0) >= 1_000
        last[lane] = clock.now
        claimed += 1
    assert clock.now - 1_000_000_000_000 <= 3 * 1_500


def test_lanes_are_served_round_robin(begin):
    frontier, _ = begin(
        pages=[Page(f"{lane}{n}", lane=lane) for lane in "xyz" for n in range(2)],
        concurrency_limit=6,
    )
    assert [take(frontier).page.url for _ in range(6)] == ["x0", "y0", "z0", "x1", "y1", "z1"]


def test_a_host_has_no_more_pages_in_flight_than_its_cap(begin):
    frontier, _ = begin(
        pages=[Page(A, lane="a"), Page(B, lane="a"), Page(C, lane="c")], host_concurrency=1
    )
    first, _second = take(frontier), take(frontier)
    assert frontier.claim("w1").outcome is Outcome.BUSY
    frontier.finish(first, A)
    assert take(frontier).page.url == B


def test_a_lane_can_be_slower_than_the_crawl(begin):
    frontier, clock = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=1)
    frontier.set_lane_delay("a", 5)
    take(frontier)
    assert frontier.claim("w1").wait == 5
    clock.advance(5)
    assert take(frontier).page.url == B


def test_a_paced_run_keeps_its_lane_until_it_requests(begin):
    frontier, clock = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=1)
    claim = take(frontier, paced=True)
    clock.advance(5)
    assert frontier.claim("w2").outcome is Outcome.BUSY
    assert frontier.sent(claim) is Renewal.OK
    assert frontier.claim("w2").wait == 1
    clock.advance(1)
    assert take(frontier).page.url == B


def test_the_automatic_throttle_follows_the_host(begin):
    frontier, clock = begin(*(f"{A}/{n}" for n in range(5)), throttle=True)
    claim = take(frontier)
    clock.advance(4)
    frontier.finish(claim, A)
    take(frontier)
    assert frontier.claim("w1").wait == 2


def test_a_blocked_lane_waits_and_is_free_again(begin):
    frontier, clock = begin(A)
    frontier.fail(take(frontier), FailureClass.THROTTLE, "http_429", delay=60)
    assert frontier.claim("w1").wait == 60
    clock.advance(60)
    assert take(frontier).page.url == A
