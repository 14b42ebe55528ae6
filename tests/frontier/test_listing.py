"""The lists of a crawl are read in pages."""

from __future__ import annotations

from crawler.frontier.listing import Listing
from tests.support.frontier import A, B, C, take


def test_results_can_be_read_on_from_where_one_stopped(begin):
    frontier, _ = begin(A, B, C)
    for n in range(3):
        frontier.finish(take(frontier), "-", result=str(n), item=True)
    (last, _, _), *_ = Listing(frontier).results(count=1)
    assert [text for _, _, text in Listing(frontier).results(after=last)] == ["1", "2"]
    assert frontier.snapshot().counts["items"] == 3
