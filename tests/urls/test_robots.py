"""robots.txt as RFC 9309 means it."""

from __future__ import annotations

import pytest

from crawler.urls.robots import (
    AGENT,
    DELAY_MAX,
    KEEP,
    KEEP_UNREACHABLE,
    SIZE_MAX,
    parse_robots,
    product_token,
)

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
    assert not parse_robots(200, FILE, names=("badbot",)).allowed(SHOP + "/")
    assert parse_robots(
        200, b"User-agent: *\nDisallow: /\nUser-agent: celery-crawler\nDisallow:"
    ).allowed(SHOP + "/")


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("ExampleBot/2.0 (+https://example.com/bot)", "ExampleBot"),
        ("Mozilla/5.0 (compatible; ExampleBot/2.0; +https://example.com)", "ExampleBot"),
        ("example-bot", "example-bot"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0", None),
        ("", None),
    ],
)
def test_a_user_agent_has_the_name_of_a_crawler_or_none(user_agent, name):
    assert product_token(user_agent) == name


@pytest.mark.parametrize(
    ("file", "group"),
    [
        ("User-agent: ExampleBot\nDisallow: /\nUser-agent: *\nDisallow:", "examplebot"),
        ("user-agent : EXAMPLEBOT/3.1 # us\nDisallow: /", "examplebot"),
        ("User-agent: celery-crawler\nUser-agent: ExampleBot\nDisallow: /", "examplebot"),
        ("User-agent: celery-crawler\nDisallow: /\nUser-agent: *\nAllow: /", AGENT),
        ("User-agent: Other\nAllow: /\nUser-agent: *\nDisallow: /", "*"),
        ("User-agent: bot\nAllow: /\nUser-agent: *\nDisallow: /", "*"),
        ("User-agent: ExampleBot\rDisallow: /", "examplebot"),
    ],
)
def test_the_first_of_its_names_that_has_a_group_counts(file, group):
    # Given a crawl with a name of its own, and a file that forbids all to one group
    rules = parse_robots(200, file.encode(), names=("ExampleBot", AGENT))
    # Then that group counts for it
    assert rules.group == group
    assert not rules.allowed(SHOP + "/a")


def test_a_file_in_utf_16_is_read():
    assert not parse_robots(200, "User-agent: *\nDisallow: /".encode("utf-16")).allowed(SHOP + "/a")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 301, 304])
def test_no_file_allows_all(status):
    assert parse_robots(status, FILE).allowed(SHOP + "/private/a")


@pytest.mark.parametrize("status", [None, 103, 406, 407, 408, 431, 500, 503, 599, 429])
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
