"""Sitemaps, as sites really serve them."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import datetime

import pytest

from crawler.urls import sitemaps
from crawler.urls.modified import latest_moment
from crawler.urls.sitemaps import read_sitemaps

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

    def tell(self, url: str, what: str, _loses: bool) -> None:
        self.wrong[url] = what

    def urls(self, name: str = "a") -> list[str]:
        return [
            f"{'? ' if entry.unclear else ''}{entry.url.removeprefix(HOME)}"
            for entry in read_sitemaps(HOME + name, self.fetch, tell=self.tell)
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


def test_what_cannot_be_fetched_is_passed_on_to_be_counted():
    assert Site(a=urlset("ftp://shop.example/", "", HOME + "1")).urls() == [
        "ftp://shop.example/",
        "? <url> without <loc>",
        "1",
    ]


@pytest.mark.parametrize(
    ("slip", "url", "note"),
    [
        ("?a=1&lang=en", "?a=1&lang=en", "bare &"),
        ("?a=2&copy=3", "?a=2&copy=3", "bare &"),
        ("b-&-c?a&#38;b", "b-&-c?a&b", "bare &"),
        ("caf&eacute;", "café", "entity that XML does not know"),
        ("a<b", "a<b", "bare <"),
        ("a</lock>", "? a</lock>", ""),
        ("?a&nothing;b", "? ?a&nothing;b", ""),
        ("?a&#0;b", "? ?a&#0;b", ""),
    ],
)
def test_a_slip_is_repaired_or_its_url_is_unclear(slip, url, note):
    # Given a sitemap with one slip, between entries that are right
    site = Site(a=urlset(HOME + "0?a=1&amp;b=2", HOME + slip, HOME + "1?a=1&amp;b=2"))
    # When it is read
    urls = site.urls()
    # Then no other URL is touched, and the repair is told
    assert [one.replace(HOME, "") for one in urls] == ["0?a=1&b=2", url, "1?a=1&b=2"]
    assert note in site.wrong.get(HOME + "a", "")
    assert bool(site.wrong) == bool(note)


def test_latin_1_bytes_in_utf_8_are_read_and_told():
    body = urlset(HOME + "caf~", HOME + "ü", HOME + "1").replace(b"~", b"\xe9")
    site = Site(a=body)
    assert site.urls() == ["café", "ü", "1"]
    assert "no UTF-8 1" in site.wrong[HOME + "a"]


@pytest.mark.parametrize(
    "before",
    [
        "<!-- made by hand, <urlset> and all -->\n",
        "PHP Warning: foreach() in /var/www/map.php on line 7\n",
        "<br />\n<b>Warning</b>: in <b>/var/www/map.php</b> on line <b>7</b><br />\n",
    ],
)
def test_what_stands_before_the_declaration_is_passed_and_told(before):
    site = Site(a=before.encode() + urlset(HOME + "1?a=1&amp;b=2", HOME + "2"))
    assert site.urls() == ["1?a=1&b=2", "2"]
    assert "something before the XML" in site.wrong[HOME + "a"]


def test_comments_and_other_data_before_the_root_are_well_formed():
    start = b'<?xml version="1.0"?>\n<!-- <urlset> --><?xml-stylesheet href="a.xsl"?>\n<!DOCTYPE x>'
    site = Site(a=start + urlset(HOME + "1").partition(b"?>")[2])
    assert site.urls() == ["1"]
    assert site.wrong == {}


@pytest.mark.parametrize(
    "body",
    [
        "<url><loc>{0}1<lastmod>2025-01-01</lastmod></url><url><loc>{0}2</loc></url>",
        "<url><loc>{0}1</url><url><loc>{0}2</loc></url>",
        "<url><loc>{0}1</loc><url><loc>{0}2</loc></url>",
        "<url><loc>{0}1</loc><loc>{0}2</loc></url>",
        "<url><loc>{0}1<url><loc>{0}2</loc></url>",
    ],
)
def test_an_element_that_is_not_closed_costs_no_page(body):
    assert Site(a=f"<urlset>{body.format(HOME)}</urlset>".encode()).urls() == ["1", "2"]


def test_urls_of_images_and_in_comments_are_no_pages():
    site = Site(
        a=f"""<urlset xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
        <!-- <url><loc>{HOME}old</loc></url> -->
        <url><image:image><image:loc>{HOME}a.png</image:loc></image:image><loc>{HOME}1</loc>
        <image:loc>{HOME}b.png</image:loc><video><loc>{HOME}c.mp4</loc></video></url>
        </urlset>""".encode()
    )
    assert site.urls() == ["1"]
    assert site.wrong == {}


def test_names_with_a_prefix_are_the_same_elements():
    body = (
        f"<s:urlset xmlns:s='x'><s:url><s:loc>{HOME}1</s:loc><loc>{HOME}2</loc></s:url></s:urlset>"
    )
    assert Site(a=body.encode()).urls() == ["1"]


def test_relative_urls_are_resolved_by_the_sitemap_that_lists_them():
    site = Site(
        a=index("/maps/b", "c"),
        c=urlset("/1", f"//{HOME.split('/')[2]}/2"),
        **{"maps/b": urlset("3", "../4", "?5", "shop.example/6", "www.shop.example/7")},
    )
    found = site.urls()
    assert sorted(found) == sorted(
        ["1", "2", "maps/3", "4", "maps/b?5", "? shop.example/6", "? www.shop.example/7"]
    )


def test_an_index_tells_of_what_it_lists_in_vain():
    site = Site(a=index("ftp://shop.example/map", HOME + "b", HOME + "&x;"), b=urlset(HOME + "1"))
    assert site.urls() == ["1"]
    told = site.wrong[HOME + "a"]
    assert "scheme 1 (ftp://shop.example/map)" in told
    assert "malformed 1" in told


def test_a_sitemap_that_ends_too_early_says_so_and_invents_no_url():
    site = Site(a=urlset(HOME + "1", HOME + "22")[:-25])
    assert site.urls()[0] == "1"
    assert "2" not in site.urls()
    assert "ends too early" in site.wrong[HOME + "a"]


@pytest.mark.parametrize(
    "body",
    [
        "<rss version='2.0'><channel><link>{0}</link><item><link>{0}1?a&amp;b</link></item>"
        "<item><title>x</title><link><![CDATA[{0}2]]></link></item></channel></rss>",
        "<feed xmlns='http://www.w3.org/2005/Atom'><link href='{0}'/><entry>"
        "<link rel='self' href='{0}x'/><link href='{0}1?a&amp;b'/></entry>"
        "<entry><link rel='alternate' href='/2'></link></entry></feed>",
        "<rss version='2.0'><channel><item><title>x</title><guid>{0}1?a&amp;b</guid></item><item>"
        "<guid isPermaLink='true'>{0}9</guid><link>{0}2</link></item></channel></rss>",
        "<rdf:RDF xmlns:rdf='r'><channel><link>{0}</link></channel>"
        "<item><link>{0}1?a&amp;b</link></item><item><link>{0}2</link></item></rdf:RDF>",
    ],
)
def test_feeds_are_lists_of_urls(body):
    site = Site(a=body.format(HOME).encode())
    assert site.urls() == ["1?a&b", "2"]
    assert site.wrong == {}


def test_an_item_with_a_guid_that_is_no_url_is_unclear():
    item = b"<rss><channel><item><guid isPermaLink='false'>17</guid></item></channel></rss>"
    assert Site(a=item).urls() == ["? <item> without <link>"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (urlset(f'"{HOME}1"'), f'? "{HOME}1"'),  # no relative path
        (urlset(f"{HOME}1\n  2"), "? 1\n  2"),  # a line that is broken in its midst
        (b"/1\nno url\n", "1|? no url"),
        (b"<urlset xmlns:s='x'><s:url><s:loc>/1</s:loc></s:url></urlset>", "1"),
        (f"<urlset a=b><url><loc>{HOME}1</loc></url></urlset>".encode(), "1"),
        (
            b"<feed xml:base='/blog/'><entry><link href='1'/></entry>"
            b"<entry xml:base='/x/'><link href='2'/></entry></feed>",
            "blog/1|x/2",
        ),
    ],
)
def test_each_url_is_the_one_that_stands_there(body, found):
    assert "|".join(Site(a=body).urls()) == found


def test_pages_and_sitemaps_may_stand_in_one_list():
    entries = b"<url><loc>/1</loc></url><sitemap><loc>/b</loc></sitemap>"
    for root in (b"urlset", b"sitemapindex"):
        site = Site(a=b"<%b>%b</%b>" % (root, entries, root), b=urlset(HOME + "2"))
        assert site.urls() == ["1", "2"]


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"<urlset></urlset>", "lists nothing"),
        (b'{"items": []}', "neither a sitemap nor a list of URLs"),
        (b"Not found", "neither a sitemap nor a list of URLs"),
        (b"<urlset a=b><url><loc>/1</loc></url></urlset>", "without quotes 1 (<urlset a=b>)"),
    ],
)
def test_nothing_that_lists_no_url_passes_without_a_word(body, trouble):
    site = Site(a=body)
    site.urls()
    assert trouble in site.wrong[HOME + "a"]


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


def test_pages_and_sitemaps_that_are_old_are_told_as_such():
    old, new = "2020-01-01T00:00:00Z", "2026-11-30"
    site = Site(
        a=(
            f"<sitemapindex><sitemap><loc>{HOME}b</loc><lastmod>{new}</lastmod></sitemap>"
            f"<sitemap><loc>{HOME}c</loc><lastmod>{old}</lastmod></sitemap></sitemapindex>"
        ).encode(),
        b=(
            f"<urlset><url><loc>{HOME}1</loc><lastmod> <![CDATA[{old}]]> </lastmod></url>"
            f"<url><lastmod>{new}</lastmod><loc>{HOME}2</loc></url><url><loc>{HOME}3</loc></url>"
            f"<url><loc>{HOME}4</loc><lastmod>{old}</url></urlset>"
        ).encode(),
        c=urlset(HOME + "5"),
        rss=(
            f"<rss><channel><pubDate>{old}</pubDate><item><link>{HOME}6</link>"
            "<pubDate>Tue, 10 Jun 2003 04:00:00 GMT</pubDate></item></channel></rss>"
        ).encode(),
    )

    def found(name: str) -> dict[str, str]:
        entries = read_sitemaps(HOME + name, site.fetch, is_old=lambda one: "20" in one.lastmod[:7])
        return {entry.url.removeprefix(HOME): entry.lastmod for entry in entries}

    assert found("b") == {"1": old, "2": new, "3": "", "4": old}
    assert found("rss") == {"6": "Tue, 10 Jun 2003 04:00:00 GMT"}
    kinds = {
        entry.url.removeprefix(HOME): entry.reason if entry.unclear else "page"
        for entry in read_sitemaps(HOME + "a", site.fetch, is_old=lambda one: one.lastmod == old)
    }
    assert kinds == {"c": "lastmod", "1": "lastmod", "2": "page", "3": "page", "4": "lastmod"}
    assert "http://shop.example/c" not in site.fetched


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-30", "2026-12-01T12:00:00+00:00"),
        ("2026-11", "2026-12-01T12:00:00+00:00"),
        ("2026", "2027-01-01T12:00:00+00:00"),
        ("2026-11-30T10:00:00Z", "2026-11-30T10:00:00+00:00"),
        ("2026-11-30T10:00:00+02:00", "2026-11-30T08:00:00+00:00"),
        ("2026-11-30T10:00:00", "2026-11-30T22:00:00+00:00"),
        ("Mon, 30 Nov 2026 10:00:00 GMT", "2026-11-30T10:00:00+00:00"),
        ("2026-13-01", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_means_its_latest_moment(text, moment):
    expected = moment and datetime.fromisoformat(moment).timestamp()
    assert latest_moment(text) == expected
