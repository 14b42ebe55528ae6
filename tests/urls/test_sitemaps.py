"""Sitemaps, as sites really serve them."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, date, datetime

from crawler.urls import sitemaps
from crawler.urls.sitemaps import Entry, read_sitemaps

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
HOME = "http://shop.example/"


def urlset(*urls: str, lastmod: str = "") -> bytes:
    when = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    return (
        '<?xml version="1.0"?><urlset'
        f" {NS}>{''.join(f'<url><loc>{url}</loc>{when}</url>' for url in urls)}</urlset>".encode()
    )


def index(*urls: str) -> bytes:
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"<sitemapindex {NS}>{entries}</sitemapindex>".encode()


class Site:
    """What is where; remembers what was fetched, and what was wrong."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"{HOME}{name}": body for name, body in files.items()}
        self.fetched: list[str] = []
        self.wrong: dict[str, str] = {}

    def fetch(self, url: str):
        self.fetched.append(url)
        if url not in self.files:
            raise OSError("404")
        body = self.files[url]
        return (body[start : start + 7] for start in range(0, len(body), 7))

    def urls(self, name: str = "a", **options) -> list[str]:
        return [
            entry.url.removeprefix(HOME)
            for entry in read_sitemaps(
                HOME + name, self.fetch, tell=self.wrong.__setitem__, **options
            )
        ]


def test_a_list_of_pages():
    site = Site(a=urlset(HOME + "1", HOME + "2?a=1&amp;b=2"))
    assert site.urls() == ["1", "2?a=1&b=2"]


def test_gzip_text_marks_and_white_space():
    for body in (
        gzip.compress(urlset(HOME + "1", HOME + "2")),
        gzip.compress(urlset(HOME + "1", HOME + "2")[:40])
        + gzip.compress(urlset(HOME + "1", HOME + "2")[40:]),
        f"{HOME}1\r\n\n  {HOME}2".encode(),
        b"\xef\xbb\xbf" + f"{HOME}1\n{HOME}2\n".encode(),
        b"\xef\xbb\xbf\n " + urlset(f" {HOME}1\n", f"<![CDATA[{HOME}2]]>"),
        urlset(HOME + "1", HOME + "2").replace(NS.encode(), b""),
        urlset(HOME + "1", HOME + "2")
        .decode()
        .replace("?>", ' encoding="utf-16"?>', 1)
        .encode("utf-16"),
    ):
        assert Site(a=body).urls() == ["1", "2"], body[:60]


def test_an_index_leads_to_further_sitemaps_each_once():
    site = Site(
        a=index(HOME + "b", HOME + "c", HOME + "a", HOME + "b"),
        b=urlset(HOME + "1"),
        c=index(HOME + "b", HOME + "a"),
    )
    assert site.urls() == ["1"]
    assert sorted(site.fetched) == [HOME + "a", HOME + "b", HOME + "c"]


def test_an_index_without_end_ends():
    site = Site(**{f"i{number}": index(f"{HOME}i{number + 1}") for number in range(50)})
    assert site.urls("i0") == []
    assert len(site.fetched) == 11
    assert "10 indexes deep" in site.wrong[HOME + "i10"]


def test_a_broken_sitemap_costs_its_own_pages_only():
    site = Site(
        a=index(HOME + "gone", HOME + "cut", HOME + "html", HOME + "packed", HOME + "good"),
        cut=urlset(HOME + "1", HOME + "2")[:-20],
        html=b"<!doctype html><html><head><title>x</title></head><p>Not <b>here",
        packed=b"\x1f\x8b\x08\x00garbage",
        good=urlset(HOME + "3"),
    )
    assert set(site.urls()) >= {"1", "3"}
    assert site.wrong.keys() >= {HOME + "gone", HOME + "packed", HOME + "html"}


def test_an_ampersand_that_is_not_escaped_is_forgiven():
    assert "2" in Site(a=urlset(HOME + "1?a=1&b=2", HOME + "2")).urls()


def test_what_cannot_be_fetched_is_left_out():
    assert Site(a=urlset("ftp://shop.example/", "/relative", "", HOME + "1")).urls() == ["1"]


def test_only_what_has_changed_since_a_day_is_given():
    site = Site(
        a=urlset(HOME + "old", lastmod="2024-01-31") + b"",
        b=urlset(HOME + "new", lastmod="2025-02-01T10:00:00+01:00"),
    )
    assert site.urls("a", since=date(2025, 1, 1)) == []
    assert site.urls("b", since=date(2025, 1, 1)) == ["new"]
    assert Site(a=urlset(HOME + "who knows when".replace(" ", "-"))).urls(
        since=date(2025, 1, 1)
    ) == ["who-knows-when"]
    assert next(read_sitemaps(HOME + "b", site.fetch)) == Entry(
        HOME + "new", datetime.fromisoformat("2025-02-01T09:00:00+00:00")
    )
    assert list(read_sitemaps(HOME + "m", Site(m=urlset(HOME, lastmod="2025-03")).fetch)) == [
        Entry(HOME, datetime(2025, 3, 1, tzinfo=UTC))
    ]


def test_no_entity_is_resolved():
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "http://shop.example/aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f'
        b' SYSTEM "file:///etc/hostname">]>'
    )
    assert Site(a=bomb + urlset("&b;", "http://shop.example/&f;", HOME + "1")).urls()[-1:] == ["1"]
    assert not any("aaaa" in url for url in Site(a=bomb + urlset("&b;", HOME + "1")).urls())


def test_a_bomb_is_let_out_in_pieces_and_cut(monkeypatch):
    monkeypatch.setattr(sitemaps, "SIZE_MAX", 2_000_000)
    packed = gzip.compress(urlset(HOME + "1") + b" " * 300_000_000)
    tracemalloc.start()
    site = Site()
    site.fetch = lambda _url: [packed]  # type: ignore[method-assign]
    assert site.urls() == ["1"]
    assert "larger than 2,000,000 bytes" in site.wrong[HOME + "a"]
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_many_pages_take_little_memory():
    def pieces(_url):
        yield f"<urlset {NS}>".encode()
        for number in range(50_000):
            yield f"<url><loc>{HOME}{number}</loc><priority>0.5</priority></url>".encode()
        yield b"</urlset>"

    assert sum(1 for _ in read_sitemaps(HOME + "a", pieces)) == 50_000
