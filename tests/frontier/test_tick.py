"""A tick does what no run is there to do, alarms, and asks for the hook of the end."""

from __future__ import annotations

from crawler.model import FailureClass, Outcome, Page, Status
from tests.support.frontier import A, B, take


def test_a_retry_due_in_twenty_minutes_keeps_an_idle_crawl_alive(begin):
    frontier, clock = begin(A, retry_after_cap=3_600)
    assert (
        frontier.fail(take(frontier), FailureClass.RETRY, "503", status=503, delay=1_200).retry_in
        == 1_200
    )
    tick = frontier.tick()
    assert (tick.status, tick.tickets, tick.ended) == (Status.ACTIVE, (), False)
    assert frontier.claim("w1").wait == 1_200
    clock.advance(1_200)
    assert len(frontier.tick().tickets) == 1
    assert take(frontier).page.attempt == 2


def test_a_tick_does_what_no_run_is_there_to_do(begin):
    frontier, clock = begin(A, attempts=1, lease=60)
    take(frontier)
    clock.advance(60)
    tick = frontier.tick()
    assert (tick.reaped, tick.ended, tick.status) == (1, True, Status.FAILED)


def test_a_tick_alarms_when_no_page_is_claimed(begin):
    frontier, clock = begin(A)
    clock.advance(601)
    assert "are workers running" in " ".join(frontier.tick().alarms)


def test_the_end_hook_is_asked_for_until_it_is_done(begin):
    frontier, clock = begin(A)
    assert frontier.finish(take(frontier), A).ended
    assert not frontier.tick().ended
    clock.advance(60)
    assert frontier.tick().ended
    assert not frontier.tick().ended
    frontier.end_hook_done()
    clock.advance(60)
    assert not frontier.tick().ended


def test_an_open_seed_loader_keeps_an_empty_crawl_alive(begin):
    frontier, _ = begin(A)
    frontier.open_producer("sitemap")
    frontier.finish(take(frontier), A)
    assert frontier.claim("w1").outcome is Outcome.EMPTY
    frontier.enqueue([Page(B)])
    frontier.finish(take(frontier), B)
    assert frontier.close_producer("sitemap") is True
    assert frontier.snapshot().status is Status.FINISHED


def test_a_seed_loader_that_died_keeps_nothing_alive(begin):
    frontier, clock = begin(A)
    frontier.open_producer("sitemap", 60)
    frontier.finish(take(frontier), A)
    clock.advance(60)
    assert frontier.tick().ended


def test_a_crawl_without_any_seed_has_failed(begin):
    frontier, _ = begin()
    frontier.open_producer("seeds")
    assert frontier.close_producer("seeds") is True
    assert (frontier.snapshot().status, frontier.snapshot().reason) == (
        Status.FAILED,
        "no page was done",
    )
