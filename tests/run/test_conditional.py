"""A crawl that is crawled again asks only for documents that have changed: its results are those of
one that asks for all of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from crawler import Crawl
from crawler.config import settings as configuration
from crawler.errors import DefinitionError
from crawler.model import Outcome
from crawler.output.report import lines
from crawler.services import Services
from tests.support.loopback import serving

PATHS = ("/tagged", "/dated", "/both", "/plain", "/varying", "/secret", "/moved", "/wrong", "/new")


class Site(BaseHTTPRequestHandler):
    """Pages that have validators, or have none. The entry page links to all that are ``there``."""

    protocol_version = "HTTP/1.1"
    there: ClassVar[tuple[str, ...]] = PATHS[:-1]
    prices: ClassVar[dict[str, int]] = {}
    answers: ClassVar[Counter[tuple[str, int]]] = Counter()
    asked: ClassVar[dict[str, dict[str, str]]] = {}

    def do_GET(self) -> None:
        path, headers = self.path, {"Content-Type": "text/html"}
        if path == "/robots.txt" or path not in ("/", "/to", *self.there):
            return self._send(404, {}, b"")
        if path == "/moved":
            return self._send(302, {"Location": "/to"}, b"")
        links = "".join(f"<a href={other}>x</a>" for other in self.there if path == "/")
        price = self.prices.get(path, 3)
        body = f"<!doctype html><meta charset=utf-8><h1>{path}</h1><p>{price}</p>{links}".encode()
        tag = f'"{md5(body, usedforsecurity=False).hexdigest()}"'
        date = f"Mon, 30 Nov 2026 00:00:{price:02} GMT"
        if path not in ("/dated", "/plain"):
            headers["ETag"] = f"W/{tag}" if path == "/both" else tag
        if path in ("/dated", "/both"):
            headers["Last-Modified"] = date
        if path == "/varying":
            headers["Vary"] = "X-Card, Accept-Encoding"
        if path == "/secret":
            headers["Cache-Control"] = "no-store"
        wanted = self.headers.get("If-None-Match", ""), self.headers.get("If-Modified-Since", "")
        type(self).asked[path] = dict(self.headers)
        if path == "/wrong" and wanted[0]:
            return self._send(304, {"ETag": '"of another page"'}, b"")
        if wanted[0].removeprefix("W/") == tag or (not wanted[0] and wanted[1] == date):
            return self._send(304, {"ETag": headers.get("ETag", ""), "X-Age": "9"}, b"")
        return self._send(200, headers, body)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        type(self).answers[self.path, status] += 1
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class Nights:
    """A crawl that is crawled each night, and what came of each."""

    def __init__(self, redis, services: Services, url: str) -> None:
        self.redis, self.services, self.url = redis, services, url

    def crawl(self, name: str = "night", before=None, **fields) -> dict[str, dict[str, object]]:
        """Crawl the site; return the results, by path."""
        extract = {"name": "h1::text", "price": "p::text"}
        crawl = Crawl(
            **{
                "name": name,
                "url": self.url,
                "fetch": "http",
                "extract": extract,
                "response_headers": True,
                "keep_headers": ["X-Age"],
                "pattern_limit": None,
                **fields,
            }
        )
        if before:
            crawl.before(before)
        Site.answers.clear()
        self.services.client.start(crawl, recrawl=True)
        while self.services.run(crawl) is not Outcome.FINISHED:
            pass
        frontier = self.services.client.frontier(name)
        self.snapshot = frontier.snapshot()
        rows = self.redis.xrange(frontier.key("results"))
        found = [json.loads(row[b"json"]) for _, row in rows]
        return {row["url"].removeprefix(self.url): row for row in found}


@pytest.fixture
def nights(redis, redis_server, den) -> Iterator[Nights]:
    settings = configuration.load(
        redis_url=redis_server.url, broker_url=redis_server.broker_url, state_dir=str(den)
    )
    Site.there, Site.prices = PATHS[:-1], {}
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Site)) as server:
        yield Nights(redis, Services(settings), f"http://127.0.0.1:{server.server_address[1]}")


def alike(row: dict[str, object]) -> dict[str, object]:
    """What two crawls of one site must have alike."""
    wanted = ("final_url", "status", "depth", "data", "links", "change", "title")
    return {name: row.get(name) for name in wanted}


def test_a_recrawl_asks_only_for_what_has_changed(nights):
    # Given a crawl that has ended, and one beside it that asks for all
    first = nights.crawl(conditional=True)
    assert not any("If-None-Match" in headers for headers in Site.asked.values())
    nights.crawl("all")
    # When a price changes, a page is new, another is gone, and both are crawled again
    Site.prices, Site.there = {"/both": 5}, tuple(set(PATHS) - {"/plain"})
    second = nights.crawl(conditional=True)
    answers, snapshot = Counter(Site.answers), nights.snapshot
    # Then pages and results are the same
    others = nights.crawl("all")
    assert {path: alike(row) for path, row in second.items()} == {
        path: alike(row) for path, row in others.items()
    }
    assert second["/both"]["change"] == "changed"
    assert second["/new"]["change"] == "new"
    assert second["/dated"]["data"] == first["/dated"]["data"]
    # And documents that are as they were did not come again
    spared = {path for path, row in second.items() if row.get("not_modified")}
    assert spared == {"/tagged", "/dated", "/varying", "/moved"}
    assert {path for path, status in answers if status == 304} == (
        {"/tagged", "/dated", "/varying", "/to", "/wrong"}
    )
    assert answers["/wrong", 200] == 1  # its server spoke of another document
    assert second["/tagged"]["headers"] == {"x-age": "9"}
    # And it is said
    assert snapshot.counts["fetch_not_modified"] == len(spared)
    assert f"{len(spared)} not sent again" in "\n".join(lines(snapshot))


def test_another_definition_takes_other_items_of_what_is_kept(nights):
    nights.crawl(conditional=True)
    rows = nights.crawl(conditional=True, extract={"name": "h1::text"})
    assert rows["/tagged"]["not_modified"]
    assert (rows["/tagged"]["data"], rows["/tagged"]["change"]) == ({"name": "/tagged"}, "changed")


def greet(browser) -> None:
    browser.cookie("user", "eve")


def test_other_headers_and_cookies_ask_for_the_whole(nights):
    # Given a page by which headers it varies, and one that has only a date
    nights.crawl(conditional=True)
    rows = nights.crawl(conditional=True, headers={"X-Card": "7"}, before=greet)
    # Then the document of other headers is not asked for, nor by its date that of another person
    spared = {path for path, row in rows.items() if row.get("not_modified")}
    assert spared == {"", "/tagged", "/both", "/moved"}
    assert "If-Modified-Since" not in Site.asked["/both"]


def test_a_file_that_cannot_be_used_costs_nothing_else(nights, den, caplog):
    first = nights.crawl(conditional=True)
    file = den / "answers" / "night" / "answers.sqlite3"
    assert file.stat().st_mode & 0o777 == 0o600
    for one in file.parent.iterdir():
        one.unlink()
    file.write_bytes(b"no database at all, but a text" * 100)
    nights.services.http._thread.__dict__.clear()
    rows = nights.crawl(conditional=True)
    assert {path: row["data"] for path, row in rows.items()} == {
        path: row["data"] for path, row in first.items()
    }
    assert nights.snapshot.counts["fetch_unkept"] == 7
    assert [record.message for record in caplog.records if "is not a database" in record.message]


def test_a_crawl_whose_pages_all_come_by_chrome_has_no_conditions():
    with pytest.raises(DefinitionError, match='set fetch="http" or "auto"'):
        Crawl(name="night", url="https://shop.example/", conditional=True).validate()
