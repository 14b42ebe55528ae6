"""Pages are counted by the route that they took: in the frontier, the report and the metrics."""

from __future__ import annotations

import pytest

from crawler.frontier.answers import RouteTally
from crawler.frontier.frontier import Frontier
from crawler.model import FailureClass, Page
from crawler.output import report
from tests.support.frontier import plan, take


@pytest.fixture
def frontier(redis) -> Frontier:
    frontier = Frontier(redis, "shop")
    frontier.create(plan(attempts=2, backoff=0))
    return frontier


def test_done_failed_and_time_are_counted_by_route(frontier):
    frontier.enqueue([Page(f"https://shop.example/{number}") for number in range(5)])
    for seconds, links in ((1.0, []), (2.0, [Page("https://shop.example/new")])):
        claim = take(frontier)
        frontier.finish(claim, claim.page.url, links, route=RouteTally("book", seconds))
    # a repeated report counts once, and a page that is tried again not yet
    frontier.finish(claim, claim.page.url, route=RouteTally("book", 2.0))
    frontier.fail(take(frontier), FailureClass.TERMINAL, "dns", route=RouteTally("book", 0.5))
    frontier.fail(take(frontier), FailureClass.RETRY, "timeout", route=RouteTally("shelf", 9.0))
    claim = take(frontier)
    frontier.finish(claim, claim.page.url, route=RouteTally("none", 0.25))

    snapshot = frontier.snapshot()
    assert snapshot.routes == {
        "book": {"done": 2, "failed": 1, "ms": 3_500},
        "none": {"done": 1, "ms": 250},
    }
    facts = report.report(snapshot)["routes"]["book"]
    assert facts == {"done": 2, "failed": 1, "seconds": 3.5, "seconds_per_page": 1.167}
    (line,) = [line for line in report.lines(snapshot) if line.startswith("  routes")]
    assert line == "  routes   book 2 done, 1 failed, 1.17 s each; none 1 done, 0.25 s each"


def test_a_crawl_without_routes_has_none_in_its_report(frontier):
    frontier.enqueue([Page("https://shop.example/a")])
    frontier.finish(claim := take(frontier), claim.page.url)
    snapshot = frontier.snapshot()
    assert (snapshot.routes, report.report(snapshot)["routes"]) == ({}, {})
    assert not any("routes" in line for line in report.lines(snapshot))


def test_the_routes_of_many_versions_are_bounded_in_counts_and_metrics(frontier):
    metrics = pytest.importorskip("crawler.observe.metrics")
    frontier.enqueue([Page(f"https://shop.example/{number}") for number in range(210)])
    for number in range(210):
        claim = take(frontier)
        frontier.finish(claim, claim.page.url, route=RouteTally(f"r{number}", 1.0))
    routes = frontier.snapshot().routes
    assert (len(routes), routes["other"]) == (201, {"done": 10, "ms": 10_000})
    shown = metrics.busiest(routes)
    assert len(shown) <= metrics.ROUTES_MAX + 1
    assert sum(counts["done"] for counts in shown.values()) == 210
    families = {one.name: one for one in metrics.Collector(frontier.redis).collect()}
    samples = families["crawler_route_pages"].samples
    labels = {"crawl": "shop", "route": "other"}
    assert {"state": "failed", **labels} in [sample.labels for sample in samples]
    (seconds,) = [one for one in families["crawler_route_seconds"].samples if one.labels == labels]
    assert seconds.value == shown["other"]["ms"] / 1_000
