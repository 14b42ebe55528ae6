"""One run does before_all and the log-in for all, and does it again when it must."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from crawler.frontier.answers import Ending, Verdict
from crawler.frontier.repair import audit_keys
from crawler.model import Outcome, Status
from tests.support.frontier import A, B, C, D, logged_in, take


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


def test_a_logged_out_page_goes_back_and_one_run_logs_in_again(begin):
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


def test_a_log_in_whose_run_was_lost_is_done_by_another(begin):
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


def test_pages_fail_when_repeated_log_ins_bring_no_page(begin):
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


def test_a_hundred_runs_logged_out_at_once_lead_to_one_log_in(begin):
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


def test_a_log_in_with_half_a_character_is_kept_whole(begin):
    frontier, _ = begin(A, before_all=True)
    storage = {"https://a": {"local": {"draft \ud83d": "Hi \ud83d"}, "session": {}}}
    frontier.before_all_done(frontier.claim("w1").claim, {"cookies": [], "storage": storage})
    kept = frontier.login()["storage"]["https://a"]["local"]
    assert kept == {"draft \ufffd": "Hi \ufffd"}
