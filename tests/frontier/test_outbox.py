"""The outbox: which deliveries are taken back, given up, held up and found again."""

from __future__ import annotations

from crawler.frontier.frontier import Frontier
from crawler.frontier.outbox import Outbox
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.model import FailureClass, Outcome, Page, Plan, Policy, Status
from tests.support.frontier import A, B, C, take


def done(frontier: Frontier, url: str, worker: str = "w1") -> str:
    """Report the next page, at ``url``, as done; return the name of the delivery of its result."""
    claim = take(frontier, worker)
    frontier.finish(claim, url, result=f'{{"url": "{url}"}}', deliver=True)
    return f"after-{claim.page.id}"


def given_up(outbox: Outbox, name: str, worker: str = "w1") -> None:
    """Let the hook raise until no attempt is left."""
    while outbox.failed(name, "OSError: disk full", worker).retry_in is not None:
        outbox.take(name, worker)


def test_only_the_worker_that_makes_an_attempt_may_end_it(begin):
    # Given a delivery that another worker makes again, as the first one fell silent
    frontier, _ = begin(A)
    outbox, name = Outbox(frontier), done(frontier, A)
    assert outbox.take(name, "w2").attempts == 2
    # Then the late word of the first one changes nothing
    assert not frontier.wake({}, [name], "w1").ended
    assert not outbox.failed(name, "OSError", "w1").accepted
    assert [one.worker for one in outbox.waiting()] == ["w2"]
    # And that of the second one ends the crawl
    assert frontier.wake({}, [name], "w2").ended


def test_a_crawl_begun_again_keeps_deliveries_of_the_same_page(begin):
    frontier, _ = begin(A)
    name = done(frontier, A, "old")
    frontier.clear()
    frontier, _ = begin(A)
    assert done(frontier, A, "new") == name
    frontier.wake({}, [name], "old")
    assert len(Outbox(frontier).waiting()) == 1


def test_a_crawl_that_waits_for_hooks_shows_number_and_last_error(begin):
    frontier, clock = begin(A, idle_limit=60)
    outbox, name = Outbox(frontier), done(frontier, A)
    wait = outbox.failed(name, "OSError: disk full (shop.py:7)", "w1").retry_in
    assert frontier.snapshot().delivering == 1
    (waiting,) = outbox.waiting()
    assert waiting.record() == {
        "hook": "after",
        "url": A,
        "attempts": 1,
        "reason": "OSError: disk full (shop.py:7)",
        "worker": None,
        "wait": round(wait, 1),
    }
    # It is complete but for its hooks: no limit on idle time makes less of it
    clock.advance(600)
    assert frontier.tick().tickets == (f"deliver-{name}",)
    assert frontier.snapshot().status is Status.ACTIVE
    outbox.take(name, "w1")
    assert frontier.wake({}, [name], "w1").ended
    assert frontier.snapshot().status is Status.FINISHED


def test_a_stopped_crawl_delivers_again_without_beginning_pages(begin):
    # Given a crawl that was stopped with pages in its queue and a dead letter
    frontier, _ = begin(A, B)
    outbox, name = Outbox(frontier), done(frontier, A)
    given_up(outbox, name)
    frontier.stop("enough")
    assert frontier.snapshot().status is Status.STOPPED
    # When its hooks are called again
    assert outbox.redeliver() == 1
    # Then no page is begun, and it ends as it did
    assert frontier.claim("w1").outcome is not Outcome.PAGE
    assert frontier.tick().tickets == (f"deliver-{name}",)
    outbox.take(name, "w1")
    assert frontier.wake({}, [name], "w1").ended
    seen = frontier.snapshot()
    assert (seen.status, seen.reason, seen.queued) == (Status.STOPPED, "enough", 1)
    assert seen.counts["undelivered"] == 0


def test_pause_and_cancel_leave_deliveries_to_the_tick(begin):
    for steer in (Frontier.pause, Frontier.cancel):
        frontier, clock = begin(A, B)
        name = done(frontier, A)
        steer(frontier)
        clock.advance(3_600)
        assert f"deliver-{name}" in frontier.tick().tickets
        assert not frontier.snapshot().status.ended
        frontier.clear()


def test_a_ticket_that_could_not_be_sent_is_due_at_once(begin):
    frontier, clock = begin(A)
    name = done(frontier, A)
    clock.advance(3_600)
    (ticket,) = frontier.tick().tickets
    assert frontier.tick().tickets == ()
    frontier.drop_ticket(ticket)
    assert frontier.tick().tickets == (f"deliver-{name}",)


