"""Failed pages are sent back to their queues."""

from __future__ import annotations

from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.model import FailureClass, Page, Status
from tests.support.frontier import A, B, C, take


def test_failed_pages_go_back_untried_and_re_open_the_crawl(begin):
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
