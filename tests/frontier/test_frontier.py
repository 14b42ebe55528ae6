"""What the frontier does with pages, one behaviour at a time, on a real Redis."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from crawler.errors import CrawlExists, FrontierMisfit, FrontierRefused, FrontierUnavailable
from crawler.frontier.answers import Added, Ending, Renewal, Verdict, Wake
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys, exclusive_access, repair_keys
from crawler.frontier.server_checks import check_server
from crawler.local.embedded import PrivateRedis
from crawler.model import Claim, FailureClass, Outcome, Page, Plan, Policy, Priority, Status

A, B, C, D = (f"https://shop.example/{name}" for name in "abcd")


def plan(before_all: bool = False, digest: str = "d1", **policy) -> Plan:
    return Plan("shop", Policy(**{"jitter": False, **policy}), digest, None, before_all)


class Clock:
    """Stands in for Redis's clock: the scripts read the field ``clock`` where a test has written
    it.
    """

    def __init__(self, frontier: Frontier) -> None:
        self.frontier, self.now = frontier, 1_000_000_000_000

    def start(self) -> None:
        self.frontier.redis.hset(self.frontier.key("meta"), "clock", self.now)

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1_000)
        self.start()


@pytest.fixture
def begin(redis):
    """Creates the crawl "shop", with pages in its queue and a clock that stands still."""

    def begin(
        *urls: str, before_all: bool = False, pages: list[Page] | None = None, **policy
    ) -> tuple[Frontier, Clock]:
        frontier = Frontier(redis, "shop")
        assert frontier.create(plan(before_all, **policy))
        clock = Clock(frontier)
        clock.start()
        frontier.enqueue([Page(url) for url in urls] + (pages or []))
        return frontier, clock

    return begin


def take(frontier: Frontier, worker: str = "w1", **options) -> Claim:
    turn = frontier.claim(worker, **options)
    assert turn.claim is not None, turn
    return turn.claim


def urls(pages) -> list[str]:
    return [page.url for page in pages]


def test_a_page_goes_from_queued_over_processing_to_done(begin):
    frontier, _ = begin(A)
    assert urls(Listing(frontier).queued()) == [A]

    claim = take(frontier)
    assert (claim.page.url, claim.page.attempt, claim.worker) == (A, 1, "w1")
    assert Listing(frontier).queued() == []
    assert Listing(frontier).processing() == [claim]

    ending = frontier.finish(claim, A)
    assert (ending.verdict, ending.ended) == (Verdict.OK, True)
    assert Listing(frontier).done() == [A]
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.accepted, snapshot.done, snapshot.processing) == (
        Status.FINISHED,
        1,
        1,
        0,
    )


def test_a_link_found_twice_is_queued_once(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    added = frontier.enqueue([Page(B, 1), Page(B, 1), Page(A, 1)], parent=entry)
    assert added == Added(new=1, known=2)
    assert [(page.url, page.depth) for page in Listing(frontier).queued()] == [(B, 1)]
    assert Listing(frontier).seen(B)
    assert not Listing(frontier).seen(C)


# -- the plan


def test_a_crawl_is_created_once_and_goes_on_when_started_again(redis):
    frontier = Frontier(redis, "shop")
    assert frontier.plan() is None
    wanted = Plan(
        "shop",
        Policy(delay=0.5, page_limit=7, depth_limit=None, time_limit=60.0),
        "d1",
        {"url": A},
        True,
    )
    assert frontier.create(wanted) is True
    assert frontier.create(wanted) is False
    assert frontier.plan() == wanted
    assert Frontier.names(redis) == ["shop"]
    assert frontier.snapshot().status is Status.NEW


def test_another_definition_needs_an_update_or_a_reset(begin):
    frontier, _ = begin(A)
    with pytest.raises(CrawlExists, match="another definition"):
        frontier.create(plan(digest="d2"))
    assert frontier.create(plan(digest="d2", concurrency_limit=9), update=True) is False
    assert (frontier.digest(), frontier.plan().policy.concurrency_limit) == ("d2", 9)
    assert urls(Listing(frontier).queued()) == [A]
    assert frontier.create(plan(digest="d3"), reset=True) is True
    assert (Listing(frontier).queued(), frontier.snapshot().generation) == ([], 2)


def test_a_crawl_that_has_ended_is_begun_anew_only_when_that_is_asked_for(begin):
    frontier, _ = begin(A)
    frontier.finish(take(frontier), A)
    with pytest.raises(CrawlExists, match="it has FINISHED"):
        frontier.create(plan())
    assert frontier.create(plan(), reset=True) is True


def test_the_crawl_that_nobody_created_has_no_pages_and_takes_none(redis):
    frontier = Frontier(redis, "shop")
    with pytest.raises(FrontierRefused, match="no crawl"):
        frontier.enqueue([Page(A)])
    assert frontier.claim("w1").outcome is Outcome.FINISHED
    assert frontier.wake().tickets == ()
    assert frontier.tick().status is None


@pytest.mark.parametrize("name", ["", "a b", "a{b}", "x" * 65, "a:b"])
def test_a_name_that_no_key_can_hold_is_refused(redis, name):
    with pytest.raises(FrontierRefused, match="cannot name a crawl"):
        Frontier(redis, name)


# -- claims and reports


def test_no_more_pages_are_claimed_than_the_concurrency_limit(begin):
    frontier, _ = begin(A, B, C, concurrency_limit=2)
    first, _second = take(frontier), take(frontier, "w2")
    assert frontier.claim("w3").outcome is Outcome.BUSY
    frontier.finish(first, A)
    assert take(frontier).page.url == C


def test_the_queue_is_empty_while_pages_in_flight_may_still_add_some(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    assert frontier.claim("w2").outcome is Outcome.EMPTY
    frontier.enqueue([Page(B, 1)], parent=entry)
    assert frontier.finish(entry, A).ended is False
    assert frontier.finish(take(frontier), B).ended is True
    assert frontier.claim("w2").outcome is Outcome.FINISHED


def test_a_report_that_is_repeated_is_accepted_once(begin):
    frontier, _ = begin(A, B)
    claim, other = take(frontier), take(frontier)
    assert frontier.finish(claim, A).verdict is Verdict.OK
    assert frontier.finish(claim, A).verdict is Verdict.REPEATED
    assert frontier.fail(other, FailureClass.TERMINAL, "gone").verdict is Verdict.OK
    assert frontier.fail(other, FailureClass.TERMINAL, "gone").verdict is Verdict.REPEATED
    assert (Listing(frontier).done(), len(Listing(frontier).failed())) == ([A], 1)


def test_a_report_can_be_repeated_for_ten_minutes(begin):
    frontier, clock = begin(A, B, C)
    claim = take(frontier)
    frontier.finish(claim, A)
    clock.advance(601)
    frontier.finish(take(frontier), B)
    assert frontier.finish(claim, A).verdict is Verdict.STALE


def test_a_claim_whose_answer_was_lost_gives_the_same_page_when_it_is_repeated(begin, monkeypatch):
    frontier, _ = begin(A, B)
    monkeypatch.setattr("secrets.token_hex", lambda n: "t" * n)
    assert take(frontier) == take(frontier)
    assert urls(Listing(frontier).queued()) == [B]


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


def test_a_page_knows_on_which_page_it_was_found(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    frontier.enqueue([Page(B, 1)], parent=entry)
    assert Listing(frontier).queued()[0].parent == entry.page.id


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


def test_the_crawl_does_not_end_before_its_last_page(begin):
    frontier, _ = begin(A, B)
    slow, quick = take(frontier), take(frontier)
    assert frontier.finish(quick, B).ended is False
    assert frontier.snapshot().status is Status.ACTIVE
    assert frontier.finish(slow, A).ended is True


# -- what kind of failure


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


def test_a_page_over_which_the_endpoint_breaks_off_again_and_again_is_suspected_in_the_end(begin):
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


def test_a_host_that_fails_in_a_row_is_snoozed_twice_as_long_each_time_and_then_given_up(begin):
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


# -- links


def test_links_that_are_too_deep_are_counted_and_stay_unknown(begin):
    frontier, _ = begin(A, depth_limit=1)
    entry = take(frontier)
    added = frontier.enqueue([Page(B, 1), Page(C, 2)], parent=entry, skipped={"scope": 3})
    assert added == Added(1, 0, {"depth": 1, "scope": 3})
    assert frontier.enqueue([Page(C, 1)], parent=entry).new == 1
    assert frontier.snapshot().counts["skipped_depth"] == 1


def test_queue_and_lane_limits_bound_what_waits(begin):
    frontier, _ = begin(A, queue_limit=2, host_page_limit=1)
    assert frontier.enqueue([Page(B), Page(C, lane="c"), Page(D, lane="d")]).skipped == {
        "lane": 1,
        "full": 1,
    }


def test_a_stale_claim_adds_no_links(begin):
    frontier, clock = begin(A, lease=1)
    lost = take(frontier)
    clock.advance(1)
    frontier.tick()
    assert frontier.enqueue([Page(B, 1)], parent=lost) == Added(0, 0, {"stale": 1})
    assert not Listing(frontier).seen(B)


def test_links_that_no_browser_could_open_are_skipped_and_counted(begin):
    frontier, _ = begin()
    added = frontier.enqueue(
        [
            Page("https://a.example/\ud800"),
            Page("data:" + "x" * 50_000),
            Page("https://a.example/\x00é“”"),
        ]
    )
    assert added == Added(1, 0, {"invalid": 2})
    assert take(frontier).page.url == "https://a.example/\x00é“”"


def test_a_page_and_its_links_are_reported_in_one_step(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    ending = frontier.finish(
        entry, A, [Page(B, 1), Page(A, 1), Page(C, 9)], skipped={"scope": 2}, result="{}"
    )
    assert (ending.verdict, ending.ended) == (Verdict.OK, False)
    assert (urls(Listing(frontier).queued()), Listing(frontier).done()) == ([B], [A])
    counts = frontier.snapshot().counts
    assert (counts["skipped_depth"], counts["skipped_scope"], counts["results"]) == (1, 2, 1)
    # When its report is repeated, because the answer was lost
    ending = frontier.finish(
        entry, A, [Page(B, 1), Page(f"{A}/late", 1)], skipped={"scope": 2}, result="{}"
    )
    # Then nothing is added, nor counted
    assert (ending.verdict, ending.ended) == (Verdict.REPEATED, False)
    assert urls(Listing(frontier).queued()) == [B]
    assert frontier.snapshot().counts == counts


def test_a_page_whose_links_are_all_known_may_be_the_last_one(begin):
    frontier, _ = begin(A)
    ending = frontier.finish(take(frontier), A, [Page(A, 1)], skipped={"scope": 1})
    assert (ending.verdict, ending.ended, frontier.snapshot().status) == (
        Verdict.OK,
        True,
        Status.FINISHED,
    )


def test_a_stale_claim_reports_neither_page_nor_links(begin):
    frontier, clock = begin(A)
    late = take(frontier)
    clock.advance(1_000)
    frontier.tick()
    assert frontier.finish(late, A, [Page(B, 1)]).verdict is Verdict.STALE
    assert (Listing(frontier).queued(), Listing(frontier).done(), Listing(frontier).seen(B)) == (
        [],
        [],
        False,
    )


def test_more_links_than_one_step_takes_are_all_there_when_their_page_is_done(begin):
    frontier, _ = begin(A)
    ending = frontier.finish(
        take(frontier), A, [Page(f"{A}/{n}", 1) for n in range(1_001)], skipped={"scope": 3}
    )
    assert (ending.verdict, ending.ended, Listing(frontier).done()) == (Verdict.OK, False, [A])
    snapshot = frontier.snapshot()
    assert (snapshot.queued, snapshot.counts["skipped_scope"]) == (1_001, 3)


def test_pages_of_any_number_are_added_in_batches(begin):
    frontier, _ = begin()
    assert frontier.enqueue(Page(f"{A}/{n}") for n in range(1_001)) == Added(1_001, 0, {})
    assert [len(Listing(frontier).queued(0, 10_000)), len(Listing(frontier).queued(1_000, 10))] == [
        1_001,
        1,
    ]


def test_pages_at_the_front_keep_their_order(begin):
    frontier, _ = begin(A)
    frontier.enqueue([Page(B), Page(C)], front=True)
    assert urls(Listing(frontier).queued()) == [B, C, A]


def test_long_urls_are_added_in_smaller_batches(begin, monkeypatch):
    frontier, _ = begin()
    calls: list[int] = []
    run = frontier.run_script
    monkeypatch.setattr(
        frontier, "run_script", lambda *args: calls.append((len(args) - 5) // 3) or run(*args)
    )
    assert frontier.enqueue(Page(f"{A}?{n}{'x' * 16_000}") for n in range(100)).new == 100
    assert max(calls) == 6


def test_bands_are_served_in_order_within_a_lane(begin):
    frontier, _ = begin(
        pages=[Page(A, priority=Priority.LOW), Page(B), Page(C, priority=Priority.HIGH)]
    )
    assert [take(frontier).page.url for _ in range(3)] == [C, B, A]


def test_everything_about_a_page_comes_back_from_the_queue(begin):
    page = Page(
        A + '?q="quoted\\"]', 2, A, "shop.example_8080", Priority.HIGH, 0, 0, "00ff00ff00ff00ff"
    )
    frontier, _ = begin(pages=[page])
    claimed = take(frontier).page
    assert claimed == Page(
        page.url, 2, A, "shop.example_8080", Priority.HIGH, 1, 0, "00ff00ff00ff00ff"
    )
    assert claimed.id == page.id


def test_a_lane_whose_name_no_key_can_hold_gets_one_that_can(begin):
    frontier, _ = begin(
        pages=[
            Page(A, lane="[::1]:80"),
            Page(B, lane="0", priority=Priority.HIGH),
            Page(C, priority=Priority.HIGH),
        ]
    )
    assert sorted((page.url, page.lane) for page in Listing(frontier).queued()) == [
        (A, "___1__80"),
        (B, "0_"),
        (C, ""),
    ]


# -- redirects and results


def test_a_page_that_leads_to_a_known_one_is_done_without_a_second_result(begin):
    frontier, _ = begin(A, B)
    ending = frontier.finish(take(frontier), A, result='{"url": "a"}', final=B)
    assert ending.verdict is Verdict.ALIAS
    assert frontier.finish(take(frontier), B, result='{"url": "b"}', final=B).verdict is Verdict.OK
    assert [(n, text) for _, n, text in Listing(frontier).results()] == [(1, '{"url": "b"}')]
    snapshot = frontier.snapshot()
    assert (snapshot.done, snapshot.counts["dup"]) == (2, 1)


def test_the_end_of_a_redirect_is_known_from_then_on(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    assert frontier.finish(entry, A, final=B).verdict is Verdict.OK
    assert Listing(frontier).seen(B)
    assert (frontier.snapshot().accepted, frontier.snapshot().counts["seen"]) == (1, 2)


def test_results_can_be_read_on_from_where_one_stopped(begin):
    frontier, _ = begin(A, B, C)
    for n in range(3):
        frontier.finish(take(frontier), "-", result=str(n), item=True)
    (last, _, _), *_ = Listing(frontier).results(count=1)
    assert [text for _, _, text in Listing(frontier).results(after=last)] == ["1", "2"]
    assert frontier.snapshot().counts["items"] == 3


# -- lanes


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


# -- wake-ups


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
def test_who_finishes_a_page_may_be_given_the_wake_ups_in_the_same_step(begin, links):
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


def test_with_no_page_to_wake_for_a_finisher_is_told_when_there_will_be_one_and_the_tallies_count_once(
    begin,
):
    frontier, _ = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=3)
    claim = take(frontier)
    for ending in (Ending(Verdict.OK, wake=Wake((), 3)), Ending(Verdict.REPEATED)):
        assert frontier.finish(claim, "-", wake={"step:request:7": 2}) == ending
        assert frontier.tallies()["step:request:7"] == 2


def test_who_ends_a_crawl_is_given_no_wake_up(begin):
    frontier, _ = begin(A)
    ending = frontier.finish(take(frontier), "-", wake={})
    assert (ending.ended, ending.wake) == (True, Wake())


def test_a_run_without_a_ticket_answers_the_oldest_wake_up(begin):
    frontier, _ = begin(A, B)
    assert len(frontier.wake().tickets) == 2
    take(frontier)
    assert frontier.snapshot().tickets == 1


def test_a_wake_up_that_was_lost_is_sent_again_when_its_ticket_has_expired(begin):
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


def test_nothing_is_woken_while_the_crawl_is_held_paused_or_at_its_limit(begin):
    frontier, clock = begin(A, B, concurrency_limit=1)
    frontier.hold(10)
    assert frontier.wake().tickets == ()
    clock.advance(10)
    frontier.pause()
    assert frontier.wake().tickets == ()
    frontier.resume()
    take(frontier)
    assert frontier.wake().tickets == ()


def test_when_nothing_is_to_be_woken_it_is_said_when_there_will_be(begin):
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


def test_a_claim_says_when_another_page_is_due(begin):
    frontier, _ = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=3)
    assert frontier.claim("w1").wait == 3


def test_a_retry_that_is_due_in_twenty_minutes_keeps_the_crawl_alive_without_a_busy_loop(begin):
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


def test_a_tick_does_what_nobody_is_there_to_do(begin):
    frontier, clock = begin(A, attempts=1, lease=60)
    take(frontier)
    clock.advance(60)
    tick = frontier.tick()
    assert (tick.reaped, tick.ended, tick.status) == (1, True, Status.FAILED)


def test_a_tick_alarms_when_nobody_claims(begin):
    frontier, clock = begin(A)
    clock.advance(601)
    assert "are workers running" in " ".join(frontier.tick().alarms)


def test_the_end_is_told_again_until_somebody_was_notified(begin):
    frontier, clock = begin(A)
    assert frontier.finish(take(frontier), A).ended
    assert not frontier.tick().ended
    clock.advance(60)
    assert frontier.tick().ended
    assert not frontier.tick().ended
    frontier.end_hook_done()
    clock.advance(60)
    assert not frontier.tick().ended


# -- limits and the end


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


def test_a_crawl_whose_last_page_finishes_in_a_pause_ends_when_it_is_resumed(begin):
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


# -- before_all


def test_before_all_is_done_once_and_the_others_wait_for_it(begin):
    frontier, _ = begin(A, B, before_all=True)
    assert len(frontier.wake().tickets) == 1
    turn = frontier.claim("w1")
    assert (turn.first, turn.login) == (True, 0)
    assert frontier.claim("w2").outcome is Outcome.WAIT
    verdict, version = frontier.before_all_done(turn.claim, {"cookies": [{"name": "a/b"}]})
    assert verdict is Verdict.OK
    later = frontier.claim("w2")
    assert (later.first, later.login) == (False, version)
    assert version > 0
    assert frontier.login() == {"cookies": [{"name": "a/b"}]}


def test_before_all_is_done_by_another_when_its_run_was_lost(begin):
    frontier, clock = begin(A, B, before_all=True, lease=10)
    lost = frontier.claim("w1")
    clock.advance(10)
    frontier.tick()
    again = frontier.claim("w2")
    assert again.first
    assert frontier.before_all_done(lost.claim, {"session": "old"}) == (Verdict.STALE, 0)
    assert frontier.login() is None


def test_a_crawl_whose_before_all_always_fails_has_failed(begin):
    frontier, clock = begin(A, before_all=True)
    for attempt in range(3):
        turn = frontier.claim("w1")
        assert (turn.first, turn.claim.page.attempt) == (True, 1)
        assert frontier.before_all_failed(turn.claim, "no such password").ended is (attempt == 2)
        clock.advance(60)
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.reason) == (
        Status.FAILED,
        "before_all failed: no such password",
    )


# -- a log-in that expires


def logged_in(frontier: Frontier, worker: str = "w1") -> tuple[Claim, int]:
    """A claim of a run that has just done ``before_all``, and the version of its log-in."""
    turn = frontier.claim(worker)
    assert turn.first
    return turn.claim, frontier.before_all_done(turn.claim, {"cookies": []})[1]


def test_a_page_that_is_logged_out_goes_back_unburned_and_one_run_logs_in_anew_for_all(begin):
    frontier, _ = begin(A, B, C, before_all=True)
    first, version = logged_in(frontier)
    second, third = frontier.claim("w2").claim, frontier.claim("w3").claim
    # When all three are told that they are nobody
    assert frontier.logged_out(second, version) == Ending(Verdict.OK, False, 0.0)
    assert frontier.logged_out(second, version).verdict is Verdict.REPEATED  # its answer was lost
    assert len(frontier.wake().tickets) == 1  # for the one that logs in
    again = frontier.claim("w2")
    assert (again.first, again.claim.page.url, again.claim.page.attempt) == (True, B, 1)
    assert frontier.logged_out(third, version).retry_in == 0.0  # while it does
    assert frontier.claim("w3").outcome is Outcome.WAIT
    _, newer = frontier.before_all_done(again.claim, {"cookies": [{"name": "new"}]})
    assert frontier.logged_out(first, version).retry_in == 0.0  # and after it has
    # Then nobody logs in a third time, and no attempt is gone
    turns = [frontier.claim("w1"), frontier.claim("w3")]
    assert [(turn.first, turn.login, turn.claim.page.attempt) for turn in turns] == [
        (False, newer, 1)
    ] * 2
    assert newer > version
    assert frontier.login() == {"cookies": [{"name": "new"}]}
    seen = frontier.snapshot()
    assert (seen.counts["logins"], seen.counts["logouts"], seen.counts["started"], seen.queued) == (
        2,
        1,
        3,
        0,
    )
    assert audit_keys(frontier) == []


def test_a_log_in_whose_run_was_lost_is_done_by_the_next_one(begin):
    frontier, clock = begin(A, B, before_all=True, lease=10)
    claim, version = logged_in(frontier)
    frontier.logged_out(claim, version)
    lost = frontier.claim("w1")
    assert lost.first
    clock.advance(10)
    frontier.tick()
    again = frontier.claim("w2")
    assert again.first
    assert frontier.before_all_done(lost.claim, {"cookies": []}) == (Verdict.STALE, 0)
    assert frontier.logged_out(lost.claim, version).verdict is Verdict.STALE
    assert frontier.before_all_done(again.claim, {"cookies": []})[0] is Verdict.OK


def test_log_ins_that_bring_no_page_end_and_the_pages_fail_with_that_reason(begin):
    frontier, _ = begin(A, B, C, before_all=True)
    for attempt in range(3):
        claim, version = logged_in(frontier)
        ending = frontier.logged_out(claim, version)
        assert (ending.retry_in is None) is (attempt == 2)
    for _ in range(2):  # nobody logs in for the others
        turn = frontier.claim("w1")
        assert not turn.first
        ending = frontier.logged_out(turn.claim, turn.login)
    assert ending == Ending(Verdict.OK, True, None)
    seen = frontier.snapshot()
    assert (seen.status, seen.reason, seen.reasons) == (
        Status.FAILED,
        "no page was done (last failure: login)",
        {"login": 3},
    )
    assert seen.counts["logins"] == 3
    # When somebody has mended what kept us out
    assert frontier.retry_failed() == 3
    claim, version = logged_in(frontier)
    assert frontier.logged_out(claim, version).retry_in == 0.0


def test_a_page_that_is_logged_out_whatever_we_do_fails_alone(begin):
    frontier, _ = begin(A, B, C, D, before_all=True)
    for attempt in range(3):  # another page is done under each of the log-ins
        claim, version = logged_in(frontier)
        assert claim.page.url == A
        other = take(frontier, "w2")
        frontier.finish(other, other.page.url)
        assert (frontier.logged_out(claim, version).retry_in is None) is (attempt == 2)
    seen = frontier.snapshot()
    assert (seen.status, seen.done, seen.reasons) == (Status.FINISHED, 3, {"login": 1})


def test_a_hundred_runs_that_are_logged_out_at_once_lead_to_one_log_in(begin):
    frontier, _ = begin(
        *(f"https://shop.example/{n}" for n in range(100)), before_all=True, concurrency_limit=100
    )
    claim, version = logged_in(frontier)
    claims = [claim, *(frontier.claim(f"w{n}").claim for n in range(99))]
    with ThreadPoolExecutor(20) as threads:
        endings = list(threads.map(lambda claim: frontier.logged_out(claim, version), claims))
        assert {(ending.verdict, ending.retry_in) for ending in endings} == {(Verdict.OK, 0.0)}
        turns = list(threads.map(lambda n: frontier.claim(f"v{n}"), range(100)))
    assert [turn.outcome for turn in turns if turn.claim] == [Outcome.PAGE]
    assert frontier.snapshot().counts["logouts"] == 1
    assert audit_keys(frontier) == []


# -- dead letters


def test_failed_pages_are_sent_back_as_if_never_tried_and_re_open_the_crawl(begin):
    frontier, _ = begin(A, B, C)
    frontier.finish(take(frontier), A)
    frontier.fail(take(frontier), FailureClass.TERMINAL, 'it said "[1,2]"', status=404)
    frontier.fail(take(frontier), FailureClass.TERMINAL, "gone")
    assert frontier.snapshot().status is Status.FINISHED

    assert frontier.retry_failed([Page(B).id]) == 1
    assert [letter.page.url for letter in Listing(frontier).failed()] == [C]
    assert frontier.snapshot().reasons == {"gone": 1}
    assert frontier.snapshot().status is Status.ACTIVE
    assert frontier.retry_failed() == 1
    assert [take(frontier).page.attempt for _ in range(2)] == [1, 1]
    assert audit_keys(frontier) == []


def test_pages_sent_back_make_room_under_the_page_limit(begin):
    frontier, _ = begin(A, B, C, page_limit=2)
    first, second = take(frontier), take(frontier)
    frontier.fail(first, FailureClass.TERMINAL, "404")
    assert frontier.retry_failed() == 1
    frontier.finish(second, B)
    assert take(frontier).page.url == C
    assert frontier.snapshot().status is Status.DRAINING


def test_any_number_of_failed_pages_is_sent_back(begin):
    frontier, _ = begin(*(f"{A}/{n}" for n in range(450)))
    for _ in range(450):
        frontier.fail(take(frontier), FailureClass.TERMINAL, "404")
    assert frontier.retry_failed() == 450
    assert frontier.snapshot().queued == 450


def test_an_entry_that_cannot_be_read_goes_to_the_failed_and_the_next_one_is_claimed(begin):
    frontier, _ = begin(A, B)
    frontier.redis.lset(frontier.key("queued"), 0, b'[2,0,0,1,0,"","abc","",\xff nonsense')
    assert take(frontier).page.url == B
    (letter,) = Listing(frontier).failed()
    assert (letter.reason, "nonsense" in letter.page.url) == ("corrupt", True)
    assert audit_keys(frontier) == []


# -- audit, repair, clear


def test_a_damaged_crawl_is_found_out_and_repaired(begin):
    pages = [Page(f"{A}/{n}", lane=f"h{n % 3}") for n in range(12)]
    frontier, clock = begin(pages=pages, delay=1)
    held, other = take(frontier), take(frontier)
    db, key = frontier.redis, frontier.key
    assert audit_keys(frontier) == []

    db.hdel(key("inflight"), held.page.id)  # a claim is lost
    db.zadd(key("leases"), {"ffff": 1})  # a lease of nothing
    db.hset(key("tokens"), "old", "ffff")
    db.delete(key("ready"), key("snoozed"))  # all lanes are
    db.hset(key("lane:h0"), "n", 77)
    db.hset(key("counts"), mapping={"queued": 5, "accepted": 1, "seen": 0})
    db.rpush(key("processing"), b"nonsense")
    assert len(audit_keys(frontier)) >= 8
    assert len(repair_keys(frontier)) >= 8
    assert audit_keys(frontier) == []

    frontier.finish(other, "-")
    clock.advance(10)
    assert frontier.tick().reaped == 1
    done = 1
    while not frontier.snapshot().status.ended:
        turn = frontier.claim("w1")
        if turn.claim:
            frontier.finish(turn.claim, "-")
            done += 1
        else:
            clock.advance(turn.wait)
    assert (done, [letter.reason for letter in Listing(frontier).failed()]) == (12, ["corrupt"])


def test_a_damaged_crawl_of_many_lanes_is_found_out_and_repaired_in_steps(begin):
    frontier, _ = begin(pages=[Page(f"{A}/{n}", lane=f"h{n % 700}") for n in range(1_400)], delay=1)
    claims = [take(frontier) for _ in range(3)]
    db, key = frontier.redis, frontier.key
    assert audit_keys(frontier) == []

    db.hdel(key("inflight"), claims[0].page.id)
    db.ltrim(key("ready"), 650, -1)  # some lanes are in no place, and one in two
    db.zadd(key("snoozed"), {"h699": 1})
    db.srem(key("lanes"), "h699", claims[1].page.lane)
    db.hset(key("lane:h5"), "n", 77)
    db.hset(key("counts"), mapping={"queued": 5, "accepted": 1, "seen": 0})
    assert len(audit_keys(frontier)) >= 650
    assert len(repair_keys(frontier)) >= 650
    assert audit_keys(frontier) == []
    assert frontier.snapshot().queued == 1_397
    assert [frontier.finish(claim, "-").verdict for claim in claims] == [
        Verdict.STALE,
        Verdict.OK,
        Verdict.OK,
    ]


def test_whoever_comes_while_a_crawl_is_closed_for_a_repair_waits(begin, monkeypatch):
    frontier, _ = begin(A)
    with ThreadPoolExecutor(1) as pool:
        with exclusive_access(frontier):
            monkeypatch.setattr("crawler.storage.scripts.CLOSED_PATIENCE", 0)
            for call in (
                frontier.snapshot,
                frontier.tick,
                frontier.wake,
                lambda: take(frontier),
                lambda: frontier.take_timer(1),
            ):
                with pytest.raises(FrontierUnavailable, match="CLOSED"):
                    call()
            monkeypatch.setattr("crawler.storage.scripts.CLOSED_PATIENCE", 60)
            waiting = pool.submit(take, frontier)
            time.sleep(0.2)
            assert not waiting.done()
        assert waiting.result().page.url == A


def test_a_crawl_that_was_closed_by_a_repair_that_died_opens_by_itself(begin):
    frontier, clock = begin(A)
    with pytest.raises(FrontierUnavailable, match="went on meanwhile"), exclusive_access(frontier):  # noqa: PT012
        clock.advance(121)
        assert take(frontier).page.url == A


def test_clearing_deletes_every_key_of_the_crawl_and_no_other(begin, redis):
    redis.set("mine", 1)
    other = Frontier(redis, "other")
    other.create(plan())
    frontier, _ = begin(
        pages=[Page(f"{A}/{n}", lane=f"h{n}", priority=Priority(n % 3)) for n in range(300)],
        delay=1,
    )
    claim = take(frontier)
    frontier.finish(claim, A, result="1")
    frontier.fail(take(frontier), FailureClass.TERMINAL, "404")
    frontier.fail(take(frontier), FailureClass.RETRY, "timeout")
    frontier.wake()
    frontier.take_timer(5)
    late = take(frontier)
    before = {key for key in redis.keys("*") if b"{shop}" in key}

    assert frontier.clear() == len(before)
    assert [key for key in redis.keys("*") if b"{shop}" in key] == []
    assert sorted(redis.keys("*")) == sorted([b"mine", b"crawls", b"crawl:{other}:meta"])
    assert Frontier.names(redis) == ["other"]
    with pytest.raises(FrontierRefused):
        frontier.finish(late, A)


# -- many at once


def test_two_hundred_workers_at_once_on_one_seed_fetch_it_once(redis):
    frontier = Frontier(redis, "shop")
    frontier.create(plan(concurrency_limit=50))
    frontier.enqueue([Page(A)])
    with ThreadPoolExecutor(200) as pool:
        turns = list(pool.map(lambda n: frontier.claim(f"w{n}"), range(200)))
    assert sorted(turn.outcome for turn in turns) == [Outcome.EMPTY] * 199 + [Outcome.PAGE]
    assert not any(turn.ended for turn in turns)


def test_workers_that_race_do_every_page_once_and_one_of_them_ends_the_crawl(redis):
    frontier = Frontier(redis, "shop")
    frontier.create(plan(concurrency_limit=5, depth_limit=None))
    frontier.enqueue([Page(f"{A}/1")])
    most = 0

    def work(worker: int) -> int:
        """Do pages until the crawl is over: each number leads to its double, and one more."""
        nonlocal most
        ends = 0
        while (turn := frontier.claim(f"w{worker}")).outcome is not Outcome.FINISHED:
            ends += turn.ended
            if turn.claim is None:
                time.sleep(0)
                continue
            most = max(most, len(Listing(frontier).processing()))
            number = int(turn.claim.page.url.rpartition("/")[2])
            links = [
                Page(f"{A}/{n}", turn.claim.page.depth + 1)
                for n in (2 * number, 2 * number + 1, number)
                if n < 400
            ]
            frontier.enqueue(links, parent=turn.claim)
            ends += frontier.finish(turn.claim, turn.claim.page.url).ended
        return ends + turn.ended

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 1
    assert sorted(Listing(frontier).done(0, 1_000)) == sorted(f"{A}/{n}" for n in range(1, 400))
    assert most <= 5
    assert audit_keys(frontier) == []


# -- Redis


def test_two_crawls_and_two_prefixes_do_not_meet(redis):
    frontiers = [
        Frontier(redis, "a"),
        Frontier(redis, "b"),
        Frontier(redis, "a", prefix="staging:"),
    ]
    for frontier in frontiers:
        frontier.create(plan())
        frontier.enqueue([Page(A)])
    frontiers[0].finish(take(frontiers[0]), A)
    assert [frontier.snapshot().done for frontier in frontiers] == [1, 0, 0]
    assert (Frontier.names(redis), Frontier.names(redis, "staging:")) == (["a", "b"], ["a"])


def test_known_urls_are_kept_in_intsets_of_any_number(redis):
    frontier = Frontier(redis, "shop", buckets=1)
    frontier.create(plan())
    assert frontier.enqueue(Page(f"{A}/{n}") for n in range(6_000)).new == 6_000
    assert frontier.enqueue(Page(f"{A}/{n}") for n in range(6_000)).known == 6_000
    assert redis.hget(frontier.key("meta"), "splits") == b"31"
    buckets = [key for key in redis.keys("*") if b":seen:" in key]
    assert {redis.object("encoding", key) for key in buckets} == {b"intset"}
    assert sum(redis.scard(key) for key in buckets) == 6_000


def test_a_redis_that_was_killed_comes_back_with_every_page(tmp_path):
    server = PrivateRedis(tmp_path).start()
    frontier = Frontier(redis_py.Redis.from_url(server.url), "shop")
    frontier.create(plan())
    frontier.enqueue(Page(f"{A}/{n}") for n in range(300))
    claims = [take(frontier) for _ in range(4)]
    frontier.finish(claims[0], "-", result="{}")
    server.process.kill()
    server.process.wait()
    with pytest.raises(FrontierUnavailable):
        frontier.finish(claims[1], "-")

    with PrivateRedis(tmp_path):
        assert audit_keys(frontier) == []
        assert frontier.finish(claims[0], "-").verdict is Verdict.REPEATED
        assert frontier.finish(claims[1], "-").verdict is Verdict.OK
        snapshot = frontier.snapshot()
        assert (snapshot.queued, snapshot.processing, snapshot.done) == (296, 2, 2)


def test_scripts_that_the_server_forgot_are_sent_again(begin, redis):
    frontier, _ = begin(A)
    redis.script_flush()
    assert frontier.finish(take(frontier), A).ended


def test_a_full_redis_refuses_links_as_a_whole_and_lets_pages_finish(begin, redis):
    frontier, _ = begin(A, B)
    claim = take(frontier)
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(FrontierRefused, match="Redis is full"):
            frontier.enqueue([Page(C, 1)], parent=claim)
        assert frontier.renew(claim) is Renewal.OK
        assert frontier.finish(claim, A, result="1").verdict is Verdict.OK
    finally:
        redis.config_set("maxmemory", 0)
    assert audit_keys(frontier) == []
    assert not Listing(frontier).seen(C)


def test_a_key_of_another_type_and_another_schema_are_told_clearly(redis):
    frontier = Frontier(redis, "shop")
    redis.set(frontier.key("meta"), "x")
    with pytest.raises(FrontierMisfit, match="not its type"):
        frontier.create(plan())
    redis.delete(frontier.key("meta"))
    frontier.create(plan())
    redis.hset(frontier.key("meta"), "version", "99")
    with pytest.raises(FrontierMisfit, match="schema 99"):
        frontier.claim("w1")


def test_a_redis_that_is_away_is_unavailable():
    client = redis_py.Redis(unix_socket_path="/nonexistent/redis.sock", retry=Retry(NoBackoff(), 0))
    for call in (
        Frontier(client, "shop").snapshot,
        Listing(Frontier(client, "shop")).queued,
        lambda: Frontier.names(client),
    ):
        with pytest.raises(FrontierUnavailable):
            call()


def test_a_server_that_throws_keys_away_is_refused_and_one_without_aof_warned_of(redis, tmp_path):
    old = int(redis.info("server")["redis_version"].split(".")[0]) < 7
    assert len(check_server(redis)) == old
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(FrontierMisfit, match="noeviction"):
            check_server(redis)
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    with PrivateRedis(tmp_path, options=("appendonly no",)) as server:
        assert "appendonly is off" in check_server(redis_py.Redis.from_url(server.url))[-1]


def test_a_server_that_forbids_questions_about_its_settings_is_taken(redis):
    redis.acl_setuser(
        "guest",
        enabled=True,
        passwords=["+pw"],
        keys=["*"],
        categories=["+@all"],
        commands=["-config"],
    )
    guest = redis_py.Redis(connection_pool=redis.connection_pool)
    with guest.client() as connection:
        connection.execute_command("AUTH", "guest", "pw")
        assert isinstance(check_server(connection), list)
        connection.execute_command("AUTH", "default", "")
    redis.acl_deluser("guest")
