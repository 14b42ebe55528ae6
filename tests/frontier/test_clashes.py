"""Pages whose ids are alike are each done: a site chooses its URLs."""

from __future__ import annotations

import json

from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.model import FailureClass, Outcome, Status
from tests.support.frontier import A, B, take, urls

#: Two URLs whose ids had the same 16 digits, as a site finds them within hours.
TWINS = ("http://127.0.0.1:19401/c/c4b0288fcadb2f36", "http://127.0.0.1:19401/c/0e8bcc32b4156696")


def test_two_pages_whose_ids_begin_alike_are_both_done_and_delivered(begin):
    frontier, _ = begin(*TWINS)
    first, second = take(frontier), take(frontier, "w2")
    assert first.page.id[:16] == second.page.id[:16]
    for claim in (first, second):
        assert frontier.finish(claim, claim.page.url, result="{}", deliver=True).accepted
    names = [f"after-{claim.page.id}" for claim in (first, second)]
    assert not frontier.wake({}, names[:1], first.worker).ended
    assert frontier.wake({}, names[1:], second.worker).ended
    assert (frontier.snapshot().done, audit_keys(frontier)) == (2, [])


def test_twins_that_fail_are_retried_each_by_its_id(begin):
    frontier, _ = begin(*TWINS)
    for _ in TWINS:
        claim = take(frontier)
        frontier.fail(claim, FailureClass.TERMINAL, "timeout")
    second = Listing(frontier).failed()[1].page
    assert frontier.retry_failed([second.id]) == 1
    assert urls(Listing(frontier).queued()) == [TWINS[1]]
    assert audit_keys(frontier) == []


def test_a_page_stands_back_while_one_of_its_id_is_in_flight(begin):
    frontier, clock = begin(A, B)
    fields = json.loads(frontier.redis.lindex(frontier.key("queued"), 0))
    twin = json.dumps([*fields[:4], 1, *fields[5:]], separators=(",", ":"))
    frontier.redis.linsert(frontier.key("queued"), "AFTER", _head(frontier), twin)
    frontier.redis.hincrby(frontier.key("counts"), "queued", 1)
    frontier.redis.hincrby(frontier.key("counts"), "accepted", 1)
    frontier.redis.hincrby(frontier.key("lane:"), "n", 1)
    first, other = take(frontier), take(frontier, "w2")
    assert (first.page.url, other.page.url) == (A, B)
    assert frontier.snapshot().counts["clashes"] == 1
    assert frontier.finish(first, A).accepted
    frontier.finish(other, B)
    clock.advance(1)
    assert frontier.finish(take(frontier), A).ended
    assert frontier.snapshot().done == 3
    assert frontier.claim("w1").outcome is Outcome.FINISHED


def test_pages_of_one_id_are_both_done_while_the_crawl_drains(begin):
    frontier, clock = begin(A, page_limit=1)
    claim = take(frontier)
    assert frontier.snapshot().status is Status.DRAINING
    raw = frontier.redis.lindex(frontier.key("processing"), 0)
    frontier.redis.zadd(frontier.key("delayed"), {raw.replace(b"[2,1,", b"[2,0,"): 0})
    assert frontier.claim("w2").outcome is Outcome.WAIT
    frontier.finish(claim, A)
    clock.advance(1)
    assert frontier.finish(take(frontier), A).ended


def _head(frontier) -> bytes:
    return frontier.redis.lindex(frontier.key("queued"), 0)
