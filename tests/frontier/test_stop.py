"""A crawl is stopped, cancelled, paused and resumed; pages in flight finish."""

from __future__ import annotations

import pytest

from crawler.errors import FrontierRefused
from crawler.frontier.answers import Renewal
from crawler.frontier.listing import Listing
from crawler.model import FailureClass, Outcome, Page, Status
from tests.support.frontier import A, B, C, D, take, urls


def test_stopping_lets_pages_in_flight_finish_and_keeps_the_queue(begin):
    frontier, _ = begin(A, B)
    claim = take(frontier)
    assert frontier.stop("enough") is False
    assert frontier.snapshot().status is Status.STOPPING
    assert frontier.claim("w2").outcome is Outcome.STOPPED
    assert frontier.refusal() is Outcome.STOPPED
    assert frontier.enqueue([Page(C, 1)], parent=claim).new == 1
    with pytest.raises(FrontierRefused, match=r"STOPPING \(enough\)"):
        frontier.enqueue([Page(D)])
    assert frontier.renew(claim) is Renewal.OK
    assert frontier.finish(claim, A).ended is True
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.reason, snapshot.queued) == (Status.STOPPED, "enough", 2)


def test_stopping_an_idle_crawl_ends_it_at_once(begin):
    frontier, _ = begin(A)
    assert frontier.stop() is True
    assert frontier.stop() is False
    assert frontier.snapshot().status is Status.STOPPED


def test_cancelling_tells_the_heartbeats(begin):
    frontier, _ = begin(A)
    claim = take(frontier)
    frontier.cancel()
    assert frontier.renew(claim) is Renewal.CANCEL
    assert frontier.fail(claim, FailureClass.INFRA, "cancelled").ended
    assert urls(Listing(frontier).queued()) == [A]


def test_a_paused_crawl_hands_out_nothing_and_takes_what_finishes(begin):
    frontier, _ = begin(A, B)
    claim = take(frontier)
    assert frontier.pause() is Status.PAUSED
    assert frontier.claim("w1").outcome is Outcome.PAUSED
    assert frontier.refusal("ticket") is Outcome.PAUSED
    frontier.enqueue([Page(C, 1)], parent=claim)
    assert frontier.finish(claim, A).ended is False
    assert frontier.resume() is Status.ACTIVE
    assert take(frontier).page.url == B


def test_a_crawl_whose_last_page_finishes_in_a_pause_ends_on_resume(begin):
    frontier, _ = begin(A)
    claim = take(frontier)
    frontier.pause()
    frontier.finish(claim, A)
    assert frontier.snapshot().status is Status.PAUSED
    assert frontier.resume() is Status.FINISHED


def test_a_crawl_that_is_over_cannot_be_paused(begin):
    frontier, _ = begin(A)
    frontier.stop()
    with pytest.raises(FrontierRefused, match="cannot be paused"):
        frontier.pause()
