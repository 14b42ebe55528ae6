"""A page is reported as done, with its links and its result, in one step."""

from __future__ import annotations

from crawler.frontier.answers import Verdict
from crawler.frontier.listing import Listing
from crawler.model import FailureClass, Page, Status
from crawler.output.report import lines, report
from tests.support.frontier import A, B, C, take, urls


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


def test_the_crawl_does_not_end_before_its_last_page(begin):
    frontier, _ = begin(A, B)
    slow, quick = take(frontier), take(frontier)
    assert frontier.finish(quick, B).ended is False
    assert frontier.snapshot().status is Status.ACTIVE
    assert frontier.finish(slow, A).ended is True


def test_the_first_example_of_each_reason_is_kept(begin):
    frontier, _ = begin(A)
    first = {"scope": "https://x.example/%20ü", "deny": f"{A}/no"}
    frontier.enqueue([], skipped={"scope": 2, "deny": 1}, examples=first)
    entry = take(frontier)
    skipped = {"scope": 1, "length": 1}
    frontier.finish(entry, A, skipped=skipped, examples={"scope": B, "length": C})
    snapshot = frontier.snapshot()
    assert snapshot.counts["skipped_scope"] == 3
    assert snapshot.examples == {
        **{f"skipped_{reason}": url for reason, url in first.items()},
        "skipped_length": C,
    }


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


def test_more_links_than_one_step_takes_precede_their_page(begin):
    frontier, _ = begin(A)
    ending = frontier.finish(
        take(frontier), A, [Page(f"{A}/{n}", 1) for n in range(1_001)], skipped={"scope": 3}
    )
    assert (ending.verdict, ending.ended, Listing(frontier).done()) == (Verdict.OK, False, [A])
    snapshot = frontier.snapshot()
    assert (snapshot.queued, snapshot.counts["skipped_scope"]) == (1_001, 3)


def test_a_page_that_leads_to_a_known_one_has_no_result(begin):
    frontier, _ = begin(A, B)
    ending = frontier.finish(take(frontier), f"{A}/x%20y", result='{"url": "a"}', final=B)
    assert ending.verdict is Verdict.ALIAS
    assert frontier.finish(take(frontier), B, result='{"url": "b"}', final=B).verdict is Verdict.OK
    assert [(n, text) for _, n, text in Listing(frontier).results()] == [(1, '{"url": "b"}')]
    snapshot = frontier.snapshot()
    assert (snapshot.done, snapshot.counts["dup"]) == (2, 1)
    # and the report counts it, with an example
    assert report(snapshot)["known"] == {"pages": 1, "example": f"{A}/x%20y"}
    assert any(f"1 led to pages known already, as {A}/x%20y" in line for line in lines(snapshot))


def test_the_end_of_a_redirect_is_known_from_then_on(begin):
    frontier, _ = begin(A)
    entry = take(frontier)
    assert frontier.finish(entry, A, final=B).verdict is Verdict.OK
    assert Listing(frontier).seen(B)
    assert (frontier.snapshot().accepted, frontier.snapshot().counts["seen"]) == (1, 2)


def test_the_report_counts_pages_by_the_version_that_did_them(begin):
    frontier, _ = begin(A, B, C)
    for url, version in ((A, "0001aaaa"), (B, "0002bbbb")):
        frontier.finish(take(frontier), url, version=version)
        assert any("versions" in line for line in lines(frontier.snapshot())) == (url == B)
    frontier.fail(take(frontier), FailureClass.TERMINAL, "gone", version="0002bbbb")
    versions = {"0001aaaa": {"done": 1}, "0002bbbb": {"done": 1, "failed": 1}}
    assert report(frontier.snapshot())["versions"] == versions
    assert "  versions 0001aaaa 1 done; 0002bbbb 1 done, 1 failed" in lines(frontier.snapshot())


def test_a_crawl_of_many_versions_keeps_few_counts(begin):
    frontier, _ = begin(*(f"{A}{number}" for number in range(60)))
    for number in range(60):
        frontier.finish(take(frontier), f"{A}{number}", version=f"{number:08x}")
    versions = frontier.snapshot().versions
    assert (len(versions), versions["other"]) == (51, {"done": 10})
