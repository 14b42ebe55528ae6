"""The lists of a crawl are read in pages."""

from __future__ import annotations

from crawler.frontier.listing import Listing
from crawler.frontier.operations import KEPT, Operations
from tests.support.frontier import A, B, C, take


def test_results_can_be_read_on_from_where_one_stopped(begin):
    frontier, _ = begin(A, B, C)
    for n in range(3):
        frontier.finish(take(frontier), "-", result=str(n), item=True)
    (last, _, _), *_ = Listing(frontier).results(count=1)
    assert [text for _, _, text in Listing(frontier).results(after=last)] == ["1", "2"]
    assert frontier.snapshot().counts["items"] == 3


def test_the_latest_operations_are_kept_until_the_crawl_begins_again(begin):
    frontier, _ = begin(A)
    operations = Operations(frontier)
    for n in range(KEPT + 5):
        operations.note(f"goes by delay={n}", "crawler limits (ann at desk)")
    latest = operations.latest()
    assert (len(latest), latest[0].what) == (KEPT, f"goes by delay={KEPT + 4}")
    assert latest[0].by == "crawler limits (ann at desk)"
    assert latest[0].at >= latest[-1].at > 0
    frontier.clear()
    operations.note("was told to stop", "nobody")  # there is no such crawl
    assert operations.latest() == []


def test_a_place_that_a_fail_over_lost_begins_again(begin):
    frontier, _ = begin(A, B, C)
    for n in range(3):
        frontier.finish(take(frontier), "-", result=str(n), item=True)
    first, second, third = (place for place, _, _ in Listing(frontier).results())
    resume = Listing(frontier).place_to_resume
    assert [resume(place) for place in ("0", first, third)] == ["0", first, third]
    frontier.redis.xdel(frontier.key("results"), third)  # the new master never had it
    assert resume(third) == "0"
    frontier.redis.xtrim(frontier.key("results"), 1, approximate=False)
    assert (resume(first), resume(second)) == (first, second)
