"""The data that tables of selectors take from a page."""

from __future__ import annotations

import time

import pytest

from crawler.definition.selectors.regions import links_within, says_nofollow
from crawler.definition.selectors.tables import DEFAULT_EXTRACT, extract_fields
from crawler.model import Json, Response

HTML = """<!doctype html><html><head><title> A  light
in the attic </title><base href="/shop/"></head><body>
<nav><a href="/all">All</a></nav>
<h1>A <em>light</em>\n in the attic</h1><p class="price">\n <i>now</i> £51.77 </p>
<img src=" cover.jpg "><img>
<a class="tag" href="p?x=1">poetry</a><a class="tag" href="q">  </a>
<a class="tag" href="r#z">verse</a>
<ul><li><h3>One</h3><b>1</b></li><li><h3>Two</h3></li></ul></body></html>"""


def fields(html: str, table, url: str = "https://shop.example/a/b") -> Json:
    """Return what ``table`` takes from ``html``; all of it fits."""
    data, unfit = extract_fields(Response(url, html=html), table)
    assert not unfit
    return data


def unfit(html: str, table) -> list[tuple[str, str]]:
    """Return the fields whose values do not fit, with the reasons."""
    return [(one.field, one.reason) for one in extract_fields(Response("", html=html), table)[1]]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("h1", "A light in the attic"),
        ("title::text", "A light in the attic"),
        (".price", "now £51.77"),
        (".price::text", "£51.77"),
        ("img::attr(src)", "cover.jpg"),
        (".none", None),
        (".none::text", None),
        ("img::attr(alt)", None),
        (["a.tag"], ["poetry", "verse"]),
        (["a.tag::attr(href)"], ["p?x=1", "q", "r#z"]),
        ([".none"], []),
        (
            {"name": "h1", "cost": ".price::text"},
            {"name": "A light in the attic", "cost": "£51.77"},
        ),
        (
            ["li", {"name": "h3", "count": "b"}],
            [{"name": "One", "count": "1"}, {"name": "Two", "count": None}],
        ),
    ],
)
def test_a_selector_gives(rule, value):
    assert fields(HTML, {"field": rule}) == {"field": value}


def test_an_empty_page_gives_nothing():
    assert fields("", {"a": "h1", "b": ["h1"]}) == {"a": None, "b": []}


INERT = """<html><head><noscript><img src="n.gif"><meta name="robots" content="nofollow">
<p>x</p></noscript><title>Lamp</title><meta name="description" content="A lamp">
<template><h1>{{ title }}</h1><template><b>in</b></template><a href="/t">t</a></template></head>
<body data-note="<template> is no tag <noscript>"><!-- <template> nor here -->
<noscript><h1>Switch JavaScript on</h1></noscript><style-guide>s</style-guide>
<script type="application/ld+json">{"a": "<noscript>kept</noscript>"}</script>
<h1>Blue lamp</h1><p class="text">One <script>var hidden = 1;</script><style>p{}</style>two</p>
<div><template shadowrootmode="open"><i>shadow</i><template><i>no</i></template></template></div>
<a href="/real">real</a><svg><title>icon</title></svg></body></html>"""


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (["h1"], ["Blue lamp"]),
        (["meta[name]::attr(content)"], ["A lamp"]),
        ("head > title", "Lamp"),
        (["a::attr(href)"], ["/real"]),
        (["i"], ["shadow"]),
        (["b"], []),
        ("style-guide", "s"),
        ("body::attr(data-note)", "<template> is no tag <noscript>"),
        (".text", "One two"),
        ([".text *::text, h1::text"], ["Blue lamp", "One", "two"]),
        ("script[type]::text", '{"a": "<noscript>kept</noscript>"}'),
        ("script[type]", '{"a": "<noscript>kept</noscript>"}'),
    ],
)
def test_what_a_reader_does_not_see_is_not_there(rule, value):
    assert fields(INERT, {"field": rule}) == {"field": value}


def test_what_a_reader_does_not_see_asks_for_nothing_and_links_nowhere():
    assert not says_nofollow(INERT)
    assert links_within(INERT, "https://a.org/", ["body", "head"]) == {"https://a.org/real"}


def test_an_icon_has_no_title_for_a_page():
    html = "<html><head></head><body><svg><title>icon</title></svg></body></html>"
    assert fields(html, DEFAULT_EXTRACT)["title"] is None


