"""The argument ``follow`` of hooks: which pages it makes, and what it says of a wrong call."""

from __future__ import annotations

import pytest

from crawler import Crawl, Priority
from crawler.definition.bounds import scope_of
from crawler.definition.choosing import choose
from crawler.definition.link_data import DATA_MAX
from crawler.model import Link
from crawler.run.follow import Follow, Followed

HERE = "https://shop.example/list/"
ROUTES = {"book": {"match": "/books/", "priority": "low"}, "offer": {"match": "/offers/"}}
SHOP = Crawl(name="shop", url=HERE, depth_limit=2, deny=["/private/"], routes=ROUTES)
ENTRY = scope_of(SHOP).entry(HERE)


class Calls:
    """A hook's argument ``follow`` at HERE, and what comes of it beside the links of the page."""

    def __init__(self, base: str = HERE) -> None:
        self.followed = Followed(explain=True)
        self.follow = Follow(SHOP, "extract", ENTRY, lambda: base, self.followed.take, depth=1)

    def chosen(self, *links: str):
        found = choose(SHOP, ENTRY, map(Link, links), explain=True)
        return self.followed.merged(found)


def test_what_is_followed_comes_before_links_and_instead_of_them():
    calls = Calls()
    calls.follow("../books/1", data={"shelf": "Poems"}, priority="high")
    calls.follow(" https://shop.example/2#reviews ", depth=0, priority=Priority.LOW)
    pages = calls.chosen("https://shop.example/books/3", "https://shop.example/books/1").pages
    assert [(page.url[20:], page.depth, page.priority.name) for page in pages] == [
        ("/books/1", 1, "HIGH"),
        ("/2", 0, "LOW"),
        ("/books/3", 1, "LOW"),
    ]
    assert [page.data for page in pages] == [{"shelf": "Poems"}, {}, {}]
    assert {page.parent for page in pages} == {ENTRY.id}


def test_a_route_that_is_named_wins_with_its_priority():
    calls = Calls()
    calls.follow("/books/1")
    calls.follow("/books/2", route="offer")
    calls.follow("/else", route="book")
    calls.follow("/books/3", priority="normal")
    pages = calls.chosen().pages
    assert [page.route for page in pages] == ["", "offer", "book", ""]
    assert [page.priority.name for page in pages] == ["LOW", "NORMAL", "LOW", "NORMAL"]


def test_a_page_may_be_followed_again_also_itself():
    calls = Calls()
    calls.follow("/books/1")
    calls.follow("/books/1", again=True)
    calls.follow("/books/2")
    calls.follow(HERE, again=True)
    pages = calls.chosen("https://shop.example/books/3").pages
    assert [(page.url[20:], page.again) for page in pages] == [
        ("/books/1", True),
        ("/books/2", False),
        ("/list/", True),
        ("/books/3", False),
    ]
    with pytest.raises(TypeError, match="again is True or False"):
        calls.follow("/books/4", again="yes")


def test_what_is_not_followed_is_counted_by_reason_with_an_example():
    calls = Calls()
    for url in ("mailto:a@b.c", "http://[", "//else.example/", "/private/", "/x.zip", "", HERE):
        calls.follow(url)
    calls.follow("/deep", depth=3)
    calls.follow("/twice", data={"n": 1})
    calls.follow("/twice", data={"n": 2})
    chosen = calls.chosen("https://shop.example/private/2")
    assert [page.data for page in chosen.pages] == [{"n": 1}]
    assert chosen.dropped == {
        "scheme": 1,
        "malformed": 1,
        "scope": 1,
        "deny": 2,
        "extension": 1,
        "duplicate": 2,
        "depth": 1,
        "known_data": 1,
    }
    assert chosen.examples["scope"] == "https://else.example/"
    assert (Link("https://shop.example/deep"), "depth") in chosen.reasons


def test_data_are_a_copy_whose_texts_can_be_encoded():
    calls, row = Calls(), {"name": "half \ud83d", "list": (1, None)}
    calls.follow("/a", data=row)
    row["name"] = "another"
    assert calls.chosen().pages[0].data == {"name": "half \ufffd", "list": [1, None]}


LOOP: list = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"url": None}, TypeError, "a URL is text, not None: nothing matched a selector"),
        ({"url": "/a", "data": [1]}, TypeError, "data is an object of JSON"),
        ({"url": "/a", "data": {"at": object()}}, TypeError, "data is no JSON: Object of type"),
        ({"url": "/a", "data": {"at": float("nan")}}, ValueError, "data is no JSON"),
        ({"url": "/a", "data": {"a": {1: 2}}}, TypeError, "data has the name 1; names"),
        ({"url": "/a", "data": {"a": LOOP}}, ValueError, "nested more than 32 levels deep"),
        ({"url": "/a", "data": {"a": "é" * 1_024}}, ValueError, "data has 2,056 bytes of JSON"),
        ({"url": "/a", "depth": -1}, ValueError, "depth is a number of links"),
        ({"url": "/a", "priority": "urgent"}, ValueError, "one of 'high', 'normal', 'low'"),
        ({"url": "/a", "route": 5}, TypeError, "route is the name of a route, not 5"),
        ({"url": "/a", "route": "boks"}, ValueError, "no route 'boks'; there are: book, offer"),
    ],
)
def test_a_wrong_call_is_an_error_that_names_the_hook(arguments, error, words):
    calls = Calls()
    with pytest.raises(error, match=words) as raised:
        calls.follow(**arguments)
    assert str(raised.value).startswith("follow() in the hook extract: ")
    assert not calls.chosen().pages


def test_data_of_exactly_two_kilobytes_are_carried():
    calls = Calls()
    calls.follow("/a", data={"a": "x" * (DATA_MAX - len('{"a":""}'))})
    assert len(calls.chosen().pages) == 1


def test_follow_is_of_no_use_once_its_hook_has_returned():
    calls = Calls()
    calls.chosen()
    with pytest.raises(RuntimeError, match="after its hook has returned"):
        calls.follow("/late")
