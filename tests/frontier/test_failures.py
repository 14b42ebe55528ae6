"""The class of a failure decides what becomes of a page, its host and the crawl."""

from __future__ import annotations

import pytest

from crawler.frontier.listing import Listing
from crawler.model import FailureClass, Outcome, Page, Status
from tests.support.frontier import A, B, C, take, urls


def test_a_retryable_failure_backs_off_and_ends_among_the_failed(begin):
    frontier, clock = begin(A, attempts=2, backoff=5)
    ending = frontier.fail(take(frontier), FailureClass.RETRY, "timeout")
    assert (ending.ended, ending.retry_in <= 5) == (False, True)
    assert urls(Listing(frontier).delayed()) == [A]
    clock.advance(5)
    ending = frontier.fail(take(frontier), FailureClass.RETRY, "timeout", status=504)
    assert (ending.ended, ending.retry_in) == (True, None)

    (letter,) = Listing(frontier).failed()
    assert (letter.page.url, letter.page.attempt, letter.reason, letter.status) == (
        A,
        2,
        "timeout",
        504,
    )
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.reason) == (
        Status.FAILED,
        "no page was done (last failure: timeout)",
    )
    assert snapshot.reasons == {"timeout": 1}


@pytest.mark.parametrize("failure", [FailureClass.TERMINAL, FailureClass.HOOK])
def test_a_terminal_failure_is_not_retried(begin, failure):
    frontier, _ = begin(A, B)
    assert frontier.fail(take(frontier), failure, "gone", status=410).retry_in is None
    assert [letter.failure for letter in Listing(frontier).failed()] == [failure]


def test_a_reason_with_half_a_character_is_reported_and_capped(begin):
    frontier, _ = begin(A, B)
    frontier.fail(take(frontier), FailureClass.HOOK, "no price in \ud83d" + "x" * 5_000)
    (letter,) = Listing(frontier).failed()
    assert letter.reason.startswith("no price in \ufffdx")
    assert len(letter.reason) <= 400


def test_a_page_that_crashes_twice_is_poison(begin):
    frontier, clock = begin(A, B, backoff=0)
    frontier.fail(take(frontier), FailureClass.CRASH, "tab")
    clock.advance(1)
    frontier.finish(take(frontier), B)  # the one that crashed waits with low priority
    frontier.fail(take(frontier), FailureClass.CRASH, "tab")
    assert [(letter.page.url, letter.reason) for letter in Listing(frontier).failed()] == [
        (A, "poison")
    ]
    assert frontier.snapshot().status is Status.FINISHED


def test_a_failure_of_the_infrastructure_burns_no_attempt_and_holds_the_crawl(begin):
    frontier, clock = begin(A, B)
    for wait in (1, 2, 4):
        ending = frontier.fail(take(frontier), FailureClass.INFRA, "no session")
        assert ending.retry_in == wait
        turn = frontier.claim("w1")
        assert (turn.outcome, turn.wait) == (Outcome.WAIT, wait)
        assert frontier.snapshot().held_until is not None
        clock.advance(wait)
    claim = take(frontier)
    assert (claim.page.url, claim.page.attempt) == (A, 1)  # at the head again
    frontier.finish(claim, A)
    assert frontier.fail(take(frontier), FailureClass.INFRA, "no session").retry_in == 1
    assert frontier.snapshot().counts["started"] == 1


def test_a_page_over_which_the_endpoint_keeps_breaking_off_is_suspected(begin):
    frontier, clock = begin(A, B, crash_strikes=2)
    for wait in (1, 2, 4):
        assert frontier.fail(take(frontier), FailureClass.AWAY, "browser_away").retry_in == wait
        clock.advance(wait)
    # three times a restart of the Grid may have met it
    assert frontier.snapshot().counts.get("crashed", 0) == 0
    frontier.fail(take(frontier), FailureClass.AWAY, "browser_away")
    assert frontier.snapshot().counts["crashed"] == 1
    clock.advance(1)
    other = take(frontier)
    assert (other.page.url, other.page.attempt) == (B, 1)
    frontier.fail(other, FailureClass.AWAY, "browser_away")  # one outage is nobody's fault
    clock.advance(60)
    frontier.finish(take(frontier), B)
    assert frontier.fail(take(frontier), FailureClass.AWAY, "browser_away").retry_in is None
    assert [(letter.page.url, letter.reason) for letter in Listing(frontier).failed()] == [
        (A, "poison")
    ]
    assert frontier.snapshot().status is Status.FINISHED


def test_a_throttled_host_is_left_in_peace_while_others_go_on(begin):
    frontier, clock = begin(
        pages=[Page(A, lane="a"), Page(B, lane="a"), Page(C, lane="b")], retry_after_cap=100
    )
    ending = frontier.fail(
        take(frontier), FailureClass.THROTTLE, "429", status=429, delay=10 * 365 * 86_400
    )
    assert ending.retry_in == 100
    frontier.finish(take(frontier), C)
    turn = frontier.claim("w1")
    assert (turn.outcome, turn.wait) == (Outcome.WAIT, 100)
    clock.advance(100)
    assert (take(frontier).page.url, take(frontier).page.url) == (A, B)


def test_a_host_that_throttles_for_ever_does_not_keep_the_crawl_alive(begin):
    frontier, clock = begin(A, attempts=3)
    for _ in range(3):
        frontier.fail(take(frontier), FailureClass.THROTTLE, "throttled", status=429)
        clock.advance(60)
    assert frontier.snapshot().status is Status.FAILED


def test_a_host_that_keeps_failing_is_snoozed_ever_longer_then_given_up(begin):
    pages = [Page(f"{A}/{n}", lane="a") for n in range(30)] + [Page(B, lane="b")]
    frontier, clock = begin(
        pages=pages, attempts=1, breaker_failures=3, breaker_snooze=60, breaker_trips=2
    )
    claims = [take(frontier) for _ in range(4)]
    frontier.finish(next(claim for claim in claims if claim.page.url == B), B)
    for claim in claims:
        if claim.page.url != B:
            frontier.fail(claim, FailureClass.RETRY, "refused")
    assert frontier.claim("w1").wait == 60
    clock.advance(60)
    frontier.fail(take(frontier), FailureClass.RETRY, "refused")
    assert frontier.claim("w1").wait == 120
    clock.advance(120)
    frontier.fail(take(frontier), FailureClass.RETRY, "refused")

    turn = frontier.claim("w1")
    assert (turn.outcome, turn.ended) == (Outcome.FINISHED, True)
    snapshot = frontier.snapshot()
    assert snapshot.reasons == {"refused": 5, "breaker": 25}
    assert (snapshot.failed, snapshot.counts["started"]) == (30, 6)


def test_one_success_forgives_a_host(begin):
    frontier, _ = begin(*(f"{A}/{n}" for n in range(9)), attempts=1, breaker_failures=3)
    for n in range(9):
        claim = take(frontier)
        if n % 3 == 2:
            frontier.finish(claim, A)
        else:
            frontier.fail(claim, FailureClass.RETRY, "refused")
    assert frontier.snapshot().status is Status.FINISHED
