"""What a link brought along, its route and its data, stays with the page wherever it goes."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy

import pytest

from crawler.frontier.arguments import BATCH_LENGTH, portions
from crawler.frontier.entries import decode_page, encode_page
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.outbox import Outbox
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.model import FailureClass, Page, PageData, Plan, Policy, Status
from tests.support.frontier import A, B, Clock, take

DATA = {"shelf": 'Books "for" {all}]', "n": [1, 2.5, None, {"é": True}]}
BOOK = Page(B, depth=2, lane="shop.example", route="book", data=DATA)


def brought(page: Page) -> tuple[str, dict]:
    return page.route, dict(page.data)


def test_data_survive_all_that_becomes_of_a_page(begin):
    # Given a page with data, found on another one
    frontier, clock = begin(A, backoff=1, attempts=3, crash_strikes=9)
    listing = Listing(frontier)
    frontier.finish(take(frontier), A, [BOOK])
    assert [brought(page) for page in listing.queued()] == [("book", DATA)]

    # When its worker dies, it is given back, retried, paused, and its claim is mended
    assert brought(take(frontier).page) == ("book", DATA)
    clock.advance(61)
    assert frontier.tick().reaped == 1
    assert [brought(page) for page in listing.delayed()] == [("book", DATA)]
    clock.advance(600)
    take(frontier)
    assert frontier.release("w1") == 1
    frontier.pause()
    frontier.resume()
    clock.advance(600)
    frontier.fail(take(frontier), FailureClass.RETRY, "timeout")
    clock.advance(600)
    claim = take(frontier)
    assert [brought(one.page) for one in listing.processing()] == [("book", DATA)]
    frontier.redis.delete(frontier.key("inflight"), frontier.key("leases"))
    assert repair_keys(frontier)
    assert audit_keys(frontier) == []
    clock.advance(61)
    frontier.tick()
    # Then it is a dead letter with its data, and comes back with them
    (letter,) = listing.failed()
    assert (letter.page.id, brought(letter.page)) == (claim.page.id, ("book", DATA))
    assert letter.record() | {"route": "book", "data": DATA} == letter.record()
    assert frontier.retry_failed() == 1
    page = take(frontier).page
    assert (page.url, page.depth, page.attempt, page.id) == (B, 2, 1, Page(B).id)
    assert brought(page) == ("book", DATA)


@pytest.mark.parametrize("hook", ["after", "failed"])
def test_a_delivery_that_is_made_again_has_the_data(redis, hook):
    frontier = Frontier(redis, "shop")
    policy = Policy(attempts=1, after_attempts=1)
    frontier.create(Plan("shop", policy, "d1", before_all=False, failed_hook=True))
    Clock(frontier).start()
    frontier.enqueue([BOOK])
    claim = take(frontier)
    if hook == "after":
        frontier.finish(claim, B, result='{"url": "b"}', deliver=True)
    else:
        frontier.fail(claim, FailureClass.TERMINAL, "gone")
    name, outbox = f"{hook}-{claim.page.id}", Outbox(frontier)
    # Given a hook that raised for the last time
    assert [brought(one.delivery.page) for one in outbox.waiting()] == [("book", DATA)]
    while outbox.failed(name, "OSError", "w1").retry_in is not None:
        outbox.take(name, "w1")
    assert [brought(one.delivery.page) for one in outbox.undelivered()] == [("book", DATA)]
    # When it is asked for again
    assert outbox.redeliver() == 1
    # Then it is handed the page with its data
    assert brought(outbox.take(name, "w2").page) == ("book", DATA)


@pytest.mark.parametrize("end", [Status.FINISHED, Status.STOPPED])
def test_a_hook_that_is_called_after_the_end_may_add_pages(begin, end):
    # Given a crawl that has ended, and a delivery that no hook took
    frontier, _ = begin(A, after_attempts=1)
    claim = take(frontier)
    frontier.finish(claim, A, result='{"url": "a"}', deliver=True)
    name, outbox = f"after-{claim.page.id}", Outbox(frontier)
    if end is Status.STOPPED:
        frontier.stop()
    outbox.failed(name, "OSError", "w1")
    assert frontier.snapshot().status is end
    # When it is delivered again, and its hook follows a page
    outbox.redeliver()
    outbox.take(name, "w2")
    assert frontier.enqueue([Page(B)], delivery=name).new == 1
    frontier.wake({}, [name], "w2")
    # Then a crawl that had finished goes on; one that was stopped stays that, and keeps the page
    if end is Status.FINISHED:
        assert frontier.snapshot().status is Status.ACTIVE
        assert frontier.finish(take(frontier), B).ended
    else:
        assert frontier.snapshot().queued == 1
    assert frontier.snapshot().status is end
    assert audit_keys(frontier) == []


def test_a_delivery_that_is_over_adds_nothing(begin):
    frontier, _ = begin(A, B)
    claim = take(frontier)
    frontier.finish(claim, A, result='{"url": "a"}', deliver=True)
    name = f"after-{claim.page.id}"
    frontier.wake({}, [name], "w1")
    assert frontier.enqueue([BOOK], delivery=name).skipped == {"stale": 1}


def test_a_page_whose_link_brought_nothing_has_no_more_bytes():
    page = Page(A, parent=Page(B).id)
    assert encode_page(page) == json.dumps([2, 0, 0, 1, 0, "", Page(B).id, "", A]).replace(" ", "")


def test_a_page_that_is_known_keeps_what_it_came_with(begin):
    frontier, _ = begin(A, pages=[BOOK])
    again = Page(B, depth=1, route="other", data={"shelf": "new"})
    frontier.finish(take(frontier), A, [again, Page(B)])
    assert frontier.snapshot().counts["skipped_known_data"] == 1
    assert frontier.snapshot().examples["skipped_known_data"] == B
    assert brought(take(frontier).page) == ("book", DATA)


def test_halves_of_characters_in_data_become_the_sign_for_one(begin):
    frontier, _ = begin(pages=[Page(A, data={"t\ud83d": ["x\ude00"]})])
    assert take(frontier).page.data == {"t\ufffd": ["x\ufffd"]}


def test_an_entry_whose_last_part_is_damaged_is_a_dead_letter(begin):
    frontier, _ = begin(A)
    key = frontier.key("queued")
    entry = frontier.redis.lindex(key, 0)
    frontier.redis.lset(key, 0, entry[:-1] + b",5]")
    assert frontier.claim("w1").claim is None
    assert [letter.reason for letter in Listing(frontier).failed()] == ["corrupt"]
    assert decode_page(entry[:-1] + b',{"data":5}]').data == {}


def test_pages_with_much_data_are_added_in_smaller_portions():
    pages = [Page(f"{A}/{n}", data={"text": "x" * 2_000}) for n in range(150)]
    sizes = [len(portion) for portion in portions(pages, at_least_one=False)]
    assert sum(sizes) == 150
    assert max(sizes) * 2_000 <= BATCH_LENGTH


def test_data_of_a_page_cannot_be_changed_but_copied():
    data = Page(A, data={"a": 1}).data
    for change in (
        lambda: data.update(b=2),
        lambda: data.__setitem__("a", 2),
        lambda: data.pop("a"),
        lambda: data.clear(),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    assert {**data, "b": 2} == {"a": 1, "b": 2}
    assert json.dumps(data) == '{"a": 1}'
    for copy in (deepcopy(data), pickle.loads(pickle.dumps(data))):  # noqa: S301
        assert (copy, type(copy)) == (data, PageData)
    assert len({Page(A), Page(A, data={"a": 1})}) == 2