@pytest.mark.parametrize("piece", ["<template>", "<script>", "<a b=''><!--", "</template>", "<p><"])
def test_a_page_of_nothing_but_beginnings_is_read_in_time(piece):
    began = time.monotonic()
    fields("<noscript></noscript>" + piece * 50_000, {"a": "h1"})
    assert time.monotonic() - began < 120


def test_a_page_that_says_nofollow_is_understood():
    assert says_nofollow('<meta name="ROBOTS" content="noindex, NoFollow">')
    assert says_nofollow('<meta name="robots" content="none">')
    assert not says_nofollow(
        '<meta name="robots" content="noindex"><meta name="x" content="nofollow">'
    )
    assert not says_nofollow("")


def test_links_are_found_within_regions():
    assert links_within(HTML, "http://shop.example/a/b", ["nav"]) == {"http://shop.example/all"}
    assert "http://shop.example/shop/p?x=1" in links_within(
        HTML, "http://shop.example/a/b", ["a.tag", "body"]
    )
    assert links_within(HTML, "http://shop.example/a/b", [".none"]) == set()


SHOP = """<html lang="en"><head><base href="/shop/"><meta property="og:title" content=" Emma ">
<meta name="OG:Image" content="/e.png"><meta name="author" content=""><title>t</title>
<script type="application/ld+json">{"@context": "https://schema.org", "@graph": [
  {"@type": "WebPage", "name": "page", "author": {"@id": "#jane"}},
  {"@type": ["Thing", "http://schema.org/Book"], "name": "Emma\n again", "pages": 474,
   "offers": [{"@type": "Offer", "price": "12.99"}, {"@type": "Offer", "price": 14.5}],
   "image": {"@type": "ImageObject", "url": "emma.png"}},
  {"@type": "Person", "@id": "#jane", "name": "Jane"}]}</script>
<script type="application/ld+json">{broken</script>
<noscript><script type="application/ld+json">{"@type": "Ghost", "name": "boo"}</script></noscript>
</head><body><h1 id="top">Emma</h1>
<div class="card"><h2>One</h2><p class="price">12,99 €</p><a href="1">on</a><i>a</i><i>b</i></div>
<div class="card"><h2>Two</h2><p class="price">sold out</p><a href="//other.example/2">on</a></div>
<ul><li>first<br>line</li><li>second</li></ul><p class="by">by Jane <b>Austen</b>, 1815</p>
<table><tr><td>1</td><td>2</td></tr></table></body></html>"""


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        # XPath
        ("xpath://h1/@id", "top"),
        ("xpath: //h2[contains(., 'Tw')]", "Two"),
        (["xpath://h2/text()"], ["One", "Two"]),
        ("xpath:count(//li)", "2"),
        ("xpath:boolean(//h1)", "true"),
        ("xpath://*[has-class('by') and re:test(., 'Jane')]/b", "Austen"),
        ("xpath:string(//head)", "t"),
        # JSON-LD
        ("jsonld:Book.name", "Emma again"),
        ("jsonld:Book.pages", 474),
        ("jsonld:Book.offers.price", "12.99"),
        (["jsonld:Book.offers.price"], ["12.99", 14.5]),
        (["jsonld:Offer.price"], ["12.99", 14.5]),
        ("jsonld:WebPage.author.name", "Jane"),
        ("jsonld:ImageObject", {"@type": "ImageObject", "url": "emma.png"}),
        ({"select": "jsonld:Book.image", "type": "url"}, "https://shop.example/shop/emma.png"),
        # meta elements
        ("meta:og:title", "Emma"),
        ("meta:og:image", "/e.png"),
        ({"select": "meta:og:image", "type": "url"}, "https://shop.example/e.png"),
        ("meta:author", None),
        # regular expressions
        (r".by re:by (\w+)", "Jane"),
        (r".by re:\d{4}", "1815"),
        ([r"li re:\w+"], ["first", "line", "second"]),
        (r"xpath://h1/@id re:t.", "to"),
        (r"jsonld:Book.pages re:\d", "4"),
        (r".by re:nothing", None),
        (r".by re:(x)?by", None),
        # objects
        (
            [{"select": ".card", "title": "h2", "marks": ["i"]}],
            [{"title": "One", "marks": ["a", "b"]}, {"title": "Two", "marks": []}],
        ),
        ([{"select": ".card", "site": "meta:og:title"}], [{"site": "Emma"}] * 2),
        (
            [{"select": "xpath://a", "to": "::attr(href)"}],
            [{"to": "1"}, {"to": "//other.example/2"}],
        ),
        ({"select": ".card", "title": "h2"}, {"title": "One"}),
        ({"select": ".none", "title": "h2"}, None),
        ([{"select": ".none", "title": "h2"}], []),
        # types
        ({"select": ".price", "type": "number"}, 12.99),
        ({"select": ".none", "type": "number"}, None),
        ([{"select": "i", "type": "text"}], ["a", "b"]),
        ([{"select": "td", "type": "integer"}], [1, 2]),
        (
            [{"select": ".card a", "type": "url"}],
            ["https://shop.example/shop/1", "https://other.example/2"],
        ),
        ({"select": ".card a::attr(href)", "type": "url"}, "https://shop.example/shop/1"),
        # the texts of blocks stand apart
        ("ul", "first line second"),
        ("table", "1 2"),
        (".by", "by Jane Austen, 1815"),
    ],
)
def test_a_rule_gives(rule, value):
    assert fields(SHOP, {"field": rule}) == {"field": value}


