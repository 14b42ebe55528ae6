"""What is wrong with a table of selectors, with its place."""

from __future__ import annotations

import pytest

from crawler.definition.selectors.rules import item_faults, table_faults


@pytest.mark.parametrize(
    ("rule", "place", "words"),
    [
        ("h1::foo", "extract.a", "is no CSS selector"),
        (["x["], "extract.a", "is no CSS selector"),
        (3, "extract.a", "3 is neither a selector"),
        ({"e": ""}, "extract.a.e", "is no CSS selector"),
        (["li", {"g": "a:nope("}], "extract.a.g", "is no CSS selector"),
        (["a", "b"], "extract.a", "is neither a selector"),
        ([], "extract.a", "is neither a selector"),
        ({3: "h1"}, "extract.a", "3 is no name of a field"),
        ("xpath://h1[", "extract.a", "is no XPath"),
        ("xpath://x:h1", "extract.a", "is no XPath"),
        ("xpath:nope(//h1)", "extract.a", "is no XPath"),
        ("xpath:", "extract.a", "is no XPath"),
        ("xpath://a[re:test(@href, '[')]", "extract.a", "'[' in"),
        ("json-ld:Product.name", "extract.a", "other kinds begin with xpath:, jsonld:, meta:"),
        ("jsonld:", "extract.a", "names nothing"),
        ("jsonld:Product..name", "extract.a", "no type and path"),
        ("meta:", "extract.a", "names nothing"),
        ("h1 re:(", "extract.a", "is no regular expression"),
        ([{"title": "h2"}], "extract.a[0]", "has no select"),
        ([{"select": ".card", "price": "p["}], "extract.a[0].price", "is no CSS selector"),
        ([{"select": "p[", "price": "p"}], "extract.a[0].select", "is no CSS selector"),
        ([{"select": 3, "price": "p"}], "extract.a[0].select", "3 is no selector"),
        ([{"select": "jsonld:Product", "a": "b"}], "extract.a[0].select", "selects no elements"),
        ({"select": "h1::text", "a": "b"}, "extract.a.select", "selects no elements"),
        (["h1 re:x", {"a": "b"}], "extract.a", "selects no elements"),
        ({"select": "p", "type": "money"}, "extract.a.type", "none of number, integer, date, url"),
        ({"select": "p", "type": ["number"]}, "extract.a.type", "none of number"),
        ([{"select": "p", "type": "nombre"}], "extract.a[0].type", "none of number"),
        ({"select": "p", "typ": "number"}, "extract.a.typ", "no element, but a type"),
        ({"selector": "p", "type": "number"}, "extract.a.type", "no element, but a type"),
        ({"select": "p", "type": "number", "decimal": ";"}, "extract.a.decimal", "neither a dot"),
        ({"select": "p", "type": "date", "decimal": ","}, "extract.a.decimal", "for a number"),
        ({"select": "p", "type": "date", "format": "dmy"}, "extract.a.format", "no format"),
        ({"select": "p", "format": "%d"}, "extract.a.format", "no format"),
    ],
)
def test_a_faulty_rule_is_told_with_its_place(rule, place, words):
    (fault,) = table_faults({"fine": ["a"], "a": rule, "kind": {"select": "i", "type": "text"}})
    assert (fault.field, words in fault.what) == (place, True), fault
    assert fault.example


@pytest.mark.parametrize("wanted", [{"select": "h1"}, [{"select": "h1", "type": "text"}]])
def test_an_extract_that_asks_for_no_field_is_a_fault(wanted):
    (fault,) = item_faults(wanted)
    assert (fault.field, fault.what[:15]) == ("extract", "asks for a valu")
    assert item_faults([{"select": "h1", "title": "a"}]) == item_faults({}) == []


def test_a_table_without_an_end_is_one_fault():
    table: dict = {}
    table["a"] = table
    (fault,) = table_faults(table)
    assert "levels deep" in fault.what


@pytest.mark.parametrize(
    "rule",
    [
        "a::attr(href)",
        "svg|a, text",
        "xpath://a[re:test(@href, 'x') and re:match(., 'y')]/@href",
        r"xpath://a[@x and re:test(@href, 'x')] re:(\d+) re:x",
        "jsonld:Product",
        "meta:twitter:image:src",
        "a:not(.x)::text",
        {"select": "h1"},
        {"select": "h1", "decimal": ",", "type": "integer"},
        [{"select": ".card", "type": ".kind", "name": "h2"}],
    ],
)
def test_a_right_rule_has_no_fault(rule):
    assert not [one for one in table_faults({"a": rule}) if "svg" not in one.what]