def test_many_failing_deliveries_hold_the_crawl_until_one_succeeds(begin):
    frontier, clock = begin(A, B)
    outbox, name = Outbox(frontier), done(frontier, A)
    others = {f"after-{number:016x}": '1\n\n""\n\n{}' for number in range(999)}
    frontier.redis.hset(frontier.key("outbox"), mapping=others)
    wait = outbox.failed(name, "OSError: disk full", "w1").retry_in
    turn = frontier.claim("w1")
    assert (turn.claim, turn.wait) == (None, wait)
    clock.advance(wait)
    assert take(frontier).page.url == B


def test_ten_thousand_dead_letters_stop_the_crawl_with_a_reason(begin):
    frontier, _ = begin(A, B)
    frontier.redis.hset(frontier.key("counts"), "undelivered", 9_999)
    given_up(Outbox(frontier), done(frontier, A))
    seen = frontier.snapshot()
    assert seen.status is Status.STOPPED
    assert seen.reason == "10000 results were not taken by their hooks"
    assert seen.queued == 1


def test_each_process_that_died_counts_until_none_is_left(begin):
    frontier, _ = begin(A, after_attempts=2)
    outbox, name = Outbox(frontier), done(frontier, A)
    outbox.failed(name, "OSError: disk full", "w1")
    outbox.take(name, "w2")
    letter = outbox.take(name, "w3")
    assert (letter.delivery.page.url, letter.ended) == (A, True)
    (letter,) = outbox.undelivered()
    assert letter.reason == "its process died (before that: OSError: disk full)"
    assert outbox.take(name, "w4") is None


def test_the_failure_that_a_dead_worker_leaves_has_all_its_attempts(redis):
    # Given a page that is poison: its worker died over it
    frontier = Frontier(redis, "shop")
    policy = Policy(attempts=1, crash_strikes=1, after_attempts=1)
    frontier.create(Plan("shop", policy, "d1", None, failed_hook=True))
    frontier.enqueue([Page(C)])
    claim = take(frontier)
    # When a tick reports that, no attempt at its hook has been made
    frontier.fail(claim, FailureClass.CRASH, "worker_died", own=False)
    (ticket,) = frontier.tick().tickets
    assert Outbox(frontier).take(ticket.removeprefix("deliver-"), "w2").attempts == 1


def test_a_delivery_that_is_never_due_is_found_and_mended(begin):
    frontier, _ = begin(A)
    name = done(frontier, A)
    assert audit_keys(frontier) == []
    frontier.redis.zrem(frontier.key("outbox_due"), name)
    assert audit_keys(frontier) == [f"the delivery {name} is never due"]
    repair_keys(frontier)
    assert frontier.tick().tickets == (f"deliver-{name}",)


def test_nothing_of_a_cleared_crawl_is_left_or_delivered(begin):
    frontier, _ = begin(A)
    outbox, name = Outbox(frontier), done(frontier, A)
    frontier.clear()
    assert outbox.take(name, "w1") is None
    assert not outbox.failed(name, "OSError", "w1").accepted
    assert not outbox.renew(name, "w1")
    frontier.wake({}, [name], "w1")
    assert frontier.redis.keys("*") == []


def test_failed_pages_are_tried_though_hooks_are_being_called_again(begin):
    # Given an ended crawl with a failed page, whose hooks are called again
    frontier, _ = begin(A, B)
    outbox, name = Outbox(frontier), done(frontier, A)
    frontier.fail(take(frontier), FailureClass.TERMINAL, "http_404")
    given_up(outbox, name)
    assert frontier.snapshot().status is Status.FINISHED
    outbox.redeliver()
    # When its failed pages are sent back, too
    assert frontier.retry_failed() == 1
    # Then they are begun
    assert frontier.snapshot().status is Status.ACTIVE
    assert take(frontier).page.url == B


def test_the_next_tick_asks_for_the_end_hook_of_a_stopped_crawl(redis):
    frontier = Frontier(redis, "shop")
    frontier.create(Plan("shop", Policy(after_attempts=2), "d1", None, end_hook=True))
    assert frontier.stop("enough")
    assert not frontier.snapshot().over
    assert frontier.tick().ended
    # And again soon after it raised, but not while a run may be in it
    assert not frontier.tick().ended
    assert frontier.end_hook_failed("OSError: no mail (shop.py:6)")
    assert (frontier.end_hook_reason(), frontier.snapshot().delivering) == (
        "OSError: no mail (shop.py:6)",
        1,
    )
    frontier.redis.hset(frontier.key("meta"), "end_hook_asked", 0)  # as if a second had passed
    assert frontier.tick().ended
    assert not frontier.end_hook_failed("OSError: no mail (shop.py:6)")
    assert frontier.snapshot().over