def test_a_list_of_a_table_gives_an_item_per_match():
    table = [{"select": ".card", "title": "h2"}]
    assert fields(SHOP, table) == [{"title": "One"}, {"title": "Two"}]


def test_what_does_not_fit_is_none_with_a_reason_and_its_place():
    price = {"select": ".price", "type": "number"}
    table = {
        "title": {"select": "h1", "type": "date"},
        "books": [{"select": ".card", "price": price}],
        "prices": [price],
        "ghost": "jsonld:Ghost.name",
        "link": {"select": "h1", "type": "url"},
        "offers": {"select": "jsonld:Offer", "type": "text"},
    }
    data, found = extract_fields(Response("mailto:x", html=SHOP.replace("<base", "<i")), table)
    assert data["books"] == [{"price": 12.99}, {"price": None}]
    assert (data["title"], data["prices"], data["ghost"]) == (None, [12.99], None)
    assert [(one.field, one.reason, one.value) for one in found] == [
        ("title", "no_date", "'Emma'"),
        ("books.1.price", "no_number", "'sold out'"),
        ("prices", "no_number", "'sold out'"),
        ("ghost", "broken_json_ld", "'Ghost.name'"),
        ("link", "no_url", "'Emma'"),
        ("offers", "no_text", "{'@type': 'Offer', 'price': '12.99'}"),
    ]


SHADOWS = """<body><div><template shadowrootmode="open"><h1>Shade</h1><p>in</p>
<section><template shadowrootmode="open"><b>deep</b></template></section></template></div>
<h1>Light</h1><div data-frame="https://other.example/f/"><a href="x">framed</a></div></body>"""


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("h1", "Light"),
        (["xpath://h1"], ["Light"]),
        (["p"], ["in"]),
        ({"select": "section", "word": "b"}, {"word": "deep"}),
        ({"select": "a", "type": "url"}, "https://other.example/f/x"),
    ],
)
def test_shadow_roots_count_where_nothing_else_matches(rule, value):
    assert fields(SHADOWS, {"field": rule}) == {"field": value}


@pytest.mark.parametrize(
    "text",
    [
        '{"@type": "A", "x": NaN, "y": 1e999, "z": 1}',
        '<!-- {"@type": "A", "z": 1} -->',
        '//<![CDATA[\n{"@type": "A", "z": 1}\n//]]>',
        '[[{"@type": "A", "z": 1}]]',
        '{"@graph": {"@graph": [{"@type": "https://schema.org/A", "schema:z": 1}]}}',
        '{"@type": "B", "a": {"@type": "A", "z": {"@value": 1}}}',
    ],
)
def test_json_ld_is_read_in_the_forms_that_sites_write(text):
    html = f'<script type="Application/LD+JSON; charset=utf-8">{text}</script>'
    assert fields(html, {"z": "jsonld:A.z", "x": "jsonld:A.x"}) == {"z": 1, "x": None}


def test_json_ld_without_an_end_is_broken_and_harmless():
    html = '<script type="application/ld+json">' + '{"@type": "A", "a": [' * 50_000
    assert unfit(html, {"z": "jsonld:A.z"}) == [("z", "broken_json_ld")]
