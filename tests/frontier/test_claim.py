"""Pages are handed out up to the limit, each to one worker, however many race."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.model import Outcome, Page
from tests.support.frontier import A, B, C, plan, take, urls


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


def test_a_repeated_claim_whose_answer_was_lost_gives_the_same_page(begin, monkeypatch):
    frontier, _ = begin(A, B)
    monkeypatch.setattr("secrets.token_hex", lambda n: "t" * n)
    assert take(frontier) == take(frontier)
    assert urls(Listing(frontier).queued()) == [B]


def test_a_claim_says_when_another_page_is_due(begin):
    frontier, _ = begin(pages=[Page(A, lane="a"), Page(B, lane="a")], delay=3)
    assert frontier.claim("w1").wait == 3


def test_an_entry_that_cannot_be_read_fails_and_the_next_is_claimed(begin):
    frontier, _ = begin(A, B)
    frontier.redis.lset(frontier.key("queued"), 0, b'[2,0,0,1,0,"","abc","",\xff nonsense')
    assert take(frontier).page.url == B
    (letter,) = Listing(frontier).failed()
    assert (letter.reason, "nonsense" in letter.page.url) == ("corrupt", True)
    assert audit_keys(frontier) == []


def test_two_hundred_workers_at_once_on_one_seed_fetch_it_once(redis):
    frontier = Frontier(redis, "shop")
    frontier.create(plan(concurrency_limit=50))
    frontier.enqueue([Page(A)])
    with ThreadPoolExecutor(200) as pool:
        turns = list(pool.map(lambda n: frontier.claim(f"w{n}"), range(200)))
    assert sorted(turn.outcome for turn in turns) == [Outcome.EMPTY] * 199 + [Outcome.PAGE]
    assert not any(turn.ended for turn in turns)


def test_racing_workers_do_every_page_once_and_one_ends_the_crawl(redis):
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
