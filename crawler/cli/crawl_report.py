"""The report of a crawl as a page for a browser: its facts, as its frontier and the files of its
error snapshots have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..frontier.kinds import kind_of
from ..frontier.listing import Listing
from ..model import Snapshot, short_id
from ..output import report
from ..output.error_files import folders_of, kept_of_pages
from ..output.files.whole_files import WholeFile
from ..output.html.crawl_facts import CrawlFacts, FailedFacts
from ..output.html.crawl_page import crawl_page, is_report_of

if TYPE_CHECKING:
    from ..client.crawl_handle import CrawlHandle

#: The name of a step's seconds among the tallies, and of the counts beside them.
STEP, SECONDS = "step:", "us"


def report_file(path: Path, crawl: str, state: Path) -> WholeFile:
    """Return the file for the report of ``crawl``; only another report of it is overwritten."""
    return WholeFile(path, state, is_ours=partial(is_report_of, crawl=crawl), kind="page")


def report_page(handle: CrawlHandle, snapshot: Snapshot, state: Path, usual: Path | None) -> str:
    """Return the report of the crawl as a page. ``usual`` is the folder with error snapshots of all
    crawls.
    """
    kept = kept_of_pages(folders_of(state, handle.name, usual))
    samples = Listing(handle.frontier).history()
    facts = CrawlFacts(
        snapshot,
        report.report(snapshot),
        steps=step_times(handle.frontier.tallies()),
        vanished=[(page.url, page.reason) for page in handle.vanished()],
        failed=list(failed_facts(handle, kept)),
        waiting=[(one.at, one.queued + one.delayed) for one in samples],
    )
    facts.read(results_of(handle))
    return crawl_page(facts)


def results_of(handle: CrawlHandle) -> Iterator[tuple[float, str]]:
    """Yield when each result was stored, in epoch seconds, and its line."""
    listing, place = Listing(handle.frontier), "0"
    while batch := listing.results(place):
        for place, _, text in batch:
            yield int(place.partition("-")[0]) / 1_000, text


def failed_facts(
    handle: CrawlHandle, kept: Mapping[str, Mapping[str, str]]
) -> Iterable[FailedFacts]:
    """Yield the facts of failed pages; ``kept`` has the paths of their snapshots by id."""
    for letter in handle.failed():
        page = letter.page
        yield FailedFacts(
            page.url,
            letter.reason,
            kind_of(letter.failure, letter.reason),
            letter.status,
            page.attempt,
            page.depth,
            letter.at,
            short_id(page.id),
            short_id(page.parent) if page.parent else "",
            kept.get(page.id, {}).get("png"),
        )


def step_times(tallies: Mapping[str, int]) -> dict[str, tuple[float, int]]:
    """Return the seconds and the number of each step, of the ``tallies`` of a frontier."""
    steps: dict[str, tuple[float, int]] = {}
    for name, number in tallies.items():
        if name.startswith(STEP):
            step, _, what = name.removeprefix(STEP).rpartition(":")
            seconds, count = steps.get(step, (0.0, 0))
            if what == SECONDS:
                seconds += number / 1_000_000
            else:
                count += number
            steps[step] = seconds, count
    return steps
