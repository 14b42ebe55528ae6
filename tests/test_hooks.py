"""A hook gets what it asks for, by name."""
# ruff: noqa: ARG005 -- what a hook names is the point, not what it does with it

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path

import pytest

import crawler
from crawler.browser.page import LivePage
from crawler.hooks import ARGUMENTS, Lazy, call, code_place, hook_faults, note_of, note_place, wants
from crawler.model import OF_DOCUMENT, Page, Response
from tests.support.generated import page_of

ROOT = Path(__file__).parents[1]
AVAILABLE = {"crawl": "C", "page": "P", "snapshot": "S", "stop": "X"}


def test_a_hook_gets_the_arguments_that_it_names_in_any_order():
    assert call(lambda stop, page: (stop, page), AVAILABLE) == ("X", "P")
    assert call(lambda: "none", AVAILABLE) == "none"
    assert call(lambda *, page: page, AVAILABLE) == "P"


def test_no_hook_does_nothing():
    assert call(None, AVAILABLE) is None


def test_an_argument_with_a_default_is_filled_only_if_known():
    assert call(lambda page=None, factor=2: (page, factor), AVAILABLE) == ("P", 2)


def test_a_hook_with_kwargs_gets_all_there_is():
    assert call(lambda **everything: everything, AVAILABLE) == AVAILABLE


def test_arguments_that_may_not_be_named_are_passed_by_place():
    def hook(stop, page, /, crawl):
        return stop, page, crawl

    assert call(hook, AVAILABLE) == ("X", "P", "C")


def test_methods_partials_and_objects_are_hooks_too():
    class Shop:
        def method(self, page):
            return page

        def __call__(self, crawl):
            return crawl

    assert call(Shop().method, AVAILABLE) == "P"
    assert call(Shop(), AVAILABLE) == "C"
    assert call(functools.partial(lambda factor, page: (factor, page), 3), AVAILABLE) == (3, "P")

    class Unhashable(list):
        def __call__(self, page):
            return page

    assert call(Unhashable(), AVAILABLE) == "P"


def test_a_snapshot_is_read_only_if_it_is_asked_for():
    read = []

    def get():
        read.append(1)
        return "counts"

    assert call(lambda page: page, {**AVAILABLE, "snapshot": Lazy(get)}) == "P"
    assert read == []
    assert call(lambda snapshot: snapshot, {**AVAILABLE, "snapshot": Lazy(get)}) == "counts"
    assert read == [1]


def test_a_hook_that_yields_gives_a_list():
    def rows(page):
        yield page
        yield page

    assert call(rows, AVAILABLE) == ["P", "P"]


def test_what_a_hook_raises_passes_through():
    def broken(page):
        raise LookupError(page)

    with pytest.raises(LookupError, match="P"):
        call(broken, AVAILABLE)


def test_an_unknown_name_is_a_fault_that_lists_the_names_there_are():
    assert hook_faults("extract", lambda pgae: None) == [
        "asks for 'pgae', which does not exist here; did you mean 'page'?"
    ]
    (fault,) = hook_faults("start", lambda result: None)
    assert "'result'" in fault
    assert all(name in fault for name in ARGUMENTS["start"])
    assert hook_faults("after", lambda result, snapshot, stop, extra=1, **more: None) == []


def test_a_hook_that_cannot_be_called_is_a_fault():
    async def later(page): ...

    assert "async" in hook_faults("extract", later)[0]
    assert "not a function" in hook_faults("extract", "h1")[0]
    assert hook_faults("extract", dict)[0]


def test_a_name_that_its_caller_cannot_fill_is_said_plainly():
    with pytest.raises(TypeError, match="asks for 'browser'; there are: crawl, page"):
        call(lambda browser: None, AVAILABLE)


def test_a_caller_can_ask_what_a_hook_wants():
    assert wants(lambda response: None, "response")
    assert wants(lambda response=None: None, "response")
    assert wants(lambda **all_of_it: None, "response")
    assert not wants(lambda page: None, "response")


def line_of(function, offset):
    """The line of this file that is so many lines below the head of ``function``."""
    return f"test_hooks.py:{function.__code__.co_firstlineno + offset}"


def price_of(text):
    return json.loads(text)["price"]


def test_the_place_of_an_error_is_in_its_authors_code():
    # Given a hook whose function fails in a library
    with pytest.raises(ValueError, match="Expecting") as caught:
        call(functools.partial(price_of, "{"), {})
    # Then the place is the line that called the library
    assert code_place(caught.value, price_of).endswith(line_of(price_of, 1))
    # And without such a line, that of the hook, however it is wrapped
    for hook in (price_of, functools.partial(price_of, "{"), functools.wraps(price_of)(lambda: 1)):
        assert code_place(ValueError(), hook).endswith(line_of(price_of, 0))
    assert code_place(ValueError(), len) == ""


def test_the_note_of_an_error_names_hook_crawl_url_and_line():
    error = ValueError("no price")
    place = note_place(error, "extract", price_of, "shop", "http://shop/")
    assert (
        note_of(error) == f"raised by the hook extract of the crawl shop at http://shop/\n{place}"
    )
    assert note_of(ValueError()) == ""


def test_the_documentation_of_hooks_is_what_the_code_says():
    page = (ROOT / "docs" / "hooks.md").read_text()
    assert page == page_of("make_hooks"), "run `make docs`"
    picture = (ROOT / "docs" / "images" / "steps.svg").read_text()
    assert picture == page_of("make_hooks", "picture")
    for name in set(crawler.__all__) - {"__version__"}:
        assert f"| `{name}` |" in page
    for step, names in ARGUMENTS.items():
        if step != "scope":
            assert f"| `{step}` |" in page
            assert all(f"| `{name}` |" in page for name in names)


def test_a_page_without_a_document_says_so_when_it_is_asked():
    ahead, here = Page("https://a.example/", attempt=2), Response("https://a.example/x")
    live = LivePage(None, None, ahead, here)  # type: ignore[arg-type]
    # all that a live page can be asked for, beside the page itself
    names = {name for name in [*dir(LivePage), *vars(live)] if not name.startswith("_")}
    asked = names - {*Page.__slots__, "page", "transport", "finding", "in_frames"}
    asked -= {"admits", "captured"}
    assert asked == OF_DOCUMENT
    for name in asked:
        with pytest.raises(AttributeError, match="has no document: it is about to be fetched"):
            getattr(ahead, name)
    # what a page has besides is the same for a live one
    assert (live.id, live.attempt, live.parent, live.url) == (ahead.id, 2, None, here.url)
    for page in (ahead, live):
        assert not hasattr(page, "nothing")
        assert copy.copy(page).depth == 0
