"""The frontier keeps its promises on memory and the length of its steps; ``make bench-frontier``
measures them at full size.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import redis as redis_py

from benchmarks.frontier.measure import Row, policy, weigh
from benchmarks.frontier.pages import LINKS, page, pages
from benchmarks.frontier.rare import rare
from benchmarks.frontier.server import Gauge, running
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import Plan

pytestmark = pytest.mark.slow

URLS = 10_000
#: Milliseconds of processor time for which one step may keep Redis busy.
STEP_MAX = 20


@pytest.fixture
def gauge(tmp_path: Path):
    """An empty crawl on a server with the settings that we ship."""
    with running(tmp_path) as server:
        frontier = Frontier(redis_py.Redis.from_url(server.url), "crawl")
        frontier.create(Plan("crawl", policy(), "", before_all=False))
        yield Gauge(frontier.redis, frontier)


def test_a_known_url_takes_11_bytes_and_a_queued_one_50(gauge):
    gauge.frontier.enqueue(pages(0, URLS))
    found = Row(URLS, None)
    weigh(gauge, found)
    assert set(found.encodings) == {"intset"}
    assert max(found.known_url, found.known_url_by_growth) <= 11
    assert max(found.queued_url, found.queued_url_by_growth) <= 50


def test_known_urls_stay_known_while_their_buckets_are_split(gauge):
    frontier = gauge.frontier
    for first in range(0, URLS, LINKS):
        assert frontier.enqueue(pages(first, first + LINKS)).new == LINKS
    assert all(Listing(frontier).seen(page(number).url) for number in range(0, URLS, 7))
    assert frontier.enqueue(pages(0, URLS)).known == URLS
    sizes = [gauge.client.scard(key) for key in gauge.keys("seen:")]
    assert sum(sizes) == URLS
    assert max(sizes) < 512  # what Redis allows an intset by default


@pytest.mark.soak
def test_a_hundred_thousand_links_on_one_page_never_hold_up_redis(gauge):
    with gauge.longest() as longest:
        assert gauge.frontier.enqueue(pages(0, 100_000)).new == 100_000
    assert longest["enqueue"] <= STEP_MAX


def test_what_is_rare_and_much_at_once_never_holds_up_redis(tmp_path):
    for case, longest in rare(tmp_path, 0.05).items():
        assert max(longest.values()) <= STEP_MAX, case
