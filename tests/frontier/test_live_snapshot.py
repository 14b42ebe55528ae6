"""The snapshot of hooks: numbers that list their pages on request."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace

import pytest

from crawler.frontier.live_snapshot import LISTED, LiveSnapshot, live_snapshot
from crawler.model import FailureClass, Page, Priority, Snapshot
from tests.support.frontier import A, B, C, D, take, urls


def lanes(number: int) -> list[Page]:
    """Pages of as many hosts, two of each."""
    return [Page(f"https://h{n % number}.example/{n}", lane=f"h{n % number}") for n in range(4)]


def test_counts_list_their_pages_when_they_are_called(begin):
    frontier, _ = begin(A, B, C, D)
    done, lost = take(frontier), take(frontier)
    frontier.finish(done, done.page.url, [Page("https://shop.example/found", 1, data={"n": 1})])
    frontier.fail(lost, FailureClass.TERMINAL, "http_404", status=404)
    working = take(frontier)
    snapshot = live_snapshot(frontier)
    assert [getattr(snapshot, state) for state in LISTED] == [2, 0, 1, 1, 1]
    assert snapshot.queued >= 2
    assert urls(snapshot.queued()) == [D, "https://shop.example/found"]
    assert snapshot.queued(1, start=1)[0].data == {"n": 1}
    assert [(page.url, page.attempt) for page in snapshot.processing()] == [(working.page.url, 1)]
    assert snapshot.done(5) == [done.page.url]
    (letter,) = snapshot.failed()
    assert (letter.url, letter.reason, letter.status) == (lost.page.url, "http_404", 404)
    frontier.finish(working, working.page.url)
    assert snapshot.done(5) == [working.page.url, done.page.url]  # of this moment, the latest first
    assert (snapshot.done(1, start=1), snapshot.done(5, start=2)) == ([done.page.url], [])


def test_waiting_pages_of_all_hosts_are_listed(begin):
    frontier, _ = begin(pages=lanes(2), delay=60)
    frontier.enqueue([Page("https://h0.example/first", lane="h0", priority=Priority.HIGH)])
    first = take(frontier, paced=True)  # whose host serves no other run until the page is sent
    other = take(frontier, paced=True)
    frontier.sent(other)  # whose host waits for a minute
    assert first.page.url == "https://h0.example/first"
    snapshot = live_snapshot(frontier)
    found = urls(snapshot.queued())
    assert (sorted(found), snapshot.queued) == (sorted(urls(lanes(2))[:1] + urls(lanes(2))[2:]), 3)
    assert [urls(snapshot.queued(1, start=n)) for n in range(4)] == [[url] for url in found] + [[]]
    frontier.fail(first, FailureClass.RETRY, "timeout")
    assert urls(live_snapshot(frontier).delayed()) == [first.page.url]


def test_lists_have_bounds(begin):
    frontier, _ = begin(A)
    snapshot = live_snapshot(frontier)
    with pytest.raises(ValueError, match=r"queued\(\) lists 1 to 1,000 pages at a time, not 1001"):
        snapshot.queued(1_001)
    for count, start in ((0, 0), ("3", 0), (True, 0), (10, -1), (10, 9_991)):
        with pytest.raises(ValueError, match="lists"):
            snapshot.failed(count, start=start)


def test_copies_for_others_are_plain(begin):
    frontier, _ = begin(A)
    snapshot = live_snapshot(frontier)
    sent = copy.deepcopy(snapshot)
    assert (type(sent), sent) == (Snapshot, frontier.snapshot())
    assert type(sent.queued) is type(asdict(snapshot)["queued"]) is int
    assert json.loads(json.dumps({"queued": snapshot.queued})) == {"queued": 1}
    assert isinstance(replace(snapshot, name="other"), LiveSnapshot)
