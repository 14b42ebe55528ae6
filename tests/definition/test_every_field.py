"""Every field of a crawl does something: one table, in which no field is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import pytest

import crawler.frontier
from crawler import Crawl
from crawler.client.seeds import SeedLoader
from crawler.definition.bounds import entry_pages, scope_of
from crawler.definition.browser_profile import profile_of, visit_of
from crawler.definition.choosing import choose
from crawler.definition.crawl_plan import plan_of
from crawler.definition.extraction import conditions_of, extract_by_table
from crawler.definition.fetching import tab_reason
from crawler.definition.fields import Fields
from crawler.definition.network import guard_of, proxies_of, robots_names
from crawler.errors import PageError
from crawler.model import Link, Policy, Response
from crawler.run.request import admit

SITE = "https://shop.example"
HTML = """<html><head><title>Lamps</title><meta name="robots" content="nofollow"></head><body>
<h1>Blue</h1><main><a href="/a">a</a></main><a href="/b">b</a></body></html>"""
LINKS = [
    *("/a", "/a#x", "/b", "/b?utm_source=x", "/b?view=list", "/c.pdf"),
    *("https://www.shop.example/", "https://other.example/"),
]

#: Asks a crawl for what the field changes.
Probe = Callable[[Crawl], Any]


def links(crawl: Crawl) -> list[str]:
    """Return the pages that the links of a page become."""
    response = Response(f"{SITE}/", html=HTML)
    chosen = choose(crawl, entry_pages(crawl)[0], map(Link, map(whole, LINKS)), response=response)
    return [page.url for page in chosen.pages]


def whole(link: str) -> str:
    """Return the URL of ``link``."""
    return link if link.startswith("http") else SITE + link


def policy(crawl: Crawl) -> Policy:
    """Return the limits that the frontier is given."""
    return plan_of(crawl).policy


def refusals(crawl: Crawl) -> list[bool]:
    """Return which of three hosts the crawl must not talk to."""
    guard = guard_of(
        crawl, resolve=lambda host: ["10.0.0.2" if "corp" in host else "93.184.216.34"]
    )
    return [guard.refuses(host) for host in ("shop.example", "10.0.0.1", "wiki.corp")]


def taken(crawl: Crawl) -> Any:
    """Return what is taken from a page without code."""
    return extract_by_table(crawl, Response(f"{SITE}/", html=HTML)).data


def outcome(crawl: Crawl) -> str:
    """Return what comes of a page with the status 404."""
    page = entry_pages(crawl)[0]
    try:
        admit(Response(page.url, status=404), crawl, page, None, None)  # type: ignore[arg-type]
    except PageError as error:
        return error.reason
    return "done"


#: A value of each field, with what a crawl has besides, and where it shows.
TABLE: dict[str, tuple[Any, Probe, dict[str, Any]]] = {
    "name": ("other", lambda crawl: plan_of(crawl).name, {}),
    "url": (f"{SITE}/x", lambda crawl: [page.url for page in entry_pages(crawl)], {}),
    "seeds": ("seeds.txt", lambda crawl: SeedLoader(crawl, None).has_sources, {}),  # type: ignore[arg-type]
    "sitemaps": ("auto", lambda crawl: SeedLoader(crawl, None).has_sources, {}),  # type: ignore[arg-type]
    "depth_limit": (0, links, {}),
    "scope": ("all", links, {}),
    "allow": ([r"/a"], links, {}),
    "deny": ([r"/a"], links, {}),
    "deny_extensions": (["zip"], links, {}),
    "restrict_css": (["main"], links, {}),
    "nofollow": (True, links, {}),
    "keep_fragment": (True, links, {}),
    "fetch": ("http", lambda crawl: tab_reason(crawl), {}),
    "conditional": (True, lambda crawl: profile_of(crawl).conditional, {"fetch": "http"}),
    "interstitial_wait": (0, lambda crawl: profile_of(crawl).interstitial_wait, {}),
    "ignore_tracking": (False, links, {}),
    "ignore_params": (["view"], links, {}),
    "private_hosts": (["wiki.corp"], refusals, {}),
    "public_only": (
        True,
        lambda crawl: guard_of(crawl).refuses("10.0.0.1"),
        {"url": "http://10.0.0.1/"},
    ),
    "robots_name": ("ExampleBot", robots_names, {}),
    "user_agent": ("ExampleBot/1", lambda crawl: (robots_names(crawl), profile_of(crawl)), {}),
    "proxy": (["http://127.0.0.1:1"], lambda crawl: bool(proxies_of(crawl, {})), {}),
    "extract": ({"h1": "h1"}, taken, {}),
    "accept_status": ([404], outcome, {}),
    "blocked": ({"selector": ".captcha"}, conditions_of, {}),
    "retry": ([{"text": "later", "after": 1}], conditions_of, {}),
    "skip": ([{"url": "/old/"}], conditions_of, {}),
    "message": ({"shop": 7}, lambda crawl: crawl.message, {}),
    "routes": ({"any": {"match": "/", "links": False}}, links, {}),
    "login": (
        {"url": f"{SITE}/in", "fill": {"#a": "b"}, "submit": "button", "expect": "#out"},
        lambda crawl: sorted(crawl.calls),
        {},
    ),
}
#: Fields of the frontier's policy.
LIMITS = {
    "concurrency_limit": 7,
    "page_limit": 7,
    "page_limit_counts": "done",
    "time_limit": 7.0,
    "idle_limit": 7.0,
    "error_limit": 7,
    "item_limit": 7,
    "queue_limit": 7,
    "host_page_limit": 7,
    "pattern_limit": 7,
    "results_limit": 7,
    "delay": 7.0,
    "jitter": False,
    "host_concurrency": 7,
    "throttle": True,
    "attempts": 7,
    "after_attempts": 7,
    "hook_attempts": 7,
    "crash_strikes": 7,
    "backoff": 7.0,
    "backoff_cap": 7.0,
    "retry_after_cap": 7.0,
    "breaker_failures": 7,
    "breaker_snooze": 7.0,
    "breaker_trips": 7,
    "lease": 7.0,
    "page_deadline": 177.0,
}
#: Fields of a browser's profile, and of the visit of a page: their own tests show what they do.
OF_BROWSER = {
    "language": "de",
    "window": [800, 600],
    "page_load_timeout": 7.0,
    "load_strategy": "eager",
    "images": False,
    "flags": ["--x"],
    "block": ["image"],
    "headers": {"X-Mine": "1"},
    "timezone": "Europe/Zurich",
    "basic_auth": {"a.example": "me:pw"},
    "downloads": "save",
    "download_limit": 7,
    "download_timeout": 7.0,
    "geolocation": [47.0, 8.0],
    "mobile": True,
    "scale": 2.0,
    "wait_for": ["h1"],
    "wait_until": "true",
    "wait_quiet": 0.5,
    "scroll": True,
    "steps": [{"click": "a"}],
    "frames": True,
    "screenshot": "page",
    "pdf": True,
    "wait_for_response": ["*/api/*"],
    "capture": "*/api/*",
    "response_headers": True,
    "keep_headers": ["server"],
    "console": True,
    "timings": True,
}
#: Fields that show beside another one only.
BESIDE = {
    "wait_timeout": (7.0, {"wait_for": ["h1"]}, visit_of),
    "scroll_timeout": (7.0, {"scroll": True}, visit_of),
}
#: Fields that services read, by the tests that show what they do.
ELSEWHERE = {
    "capture_body_limit": ("tests/browser/test_page_options.py", "capture_body_limit=4_000"),
    "capture_limit": ("tests/browser/test_page_options.py", "capture_limit=200"),
    "keep_links": ("tests/run/test_kept.py", "keep_links=True"),
    "keep_cookies": ("tests/run/test_kept.py", "keep_cookies=["),
    "examples": ("tests/run/test_live_examples.py", "examples=["),
    "log_level": ("tests/observe/test_levels.py", 'log_level="DEBUG"'),
    "referer": ("tests/browser/test_page_remote.py", '"referer": ["https'),
    "form_retry": ("tests/run/test_forms.py", "form_retry=True"),
    "robots": ("tests/net/test_permits.py", "test_a_crawl_that_does_not_obey_does_not_ask"),
    "keep_html": ("tests/cli/test_start.py", '"keep_html=true"'),
    "sitemaps_since": ("tests/client/test_seeds.py", 'sitemaps_since="last"'),
    "revisit": ("tests/frontier/test_revisit.py", 'revisit="1d"'),
    "only_changes": ("examples/nightly.py", "only_changes=True"),
    "invalid_items": ("tests/browser/test_elements.py", 'invalid_items="fail"'),
    "error_snapshots": ("tests/test_secrets.py", "error_snapshots=50"),
    "proxy_pause": ("tests/browser/test_page_secrets.py", '"proxy_pause": 60'),
}


def shop(extra: dict[str, Any], **fields: Any) -> Crawl:
    """Return a crawl of a shop."""
    return Crawl(**{"name": "shop", "url": f"{SITE}/", **extra, **fields})


@pytest.mark.parametrize("name", TABLE)
def test_a_field_changes_what_it_speaks_of(name):
    value, probe, extra = TABLE[name]
    extra = dict(extra)
    hooked = extra.pop("hooks", False)
    crawls = [shop(extra), shop(extra, **{name: value})]
    for crawl in crawls if hooked else ():
        crawl.extract(lambda page: page.title)
    without, having = map(probe, crawls)
    assert having != without


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_reaches_the_frontier_which_reads_it(name):
    assert getattr(policy(shop({}, **{name: LIMITS[name]})), name) == LIMITS[name]
    assert getattr(policy(shop({})), name) != LIMITS[name]
    folder = Path(crawler.frontier.__file__).parent
    texts = [path.read_text() for path in (*folder.rglob("*.lua"), *folder.glob("*.py"))]
    assert any(re.search(rf"\b{name}\b", text) for text in texts)


@pytest.mark.parametrize("name", OF_BROWSER)
def test_a_wish_reaches_the_browser(name):
    wishes = [
        (profile_of(crawl), visit_of(crawl))
        for crawl in (shop({}), shop({}, **{name: OF_BROWSER[name]}))
    ]
    assert wishes[0] != wishes[1]


@pytest.mark.parametrize("name", BESIDE)
def test_a_field_changes_another_one_beside_it(name):
    value, extra, probe = BESIDE[name]
    assert probe(shop(extra, **{name: value})) != probe(shop(extra))


def test_no_field_of_a_crawl_is_without_a_test():
    for path, text in ELSEWHERE.values():
        assert text in (Path(__file__).parents[2] / path).read_text()
    known = {*TABLE, *LIMITS, *OF_BROWSER, *BESIDE, *ELSEWHERE}
    assert set(Fields.model_fields) - known == set()
    assert {field.name for field in dataclass_fields(Policy)} <= {*LIMITS, "depth_limit"}
    assert scope_of(shop({})).hosts
