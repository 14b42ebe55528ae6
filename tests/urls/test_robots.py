"""robots.txt as RFC 9309 means it."""

from __future__ import annotations

import pytest

from crawler.urls.robots import DELAY_MAX, KEEP, KEEP_UNREACHABLE, SIZE_MAX, parse_robots

FILE = b"""\xef\xbb\xbfUser-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.cgi$
Crawl-delay: 2.5
Sitemap: https://shop.example/sitemap.xml

User-agent: badbot
Disallow: /
"""
SHOP = "https://shop.example"


def test_the_longest_rule_wins():
    rules = parse_robots(200, FILE)
    assert rules.allowed(SHOP + "/")
    assert not rules.allowed(SHOP + "/private/a")
    assert rules.allowed(SHOP + "/private/open")
    assert not rules.allowed(SHOP + "/a.cgi")
    assert rules.allowed(SHOP + "/a.cgi?x")
    assert (rules.crawl_delay, rules.sitemaps, rules.keep) == (2.5, (SHOP + "/sitemap.xml",), KEEP)


def test_a_group_of_our_own_is_the_one_that_counts():
    assert not parse_robots(200, FILE, agent="badbot").allowed(SHOP + "/")
    assert parse_robots(
        200, b"User-agent: *\nDisallow: /\nUser-agent: celery-crawler\nDisallow:"
    ).allowed(SHOP + "/")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 301, 304])
def test_no_file_allows_all(status):
    assert parse_robots(status, FILE).allowed(SHOP + "/private/a")


@pytest.mark.parametrize("status", [None, 500, 503, 599, 429])
def test_no_answer_forbids_all_for_now(status):
    rules = parse_robots(status, FILE)
    assert not rules.allowed(SHOP + "/")
    assert rules.keep == KEEP_UNREACHABLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Not here</title>",
        b"\xff\xfe\x00garbage",
        b"Disallow: /",
        b"\0" * 100,
    ],
)
def test_what_holds_no_rules_allows_all(body):
    assert parse_robots(200, body).allowed(SHOP + "/a")


def test_a_file_without_end_is_read_as_far_as_it_must_be():
    filler = b"# nothing\n" * (SIZE_MAX // 10)
    assert not parse_robots(
        200, b"User-agent: *\nDisallow: /a\n" + filler * 3 + b"Disallow: /b\n"
    ).allowed(SHOP + "/a")
    assert parse_robots(
        200, b"User-agent: *\nDisallow: /a\n" + filler * 3 + b"Disallow: /b\n"
    ).allowed(SHOP + "/b")


@pytest.mark.parametrize(
    ("said", "delay"), [(b"86400", DELAY_MAX), (b"0", None), (b"soon", None), (b"1", 1.0)]
)
def test_a_delay_is_obeyed_up_to_a_minute(said, delay):
    assert parse_robots(200, b"User-agent: *\nCrawl-delay: " + said).crawl_delay == delay
