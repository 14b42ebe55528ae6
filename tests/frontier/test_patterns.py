"""``pattern_limit``: links to ever more pages of one pattern are followed no longer."""

from __future__ import annotations

import pytest

from crawler.frontier.arguments import BATCH
from crawler.model import Page
from tests.support.frontier import A, take

SITE = "https://shop.example"
FLOOR = 1_000


def follow(frontier, *paths: str):
    """Enqueue links of the entry page, which is in flight."""
    pages = [Page(f"{SITE}{path}", 1) for path in paths]
    return frontier.enqueue(pages, parent=follow.entry)


@pytest.fixture
def crawl(begin):
    def crawl(**policy):
        frontier, _ = begin(A, **policy)
        follow.entry = take(frontier)
        return frontier

    return crawl


def test_links_of_one_pattern_are_followed_up_to_the_limit(crawl):
    frontier = crawl(pattern_limit=5)
    added = follow(frontier, *(f"/calendar/2024/{n}" for n in range(1, 10)), "/about")
    assert (added.new, added.skipped) == (6, {"pattern": 4})
    assert follow(frontier, "/calendar/2024/1", "/calendar/2025/1").skipped == {"pattern": 2}
    seen = frontier.snapshot()
    assert seen.counts["skipped_pattern"] == 6
    assert seen.examples["skipped_pattern"] == f"{SITE}/calendar/2024/6"


def test_what_is_known_already_is_counted_once(crawl):
    frontier = crawl(pattern_limit=5)
    for _ in range(4):
        follow(frontier, *(f"/product/{n}" for n in range(3)))
    assert follow(frontier, "/product/8", "/product/9").new == 2


def test_endless_patterns_have_a_hundredth_and_rounds_a_thousandth(crawl):
    frontier = crawl(pattern_limit=200_000)
    numbers = range(2 * FLOOR + BATCH)
    assert follow(frontier, *(f"/product/{n}" for n in numbers)).new == len(numbers)
    assert follow(frontier, *(f"/day/{2000 + n}-01-01" for n in range(100))).new == 100
    assert follow(frontier, *(f"/s/{n:032x}/shelf" for n in numbers)).new == 2 * FLOOR
    assert follow(frontier, *(f"/{'a/b/' * n}" for n in range(3, 500))).new == 497
    assert follow(frontier, *(f"/{'c/' * n}" for n in range(3, 1_003))).new == FLOOR
    assert follow(frontier, *(f"/{'c/' * n}" for n in range(1_003, 1_040))).new == 0


def test_sets_of_names_are_bounded_for_each_path(crawl):
    frontier = crawl(pattern_limit=6)
    sets = [f"/list?{'&'.join('abcdefgh'[: n + 1])}=1" for n in range(8)]
    assert follow(frontier, *sets).new == 6
    assert follow(frontier, *(path.replace("list", "shelf") for path in sets)).new == 6


def test_seeds_are_not_cut_by_a_limit_on_links(crawl):
    frontier = crawl(pattern_limit=5)
    assert frontier.enqueue([Page(f"{SITE}/product/{n}") for n in range(50)]).new == 50


@pytest.mark.parametrize("limit", [None, 0])
def test_no_limit_keeps_no_patterns(crawl, limit):
    frontier = crawl(pattern_limit=limit)
    assert follow(frontier, *(f"/product/{n}" for n in range(300))).new == 300
    assert not frontier.redis.exists(frontier.key("patterns"))
    frontier.set_limits(pattern_limit=3)
    assert follow(frontier, *(f"/product/{n}" for n in range(900, 910))).new == 3


def test_the_patterns_that_a_crawl_keeps_are_bounded(crawl):
    frontier = crawl(pattern_limit=1_000)
    patterns = frontier.key("patterns")
    frontier.redis.hset(patterns, mapping={f"{n:012x}": 1 for n in range(20_000)})
    words = [f"/{a}{b}{c}/7" for a in "abcdefghij" for b in "abcdefghij" for c in "klmnopqrst"]
    assert follow(frontier, *words).new == 1_000
    assert frontier.redis.hlen(patterns) == 20_001
    assert follow(frontier, "/zzz/8").skipped == {"pattern": 1}
    assert frontier.clear() > 0
    assert not frontier.redis.exists(patterns)
