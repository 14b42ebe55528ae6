"""``fetch="auto"`` on a site that is made to deceive: items are those of Chrome, or it is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from crawler import Crawl
from crawler.config import settings as configuration
from crawler.frontier.frontier import Frontier
from crawler.model import Outcome
from crawler.output.hints import hints
from crawler.output.report import lines
from crawler.run.fetching import AUDIT_EACH, AUDIT_EACH_MAX, TRIALS, Fetching, difference
from crawler.services import Services
from tests.support.frontier import plan
from tests.support.loopback import serving

#: Pages of each kind.
PAGES = 22
RAISES = "<script>document.querySelector('.price').textContent = '£ 9'</script>"


class Site(BaseHTTPRequestHandler):
    """Kinds of pages: ``plain`` without scripts; ``late`` whose pages from the 20th on are made by
    a script; ``price`` of which a script changes the 15th; ``agent`` that show others to those who
    are no Chrome; ``cookie`` that greet those who come again, by a cookie of a script.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, _, number = self.path.strip("/").partition("/")
        n, price, more = int(number or 0), "£ 3", "<script src=/same.js></script>"
        if kind == "plain":
            more = ""
        elif kind == "late" and n >= 20:
            price = ""
            more = RAISES
        elif kind == "price" and n == 15:
            more += RAISES
        elif kind == "agent" and "Chrome" not in self.headers.get("User-Agent", ""):
            price = "who are you?"
        elif kind == "cookie":
            price = "£ 2" if "seen" in self.headers.get("Cookie", "") else "£ 3"
            more = "<script>document.cookie = 'seen=1; path=/cookie'</script>"
        head = f"<meta charset=utf-8><title>{n}</title>"
        body = f"{head}<h1>{kind} {n}</h1><p class=price>{price}</p>{more}"
        if self.path == "/":
            body = "".join(
                f"<a href=/{kind}/{n}>x</a>"
                for kind in ("plain", "late", "price", "agent", "cookie")
                for n in range(PAGES)
            )
        if self.path.endswith(".js"):
            body = ""
        data = f"<!doctype html>{body}".encode() if body else b""
        self.send_response(404 if self.path == "/robots.txt" else 200)
        self.send_header("Content-Type", "text/javascript" if not body else "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Site)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.mark.browser
def test_a_deceiving_site_gives_the_items_of_chrome(redis, redis_server, url, den):
    # Given a crawl of five kinds of pages, each a route that finds out its way
    kinds = ("plain", "late", "price", "agent", "cookie")
    routes = {kind: {"match": f"^/{kind}/", "fetch": "auto"} for kind in kinds}
    extract = {"name": "h1::text", "price": ".price::text"}
    crawl = Crawl(name="odd", url=url, routes=routes, extract=extract, pattern_limit=None)
    server = redis_server
    settings = configuration.load(
        redis_url=server.url, broker_url=server.broker_url, state_dir=str(den)
    )
    services = Services(settings)
    services.client.start(crawl)
    # When it runs to its end, in this process
    while services.run(crawl) is not Outcome.FINISHED:
        pass
    services.chrome.close()
    # Then the items are those that Chrome alone gives
    frontier = services.client.frontier("odd")
    rows = [json.loads(row[b"json"]) for _, row in redis.xrange(frontier.key("results"))]
    items = {row["url"].removeprefix(url): row for row in rows}
    prices = {path: row["data"]["price"] for path, row in items.items() if path}
    deceived = {f"late/{n}" for n in range(20, PAGES)} | {"price/15"}
    seen = {f"cookie/{n}" for n in range(PAGES)}
    want = {path: "£ 9" if path in deceived else "£ 3" for path in prices if path not in seen}
    assert {path: prices[path] for path in want} == want
    assert sorted(prices[path] for path in seen) == ["£ 2"] * (PAGES - 1) + ["£ 3"]
    # And each way is counted, and each route that differs is named, with a page and the field
    counts = {name.decode(): int(n) for name, n in redis.hgetall(frontier.key("counts")).items()}
    notes = frontier.note_fetched()
    differ = {name.partition(":")[2]: text for name, text in notes.items() if "differs:" in name}
    assert set(differ) == {"late", "price", "cookie"}
    assert "price/15 (item: price)" in differ["price"]
    assert items["plain/20"]["fetch"] == items["agent/20"]["fetch"] == "http"
    # And pages by HTTP between the last comparison and the difference are done again
    again = {f"late/{n}" for n in range(TRIALS, 20)} | {f"price/{n}" for n in range(TRIALS, 15)}
    assert {items[path]["fetch"] for path in deceived | again} == {"chrome"}
    assert {path for path, row in items.items() if row.get("again")} == again
    assert counts["fetch_again"] == len(again)
    assert counts["fetch_http"] + counts["fetch_chrome"] == len(rows)
    assert counts["fetch_http"] >= 2 * (PAGES - TRIALS - 2)
    report = "\n".join(lines(frontier.snapshot()))
    assert f"{counts['fetch_http']} by HTTP, {counts['fetch_chrome']} by Chrome" in report
    # And what that saved, by the pages that were timed both ways
    assert counts["fetch_timed"] == counts["fetch_compared"] - 1
    assert "of sessions saved: of" in report
    for route in ("late", "price", "cookie"):
        assert f"           {route}: {differ[route]}" in report
    told = hints(counts, {"hint_fetch_differs": differ["price"]})["fetch_differs"]
    assert told["pages"] == 3


def test_audits_become_rarer_the_longer_nothing_differs(redis):
    # Given a route that was compared TRIALS times without a difference
    frontier = Frontier(redis, "odd")
    frontier.create(plan())
    fetching = Fetching()
    for _ in range(TRIALS):
        fetching.note_same(frontier, "book", "", 0)
    # When it goes on like that for many pages
    audits = []
    for number in range(30_000):
        if fetching.is_due("book"):
            audits.append(number)
            fetching.note_same(frontier, "book", "", 0)
    # Then the first audit comes after AUDIT_EACH pages, later ones after more, but not ever more
    gaps = [after - before for before, after in pairwise([-1, *audits])]
    assert gaps[0] == AUDIT_EACH
    assert max(gaps) <= 1.5 * AUDIT_EACH_MAX
    assert sum(gaps[:10]) < 1.5 * 10 * AUDIT_EACH < sum(gaps[50:60]) < sum(gaps[-10:])
    assert 150 < len(audits) < 350


@pytest.mark.parametrize(
    ("by_http", "text"),
    [
        ({"status": 200, "item": {"a": 1}}, ""),
        ({"status": 403, "item": None}, "status: '403' by HTTP, '200' by Chrome"),
        ({"status": 200, "item": {"a": 2, "b": 1}}, "item: a, b"),
        ({"error": "reset"}, "status: 'None' by HTTP, '200' by Chrome"),
    ],
)
def test_a_difference_is_named_in_a_few_words(by_http, text):
    assert difference(by_http, {"status": 200, "item": {"a": 1}}) == text
