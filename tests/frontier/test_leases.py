"""A page whose worker falls silent is taken back; a lease is renewed up to a deadline."""

from __future__ import annotations

from crawler.frontier.answers import Renewal, Verdict
from crawler.frontier.listing import Listing
from crawler.model import Page, Priority
from tests.support.frontier import A, B, C, take, urls


def test_a_page_whose_worker_fell_silent_is_done_by_another(begin):
    frontier, clock = begin(A, lease=60, backoff=0)
    lost = take(frontier)
    clock.advance(59)
    assert frontier.tick().reaped == 0
    clock.advance(1)
    assert frontier.tick().reaped == 1
    assert frontier.renew(lost) is Renewal.STALE
    assert frontier.finish(lost, A).verdict is Verdict.STALE

    clock.advance(1)
    again = take(frontier, "w2")
    assert (again.page.attempt, again.page.strikes, again.page.priority) == (2, 1, Priority.LOW)
    assert frontier.finish(lost, A).verdict is Verdict.STALE  # though the page is in flight again
    assert frontier.renew(lost) is Renewal.STALE
    assert frontier.finish(again, A).ended
    counts = frontier.snapshot().counts
    assert (counts["reaped"], counts["crashed"], counts["stale"], counts["started"]) == (1, 1, 2, 1)


def test_taking_back_the_last_page_may_end_the_crawl(begin):
    frontier, clock = begin(A, attempts=1, lease=60)
    take(frontier)
    clock.advance(60)
    tick = frontier.tick()
    assert (tick.reaped, tick.ended) == (1, True)


def test_a_lease_is_renewed_even_late_but_never_beyond_the_hard_deadline(begin):
    frontier, clock = begin(A, lease=60, page_deadline=100)
    claim = take(frontier)
    clock.advance(70)
    assert frontier.renew(claim) is Renewal.OK
    clock.advance(29)
    assert frontier.renew(claim) is Renewal.OK
    clock.advance(1)
    assert frontier.renew(claim) is Renewal.STALE
    assert frontier.tick().reaped == 1


def test_a_jump_of_the_clock_takes_back_ten_pages_at_most(begin):
    frontier, clock = begin(*(f"{A}/{n}" for n in range(30)), concurrency_limit=30)
    for _ in range(30):
        take(frontier)
    clock.advance(3_600)
    assert frontier.tick(limit=100).reaped == 10


def test_a_worker_gives_back_what_it_holds_and_nothing_else(begin):
    frontier, _ = begin(A, B)
    take(frontier, "w1")
    kept = take(frontier, "w2")
    assert frontier.release("w1") == 1
    assert Listing(frontier).processing() == [kept]
    again = take(frontier, "w3")
    assert (again.page.url, again.page.attempt) == (A, 1)


def test_everything_is_given_back_when_no_worker_is_alive(begin):
    frontier, _ = begin(A, B)
    assert len(frontier.wake().tickets) == 2
    take(frontier, "w1")
    take(frontier, "w2")
    frontier.hold(60)
    frontier.enqueue([Page(C)])
    assert frontier.recover() == 2
    assert frontier.snapshot().tickets == 0
    assert sorted(urls(Listing(frontier).queued())) == [A, B, C]
    assert take(frontier).page.attempt == 1
