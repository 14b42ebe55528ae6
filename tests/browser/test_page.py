"""The live page, as hooks see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.page import LivePage
from crawler.browser.pool import Chrome
from crawler.model import Page
from crawler.profile import Profile
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=5)) as chrome:
        yield chrome


@pytest.fixture
def book(chrome: Chrome, site: Server) -> Iterator[LivePage]:
    with chrome.session(Profile("tests")) as browser:
        page = Page(site.url("/book"), depth=2)
        yield browser.live(page, browser.request(page))


def test_a_page_knows_where_and_what_it_is(book, site):
    assert (book.url, book.depth, book.title) == (site.url("/book"), 2, "Emma")
    assert '<p class="price">£ 3</p>' in book.html


def test_text_is_what_can_be_seen_without_the_space_around_it(book):
    assert book.text("h1") == "Emma"
    assert book.texts("li") == ["one", "two", "three"]


def test_attributes_are_as_written(book):
    assert book.attr("img", "src") == "cover.png"
    assert book.attrs("img", "src") == ["cover.png"]


def test_what_is_not_there_is_none_or_nothing(book):
    assert book.text(".nothing") is None
    assert book.attr(".nothing", "src") is None
    assert book.attr("h1", "src") is None
    assert (book.texts(".nothing"), book.attrs("h1", "src")) == ([], [])


def test_more_elements_are_read_than_a_call_takes_arguments(chrome, site):
    with chrome.session(Profile("tests")) as browser:
        page = Page(site.url("/links-200000"))
        live = browser.live(page, browser.request(page, max_links=0))
        assert len(live.attrs("a", "href")) == 200_000


def test_a_selector_that_is_none_says_so(book):
    for ask in (book.text, book.texts, book.click, book.wait_for):
        with pytest.raises(ValueError, match="is not a CSS selector"):
            ask("h1[")


def test_scripts_are_expressions_or_statements_and_take_arguments(book):
    assert book.evaluate("1 + 1") == 2
    assert book.evaluate("arguments[0] + arguments[1]", 2, 3) == 5
    assert book.evaluate("let n = 1; return n + 1") == 2
    assert book.evaluate("({a: [1, null]})") == {"a": [1, None]}
    assert book.evaluate("Promise.resolve(7)") == 7


def test_what_comes_later_can_be_waited_for(book):
    assert book.text("#late") is None
    book.wait_for("#late", timeout=5)
    assert book.text("#late") == "late"


def test_what_does_not_come_is_not_waited_for_for_ever(book):
    with pytest.raises(TimeoutError, match=r"nothing matches '#never' within 0.2 s"):
        book.wait_for("#never", timeout=0.2)


def test_forms_are_filled_and_sent(book, site):
    book.fill("input[name=q]", "new")
    book.click("button")
    book.wait_for("#answer")
    assert book.driver.current_url == site.url("/form")
    assert book.text("h1") == "new"


def test_a_click_on_nothing_says_so(book):
    with pytest.raises(LookupError, match=r"nothing matches '\.nothing' at http"):
        book.click(".nothing")


def test_a_page_that_grows_while_scrolled_is_scrolled_to_its_end(chrome, site):
    with chrome.session(Profile("tests")) as browser:
        page = Page(site.url("/lazy"))
        live = browser.live(page, browser.request(page))
        live.scroll_to_end()
        assert live.texts("p") == [f"part {n}" for n in range(6)]


def test_a_screenshot_is_a_png(book):
    assert book.screenshot().startswith(b"\x89PNG")


def test_cookies_are_those_of_the_page(chrome, site):
    with chrome.session(Profile("tests")) as browser:
        page = Page(site.url("/login"))
        live = browser.live(page, browser.request(page))
        assert {cookie["name"]: cookie["value"] for cookie in live.cookies} == {
            "session": "abc",
            "seen": "1",
        }
