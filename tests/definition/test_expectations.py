"""What an example expects of an item, and where one is not so."""

from __future__ import annotations

import re

import pytest

from crawler import Crawl, DefinitionError
from crawler.definition.digest import digest_of
from crawler.definition.item_differences import differences
from crawler.run.live_examples import examples_of

ITEM = {"title": "Tea", "price": 12.0, "tags": ["hot", "green"], "stock": None, "word": "present"}
RULE = {"title": "h1", "price": {"select": ".price", "type": "number"}, "tags": ["a.tag"]}


@pytest.mark.parametrize(
    "expected",
    [
        {"title": "Tea", "price": 12, "tags": ["hot", "green"], "stock": None},
        {"title": "re:^T", "price": "present", "tags": "re:green", "stock": "absent"},
        {"title": re.compile("^tea$", re.I), "tags": ["re:ot", "present"]},
        {"word": {"is": "present"}, "title": {"is": "Tea"}},
        None,
    ],
)
def test_an_item_is_as_expected(expected):
    assert differences(expected, ITEM, RULE) == []


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"title": "Coffee"}, 'title: expected "Coffee", found "Tea"  (selector h1)'),
        ({"price": "re:EUR"}, "price: expected re:EUR, found 12.0  (selector .price)"),
        ({"price": True}, "price: expected true, found 12.0  (selector .price)"),
        ({"stock": "present"}, "stock: expected some value, found null"),
        ({"title": "absent"}, 'title: expected no value, found "Tea"  (selector h1)'),
        ({"tags": ["hot"]}, 'tags: expected 1 values: ["hot"], found ["hot", "green"]'
         "  (selector a.tag)"),
        ({"tags": ["hot", "red"]}, 'tags.1: expected "red", found "green"  (selector a.tag)'),
        ({"none": 1}, "none: expected 1, found null"),
    ],
)  # fmt: skip
def test_a_difference_names_what_was_found_and_its_selector(expected, words):
    assert [str(one) for one in differences(expected, ITEM, RULE)] == [words]


def test_of_several_items_the_nearest_one_counts():
    items = [{"name": "a", "price": 1}, {"name": "b", "price": 2}]
    assert differences({"name": "b", "price": 2}, items) == []
    (one,) = differences({"name": "b", "price": 3}, items)
    assert (one.field, one.found) == ("price", 2)
    assert differences([{"name": "a"}, {"name": "b"}], items) == []
    assert differences({"books": {"name": "b"}}, {"books": items}) == []
    assert (
        str(differences(None, {"a": None})[0]) == 'expected an item with a value, found {"a": null}'
    )


def test_examples_are_of_the_crawl_and_of_its_routes():
    crawl = Crawl(
        name="shop",
        url="https://shop.example/x",
        routes={"book": {"match": "/b/", "examples": [{"url": "/b/1", "expect": {"title": "T"}}]}},
        examples=[{"url": "https://shop.example/", "route": "book", "data": {"shelf": 1}}],
    )
    found = [(one.url, one.route, one.data, one.expect) for one in examples_of(crawl)]
    assert found == [
        ("https://shop.example/", "book", {"shelf": 1}, None),
        ("https://shop.example/b/1", "book", {}, {"title": "T"}),
    ]
    # what is expected is no part of what a crawl does
    bare = Crawl(name="shop", url="https://shop.example/x", routes={"book": {"match": "/b/"}})
    assert digest_of(crawl) == digest_of(bare)


@pytest.mark.parametrize(
    ("examples", "what"),
    [
        ("https://shop.example/", "neither a table nor a list"),
        ([{"expect": {}}], "needs a url"),
        ([{"url": "book"}], "no URL, nor a path"),
        ([{"url": "/", "expects": {}}], "did you mean 'expect'?"),
        ([{"url": "/", "expect": "Tea"}], "neither a table of fields"),
        ([{"url": "/", "expect": {"a": "re:("}}], "no regular expression"),
        ([{"url": "/", "expect": {"a": object()}}], "is no JSON"),
        ([{"url": "/", "route": "book"}], "there is no route 'book'; there are: none"),
        ([{"url": "/"}] * 101, "at most 100"),
    ],
)
def test_a_wrong_example_is_a_fault_of_the_definition(examples, what):
    with pytest.raises(DefinitionError, match=re.escape(what)):
        Crawl(name="shop", url="https://shop.example/", examples=examples).validate()
