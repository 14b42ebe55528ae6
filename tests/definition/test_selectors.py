"""What an extract without code takes from a page."""

from __future__ import annotations

import time

import pytest

from crawler.definition.selectors import (
    DEFAULT_EXTRACT,
    extract_fields,
    links_within,
    says_nofollow,
    table_faults,
)

HTML = """<!doctype html><html><head><title> A  light
in the attic </title><base href="/shop/"></head><body>
<nav><a href="/all">All</a></nav>
<h1>A <em>light</em>\n in the attic</h1><p class="price">\n <i>now</i> £51.77 </p>
<img src=" cover.jpg "><img>
<a class="tag" href="p?x=1">poetry</a><a class="tag" href="q">  </a>
<a class="tag" href="r#z">verse</a>
<ul><li><h3>One</h3><b>1</b></li><li><h3>Two</h3></li></ul></body></html>"""


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
    assert extract_fields(HTML, {"field": rule}) == {"field": value}


def test_an_empty_page_gives_nothing():
    assert extract_fields("", {"a": "h1", "b": ["h1"]}) == {"a": None, "b": []}


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
    assert extract_fields(INERT, {"field": rule}) == {"field": value}


def test_what_a_reader_does_not_see_asks_for_nothing_and_links_nowhere():
    assert not says_nofollow(INERT)
    assert links_within(INERT, "https://a.org/", ["body", "head"]) == {"https://a.org/real"}


def test_an_icon_has_no_title_for_a_page():
    html = "<html><head></head><body><svg><title>icon</title></svg></body></html>"
    assert extract_fields(html, DEFAULT_EXTRACT)["title"] is None


@pytest.mark.parametrize("piece", ["<template>", "<script>", "<a b=''><!--", "</template>", "<p><"])
def test_a_page_of_nothing_but_beginnings_is_read_in_time(piece):
    began = time.monotonic()
    extract_fields("<noscript></noscript>" + piece * 50_000, {"a": "h1"})
    assert time.monotonic() - began < 120


def test_each_faulty_selector_is_told_with_its_place():
    wanted = {
        "a": "h1::foo",
        "b": ["x["],
        "c": 3,
        "d": {"e": ""},
        "f": ["li", {"g": "a:nope("}],
        "h": ["a", "b"],
        "fine": ["a"],
    }
    assert [where for where, _ in table_faults(wanted)] == [
        "extract.a",
        "extract.b",
        "extract.c",
        "extract.d.e",
        "extract.f.g",
        "extract.h",
    ]


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
