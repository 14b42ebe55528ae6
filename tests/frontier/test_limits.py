"""Limits on pages, items, errors and time end a crawl, and can be raised."""

from __future__ import annotations

import pytest

from crawler.errors import FrontierRefused
from crawler.model import FailureClass, Outcome, Status
from tests.support.frontier import A, B, C, D, take


def test_a_page_limit_counts_the_pages_begun_and_lets_their_retries_finish(begin):
    frontier, clock = begin(A, B, C, page_limit=2)
    first, second = take(frontier), take(frontier)
    assert frontier.snapshot().status is Status.DRAINING
    frontier.fail(first, FailureClass.RETRY, "timeout", delay=5)
    frontier.finish(second, B)
    assert frontier.claim("w1").outcome is Outcome.WAIT
    assert frontier.wake().tickets == ()
    clock.advance(5)
    assert len(frontier.wake().tickets) == 1
    retried = take(frontier)
    assert retried.page.url == A
    assert frontier.finish(retried, A).ended
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.reason, snapshot.queued) == (
        Status.FINISHED,
        "page limit 2 reached",
        1,
    )


def test_a_page_limit_on_done_pages_is_met_exactly(begin):
    frontier, _ = begin(A, B, C, D, page_limit=2, page_limit_counts="done")
    first, second = take(frontier), take(frontier)
    assert frontier.claim("w1").outcome is Outcome.BUSY
    frontier.fail(first, FailureClass.TERMINAL, "404")
    third = take(frontier)
    frontier.finish(second, B)
    assert frontier.finish(third, C).ended
    assert (frontier.snapshot().done, frontier.snapshot().reason) == (2, "page limit 2 reached")


def test_a_limit_that_cuts_nothing_off_is_no_reason(begin):
    frontier, _ = begin(A, page_limit=1)
    frontier.finish(take(frontier), A)
    assert (frontier.snapshot().status, frontier.snapshot().reason) == (Status.FINISHED, None)


def test_a_crawl_goes_on_with_a_higher_limit_where_it_ended(begin):
    frontier, _ = begin(A, B, page_limit=1)
    frontier.finish(take(frontier), A)
    frontier.set_limits(page_limit=None)
    with pytest.raises(FrontierRefused, match="re-opened"):
        frontier.resume()
    assert frontier.resume(reopen=True) is Status.ACTIVE
    assert frontier.finish(take(frontier), B).ended


def test_a_limit_that_is_raised_in_time_drains_nothing(begin):
    frontier, _ = begin(A, B, page_limit=1)
    take(frontier)
    assert frontier.set_limits(page_limit=5) is Status.ACTIVE
    assert take(frontier).page.url == B


def test_limits_that_do_not_exist_or_make_no_sense_are_refused(begin):
    frontier, _ = begin(A)
    for wrong in (
        {"pages": 3},
        {"page_limit": -1},
        {"page_limit": "many"},
        {"page_limit_counts": "seen"},
        {"delay": None},
    ):
        with pytest.raises(FrontierRefused):
            frontier.set_limits(**wrong)


def test_the_time_limit_counts_active_time_only(begin):
    frontier, clock = begin(A, B, time_limit=60)
    take(frontier)
    clock.advance(50)
    frontier.pause()
    clock.advance(1_000)
    frontier.resume()
    clock.advance(9)
    claim = take(frontier)
    clock.advance(1)
    assert frontier.claim("w1").outcome is Outcome.STOPPED
    frontier.finish(claim, B)
    frontier.release("w1")
    assert frontier.tick().ended
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.reason, snapshot.active) == (
        Status.STOPPED,
        "time limit 60 s reached",
        60,
    )


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"idle_limit": 30}, "idle limit 30 s reached"),
        ({"error_limit": 1}, "error limit 1 reached"),
        ({"item_limit": 1}, "item limit 1 reached"),
    ],
)
def test_every_limit_ends_the_crawl_with_its_reason(begin, limits, reason):
    frontier, clock = begin(A, B, C, **limits)
    first, second = take(frontier), take(frontier)
    frontier.finish(first, A, item=True)
    frontier.fail(second, FailureClass.TERMINAL, "404")
    if "idle_limit" in limits:
        clock.advance(30)
    turn = frontier.claim("w1")
    assert turn.claim is None
    assert frontier.snapshot().reason == reason
    assert frontier.snapshot().status.ended
