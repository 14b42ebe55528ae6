"""Damaged keys are found and mended; a crawl is closed meanwhile if it is large."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crawler.errors import FrontierUnavailable
from crawler.frontier.answers import Verdict
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys, exclusive_access, repair_keys
from crawler.model import Page
from tests.support.frontier import A, take


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


def test_a_damaged_crawl_of_many_lanes_is_repaired_in_steps(begin):
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


def test_callers_wait_while_a_crawl_is_closed_for_a_repair(begin, monkeypatch):
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


def test_a_crawl_opens_by_itself_after_its_repair_died(begin):
    frontier, clock = begin(A)
    with pytest.raises(FrontierUnavailable, match="went on meanwhile"), exclusive_access(frontier):  # noqa: PT012
        clock.advance(121)
        assert take(frontier).page.url == A
