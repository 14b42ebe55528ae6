"""Patterns of URLs: what differs in a number, a date, an id or a value is one; words are not."""

from __future__ import annotations

import random
import string

import pytest

from crawler.urls.url_patterns import Kind, pattern_of

SITE = "https://shop.example"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/product/1", "/product/4711"),
        ("/product/item-1.html", "/product/item-22.html"),
        ("/p/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/p/00000000-4f89-11d3-9a0c-0305e82c3301"),
        ("/2024/05/17", "/2031/11/01"),
        ("/day/2024-05-17", "/day/1999-1-1"),
        ("/list?page=1&sort=a", "/list?sort=b&page=77"),
        ("/list?q1=1", "/list?q2=1"),
        ("/a/page;jsessionid=AB12", "/a/page;jsessionid=99"),
        ("/a/b/a/b/a/b", "/a/b/a/b/a/b/a/b/a"),
        ("/x/x/x", "/x/x/x/x/x/x/x/x"),
        ("/a-long-title-of-a-story", "/quite-another-one-of-them"),
    ],
)
def test_urls_that_differ_in_what_varies_have_one_pattern(one, other):
    first, second = pattern_of(SITE + one), pattern_of(SITE + other)
    assert first is not None
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/product/1", "/review/1"),
        ("/list?page=1", "/list?start=1"),
        ("/list?page=1", "/shelf?page=1"),
        ("/a/b/a/b/a/b", "/a/c/a/c/a/c"),
    ],
)
def test_urls_of_other_words_have_other_patterns(one, other):
    assert pattern_of(SITE + one) != pattern_of(SITE + other)


@pytest.mark.parametrize(
    "path", ["/", "/wiki/Berlin", "/shop/shoes/red", "/about.html", "/a/b/a/b"]
)
def test_a_path_of_words_is_counted_by_no_pattern(path):
    assert pattern_of(SITE + path) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/product/123", Kind.ORDINARY),
        ("/product/123/some-title-of-it", Kind.ORDINARY),
        ("/viewtopic.php?t=123&start=40", Kind.ORDINARY),
        ("/p/3f2504e0-4f89-11d3-9a0c-0305e82c3301", Kind.ORDINARY),
        ("/page/3/of/9", Kind.ORDINARY),
        ("/2024/05/17/a-story-of-that-day", Kind.ORDINARY),
        ("/news/2024-05-17/1234", Kind.ORDINARY),
        ("/user/3f2504e0-4f89-11d3-9a0c-0305e82c3301/posts", Kind.ORDINARY),
        ("/calendar/2024/05/17/events", Kind.ENDLESS),
        ("/(S(lit3py55t21z5v55vlm25s55))/orders", Kind.ENDLESS),
        ("/calendar/2024/05", Kind.ENDLESS),
        ("/calendar/2024-05-17", Kind.ENDLESS),
        ("/calendar?month=5&year=2031", Kind.ENDLESS),
        ("/list?from=2031-05-01", Kind.ENDLESS),
        ("/s/9f86d081884c7d659a2feaa0c55ad015/shelf", Kind.ENDLESS),
        ("/list?a=1&b=2&c=3&d=4", Kind.MANY_NAMES),
        ("/list?a=1&a=2", Kind.MANY_NAMES),
        ("/a/b/a/b/a/b", Kind.REPEATS),
        ("/a/x/a/y/a/z/a/w", Kind.REPEATS),
    ],
)
def test_the_kind_says_how_a_pattern_seems_to_grow(path, kind):
    found = pattern_of(SITE + path)
    assert found is not None
    assert found.kind is kind


def test_a_pattern_is_found_for_any_url():
    rand = random.Random(1)
    for _ in range(3_000):
        text = "".join(rand.choices(string.printable + "///??&&==;;é", k=rand.randrange(60)))
        pattern_of(f"{SITE}/{text}")
    assert pattern_of(f"{SITE}/{'a/' * 50_000}") == pattern_of(f"{SITE}/{'a/' * 60_000}")
    assert pattern_of(f"{SITE}/x?{'&'.join(f'n{n}' for n in range(20_000))}")
