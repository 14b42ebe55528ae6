"""What a hook decides about a page reaches the frontier, and is counted."""

from __future__ import annotations

import pytest

from crawler.frontier.kinds import kind_of
from crawler.frontier.listing import Listing
from crawler.model import FailureClass
from crawler.output.report import lines, report
from tests.support.frontier import A, B, take, urls


def test_a_retry_waits_as_long_as_its_hook_asks(begin):
    frontier, clock = begin(A, backoff=60)
    ending = frontier.fail(take(frontier), FailureClass.RETRY, "retry: half loaded", delay=2.5)
    assert ending.retry_in == 2.5
    clock.advance(2.5)
    assert take(frontier).page.attempt == 2


def test_a_blocked_page_keeps_its_host_waiting(begin):
    frontier, clock = begin(A, B, delay=0.001, jitter=False)
    ending = frontier.fail(take(frontier), FailureClass.THROTTLE, "blocked: captcha", delay=7)
    assert ending.retry_in == 7
    turn = frontier.claim("w1")
    assert (turn.claim, turn.wait) == (None, 7)
    clock.advance(7)
    assert take(frontier).page.url == A


def test_a_hook_that_raises_may_be_called_more_often(begin):
    frontier, clock = begin(A, B, hook_attempts=2, backoff=1)
    assert frontier.fail(take(frontier), FailureClass.HOOK, "extract: KeyError: 'x'").retry_in
    frontier.finish(take(frontier), B)
    clock.advance(1)
    ending = frontier.fail(take(frontier), FailureClass.HOOK, "extract: KeyError: 'x'")
    assert ending.retry_in is None
    assert urls([letter.page for letter in Listing(frontier).failed()]) == [A]


def test_decisions_are_counted_by_reason_with_an_example(begin):
    frontier, _ = begin(A, B, attempts=2, backoff=1)
    for reason in ("blocked: captcha", "blocked: captcha"):
        frontier.fail(take(frontier), FailureClass.THROTTLE, reason, delay=0)
    frontier.finish(take(frontier), B, skipped_for="sold out: über")
    snapshot = frontier.snapshot()
    assert snapshot.decisions == {"blocked": {"captcha": 2}, "skip": {"sold out: über": 1}}
    assert snapshot.reasons == {"blocked: captcha": 1}
    facts = report(snapshot)
    assert facts["decision_examples"] == {"blocked:captcha": A, "skip:sold out: über": B}
    assert f"           captcha: {A}" in lines(snapshot)


@pytest.mark.parametrize(
    ("failure", "reason", "kind"),
    [
        (FailureClass.RETRY, "retry: half loaded", "retry: half loaded"),
        (FailureClass.THROTTLE, "blocked: captcha", "blocked: captcha"),
        (FailureClass.TERMINAL, "blocked: see the field block", "blocked"),
        (FailureClass.RETRY, "timeout", "timeout"),
    ],
)
def test_a_decision_is_a_kind_of_its_own_for_both_who_count(begin, failure, reason, kind):
    frontier, _ = begin(A, B, attempts=1)
    frontier.fail(take(frontier), failure, reason)
    assert kind_of(failure, reason) == kind
    assert frontier.snapshot().reasons == {kind: 1}


def test_reasons_without_number_are_counted_as_other(begin):
    frontier, _ = begin(*(f"{A}?{n}" for n in range(120)))
    for n in range(120):
        frontier.finish(take(frontier), A, skipped_for=f"no {n}")
    skips = frontier.snapshot().decisions["skip"]
    assert (len(skips), skips["other"], sum(skips.values())) == (101, 20, 120)
