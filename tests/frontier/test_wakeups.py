"""As many wake-ups are on their way as pages can be claimed, and lost ones are sent again."""

from __future__ import annotations

import pytest

from crawler.frontier.answers import Ending, Verdict, Wake
from crawler.model import FailureClass, Page
from tests.support.frontier import A, B, take


def test_as_many_wake_ups_are_granted_as_pages_can_be_claimed(begin):
    frontier, _ = begin(*(f"{A}/{n}" for n in range(10)), concurrency_limit=4)
    assert len(frontier.wake().tickets) == 4
    assert frontier.wake().tickets == ()  # they are on their way
    assert frontier.snapshot().tickets == 4


def test_each_finisher_starts_one_run(begin):
    frontier, _ = begin(*(f"{A}/{n}" for n in range(20)), concurrency_limit=10)
    claims = [take(frontier, ticket=ticket) for ticket in frontier.wake().tickets]
    granted = []
    for claim in claims:
        frontier.finish(claim, "-")
        granted.append(len(frontier.wake().tickets))
    assert granted == [1] * 10


@pytest.mark.parametrize("links", [[], [Page(f"{B}/1"), Page(f"{B}/2")]])
def test_a_report_may_bring_the_wake_ups_in_the_same_step(begin, links):
    frontier, _ = begin(*(f"{A}/{n}" for n in range(20)), concurrency_limit=10)
    claims = [take(frontier, ticket=ticket) for ticket in frontier.wake().tickets]
    tickets = [
        ticket
        for claim in claims
        for ticket in frontier.finish(claim, "-", links, wake={}).wake.tickets
    ]
    assert len(set(tickets)) == 10
    assert frontier.snapshot().tickets == 10
    assert take(frontier, ticket=tickets[-1])
    assert frontier.snapshot().tickets == 9


def test_a_finisher_without_wake_ups_learns_the_wait_and_tallies_count_once(begin):
    frontier, _ = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=3)
    claim = take(frontier)
    for ending in (Ending(Verdict.OK, wake=Wake((), 3)), Ending(Verdict.REPEATED)):
        assert frontier.finish(claim, "-", wake={"step:request:7": 2}) == ending
        assert frontier.tallies()["step:request:7"] == 2


def test_counts_among_the_sums_of_a_run_are_the_crawls(begin):
    frontier, _ = begin(A)
    frontier.finish(take(frontier), "-", wake={"count:cookies_cleared": 2, "step:request:7": 1})
    assert frontier.snapshot().counts["cookies_cleared"] == 2
    assert "count:cookies_cleared" not in frontier.tallies()


def test_an_advice_after_a_reason_makes_no_tally_of_its_own(begin):
    frontier, _ = begin(A)
    reason = "redirect_scope: leads to https://b.test/; to follow it, write allow"
    frontier.fail(take(frontier), FailureClass.TERMINAL, reason, status=200)
    assert frontier.tallies()["attempt:2xx:redirect_scope"] == 1


def test_who_ends_a_crawl_is_given_no_wake_up(begin):
    frontier, _ = begin(A)
    ending = frontier.finish(take(frontier), "-", wake={})
    assert (ending.ended, ending.wake) == (True, Wake())


def test_a_run_without_a_ticket_answers_the_oldest_wake_up(begin):
    frontier, _ = begin(A, B)
    assert len(frontier.wake().tickets) == 2
    take(frontier)
    assert frontier.snapshot().tickets == 1


def test_a_lost_wake_up_is_sent_again_when_its_ticket_expires(begin):
    frontier, clock = begin(A)
    assert len(frontier.tick().tickets) == 1
    assert frontier.tick().tickets == ()
    clock.advance(60)
    assert len(frontier.tick().tickets) == 1
    clock.advance(60)
    assert frontier.tick().tickets == ()  # twice as long each time: the broker may be slow
    clock.advance(60)
    assert len(frontier.tick().tickets) == 1


def test_a_ticket_is_kept_until_it_is_given_back(begin):
    frontier, clock = begin(A)
    (ticket,) = frontier.wake().tickets
    clock.advance(59)
    assert frontier.tick().tickets == ()
    frontier.drop_ticket(ticket)
    assert len(frontier.wake().tickets) == 1


def test_no_wake_ups_while_the_crawl_is_held_paused_or_full(begin):
    frontier, clock = begin(A, B, concurrency_limit=1)
    frontier.hold(10)
    assert frontier.wake().tickets == ()
    clock.advance(10)
    frontier.pause()
    assert frontier.wake().tickets == ()
    frontier.resume()
    take(frontier)
    assert frontier.wake().tickets == ()


def test_without_wake_ups_the_wait_for_work_is_returned(begin):
    frontier, clock = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=3)
    assert (len(frontier.wake().tickets), frontier.wake().wait) == (1, None)
    claim = take(frontier)
    assert frontier.wake() == Wake((), 3)
    frontier.fail(claim, FailureClass.INFRA, "no session", delay=10)
    assert frontier.wake() == Wake((), 10)
    clock.advance(10)
    assert len(frontier.wake().tickets) == 1


def test_one_run_at_a_time_sends_the_wake_up_for_later(begin):
    frontier, clock = begin(A)
    assert frontier.take_timer(10) is not None
    assert frontier.take_timer(20) is None
    assert frontier.take_timer(5) is not None  # it is due earlier
    clock.advance(5)
    assert frontier.take_timer(10) is not None
