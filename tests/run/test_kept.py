"""Results carry links, headers and cookies where their crawl asks, within bounds and masked."""

from __future__ import annotations

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.frontier.outbox import Delivery
from crawler.model import Link, Page, Response
from crawler.net.permits import Permits
from crawler.run.delivery import handed_arguments
from crawler.run.dry_run import dry_run
from crawler.run.kept import COOKIES_SIZE_MAX, HEADERS_SIZE_MAX, LINKS_MAX, LINKS_SIZE_MAX, kept_of
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]


def crawl(**fields) -> Crawl:
    return Crawl(name="shop", url="https://shop.example/", **fields)


def response(**values) -> Response:
    return Response("https://shop.example/", 200, "OK", **values)


def test_nothing_is_kept_that_is_not_asked_for():
    links = (Link("https://shop.example/a"),)
    assert kept_of(crawl(), response(links=links, headers={"server": "x"})) == ({}, False)


def test_headers_and_cookies_are_kept_by_their_names():
    asks = crawl(keep_headers=["X-*", "server"], keep_cookies="Ses*")
    headers = {"x-a": "1", "server": "me", "date": "now"}
    kept, cut = kept_of(asks, response(headers=headers, cookies={"Session": "***", "ses": "2"}))
    assert not cut
    assert (kept["headers"], kept["cookies"]) == ({"x-a": "1", "server": "me"}, {"Session": "***"})
    assert (kept["status_text"], kept["redirects"]) == ("OK", None)
    unknown, _ = kept_of(asks, response())  # a skipped page, which was never requested
    assert (unknown["headers"], unknown["cookies"]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "values", "many"),
    [
        ({"keep_links": True}, {"links": [Link("/a")] * (LINKS_MAX + 1)}, LINKS_MAX),
        ({"keep_links": True}, {"links": [Link("x" * (LINKS_SIZE_MAX // 2 - 9))] * 3}, 2),
        ({"keep_headers": True}, {"headers": dict.fromkeys("abc", "x" * 30_000)}, 2),
        ({"keep_cookies": True}, {"cookies": dict.fromkeys("abc", "x" * 30_000)}, 2),
    ],
)
def test_what_is_too_much_is_cut(fields, values, many):
    assert HEADERS_SIZE_MAX == COOKIES_SIZE_MAX
    kept, cut = kept_of(crawl(**fields), response(**values))
    (found,) = (value for name, value in kept.items() if name in ("link_urls", *values))
    assert (len(found), cut) == (many, True)


@pytest.mark.browser
def test_a_result_carries_what_is_asked_for(site: Server, tmp_path):
    asks = Crawl(
        name="shop",
        url=site.url("/hop/1"),
        robots=False,
        referer="link",
        keep_links=True,
        keep_headers=["*", "X-Served-By"],
        keep_cookies=["*", "lang"],
    )
    links: list[tuple[str, ...]] = []

    @asks.before
    def set_cookies(browser):
        browser.cookie("lang", "de")
        browser.cookie("session", "canary-cookie")

    @asks.after
    def save(result):
        links.append(result.links)

    with Chrome(Endpoint(state=tmp_path)) as chrome:
        seen = dry_run(asks, chrome, Permits(guard_of(asks), obey=False), after=True)
    record = seen.result.record()
    assert links == [tuple(record["link_urls"])]
    assert record["link_urls"] == [site.url("/from-a")]
    assert (record["links"], record["status_text"]) == (1, "OK")
    assert [(page.url, page.referer) for page in seen.kept] == [
        (site.url("/from-a"), site.url("/a"))
    ]
    assert record["redirects"] == [site.url("/hop/1")]
    assert record["headers"]["content-type"].startswith("text/html")
    assert record["cookies"] == {"lang": "de", "session": "***"}
    assert seen.result.response.cookies == record["cookies"]

    # a delivery that is made again knows what was kept, and how many links there were
    again = Delivery("after-1", Page(site.url("/hop/1")), 1, record)
    result = handed_arguments("shop", again, again.page)["result"]
    assert result.record() == record
    assert result.links == links[0]
    assert (result.response.status_text, result.response.cookies) == ("OK", record["cookies"])
    assert handed_arguments("shop", again, again.page)["response"].headers == record["headers"]
