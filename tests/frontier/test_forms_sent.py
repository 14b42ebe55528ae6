"""A form that was sent is not sent again by itself, whatever becomes of its run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crawler.definition.forms import body_of, with_form
from crawler.frontier.answers import Renewal, Verdict
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.model import FailureClass, Page
from tests.support.frontier import A, B, logged_in, take

FORM = {"q": 'tea "},1]', "tag": ["a", "b"], "password": "s3cret-word"}
SEARCH = with_form(Page(B, depth=1, route="hit", data={"n": 1}), FORM)
RETRIED = (
    *(FailureClass.RETRY, FailureClass.THROTTLE, FailureClass.CRASH),
    *(FailureClass.INFRA, FailureClass.AWAY),
)


def reasons(frontier: Frontier) -> list[str]:
    return [letter.reason for letter in Listing(frontier).failed()]


def test_each_body_is_a_page_of_its_own(begin):
    frontier, _ = begin(A)
    pages = [SEARCH, SEARCH, with_form(Page(B), {"q": "coffee"}), with_form(Page(B), {}), Page(B)]
    assert len({page.id for page in pages}) == 4
    added = frontier.enqueue(pages)
    assert (added.new, added.known, added.skipped) == (4, 1, {"known_data": 1})
    # one that brings nothing else is known like any link, and so is one with a Referer
    again = [pages[2], replace(pages[4], referer=A)]
    added = frontier.enqueue(again)
    assert (added.new, added.known, added.skipped) == (0, 2, {})
    queued = Listing(frontier).queued()[1:]
    assert [(page.key, page.id) for page in queued] == [
        (page.key or page.url, page.id) for page in pages[1:]
    ]
    assert [page.form for page in queued] == [FORM, {"q": "coffee"}, {}, None]
    assert body_of(queued[0].form) == body_of(FORM)


@pytest.mark.parametrize("failure", RETRIED)
def test_what_failed_before_it_was_sent_is_tried_again(begin, failure):
    frontier, clock = begin(backoff=1)
    frontier.enqueue([SEARCH])
    assert frontier.fail(take(frontier), failure, "early").retry_in is not None
    clock.advance(700)
    assert take(frontier).page.form == FORM


@pytest.mark.parametrize("failure", RETRIED)
def test_what_fails_after_it_was_sent_has_failed(begin, failure):
    frontier, clock = begin()
    frontier.enqueue([SEARCH])
    claim = take(frontier)
    for _ in range(2):  # the answer may have been lost
        assert frontier.submit(claim) is Renewal.OK
    assert frontier.renew(claim) is Renewal.OK
    assert audit_keys(frontier) == []
    assert frontier.fail(claim, failure, "reset", status=0).retry_in is None
    assert reasons(frontier) == ["form_sent: reset"]
    assert frontier.snapshot().reasons == {"form_sent": 1}
    clock.advance(1_000)
    assert frontier.claim("w1").claim is None
    assert audit_keys(frontier) == []


@pytest.mark.parametrize(
    ("failure", "reason"), [(FailureClass.TERMINAL, "http_404"), (FailureClass.HOOK, "extract: E")]
)
def test_a_failure_that_is_final_keeps_its_reason(begin, failure, reason):
    frontier, _ = begin(hook_attempts=5)
    frontier.enqueue([SEARCH])
    claim = take(frontier)
    frontier.submit(claim)
    assert frontier.fail(claim, failure, reason).retry_in is None
    assert reasons(frontier) == [reason]


def test_a_worker_that_falls_silent_after_it_sent_loses_the_page(begin):
    frontier, clock = begin()
    frontier.enqueue([SEARCH, with_form(Page(B), {"q": "2"}), with_form(Page(B), {"q": "3"})])
    claims = [take(frontier, worker) for worker in ("w1", "w2", "w3")]
    for claim in claims:
        frontier.submit(claim)
    # Given a worker that ends, one whose claim is damaged, and one that is gone
    assert frontier.release("w1") == 1
    frontier.redis.hdel(frontier.key("inflight"), claims[1].page.id)
    assert repair_keys(frontier)
    clock.advance(61)
    frontier.tick()
    assert reasons(frontier) == ["form_sent: released", "form_sent: lost", "form_sent: lost"]
    # Then nobody may send it any more
    assert {frontier.submit(claim) for claim in claims} == {Renewal.STALE}
    assert frontier.finish(claims[2], B).verdict is Verdict.STALE


def test_a_log_in_that_expired_does_not_bring_a_form_back(begin):
    frontier, _ = begin(before_all=True)
    frontier.enqueue([SEARCH])
    claim, version = logged_in(frontier)
    frontier.submit(claim)
    assert frontier.logged_out(claim, version).retry_in is None
    assert reasons(frontier) == ["form_sent: logged_out"]


def test_a_cancelled_crawl_sends_none(begin):
    frontier, _ = begin()
    frontier.enqueue([SEARCH])
    claim = take(frontier)
    frontier.cancel()
    assert frontier.submit(claim) is Renewal.CANCEL


def test_forms_that_were_sent_go_back_only_by_name(begin):
    frontier, _ = begin(A, attempts=1)
    frontier.enqueue([SEARCH])
    frontier.fail(take(frontier), FailureClass.RETRY, "timeout")
    claim = take(frontier)
    frontier.submit(claim)
    frontier.fail(claim, FailureClass.RETRY, "timeout")
    (_, letter) = Listing(frontier).failed()
    assert (letter.form_sent, letter.page.form) == (True, FORM)
    assert letter.record()["form"] == {**FORM, "password": "***"}
    assert frontier.retry_failed() == 1
    assert frontier.retry_failed([letter.page.id]) == 1
    assert take(frontier).page.url == A
    # and then it may be sent once more
    again = take(frontier)
    assert (again.page.form, again.page.route, again.page.data) == (FORM, "hit", {"n": 1})
    assert frontier.fail(again, FailureClass.INFRA, "shutdown", delay=0).retry_in == 0
    assert frontier.submit(take(frontier)) is Renewal.OK


def test_the_answer_to_a_form_is_no_alias_of_its_url(begin):
    frontier, _ = begin()
    frontier.enqueue([SEARCH])
    assert frontier.finish(take(frontier), B, [Page(B, 2)]).verdict is Verdict.OK
    assert take(frontier).page.form is None
