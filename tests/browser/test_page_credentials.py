"""Headers, cookies and passwords that the hook ``before`` gives the browser for its page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from crawler import Crawl, PageError
from crawler.browser.browser import Browser
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.net.permits import Permits
from crawler.profile import Profile
from crawler.run.dry_run import dry_run
from crawler.run.looks import Looks
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

#: Looks at no page a second time, which takes seconds.
no_looks = partial(Looks, spent=float("inf"))
Before = Callable[[Browser], Any]
Ask = Callable[..., str]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=5)) as chrome:
        yield chrome


@pytest.fixture
def ask(chrome: Chrome, site: Server) -> Iterator[Ask]:
    """Return the text of a page, after ``before`` gave the browser something for it."""
    sessions: list[str] = []

    def ask(path: str, before: Before | None = None, step: str = "before") -> str:
        crawl = Crawl(name="tests", url=site.url(path), robots=False, headers={"X-Shop": "always"})
        if before:
            getattr(crawl, step)(
                lambda browser: (sessions.append(browser.session_id), before(browser))
            )
        crawl.extract(lambda page: page.evaluate("document.body.innerText.trim()"))
        permits = Permits(guard_of(crawl), obey=False)
        return str(dry_run(crawl, chrome, permits, looks=no_looks()).result.data)

    yield ask
    assert len(set(sessions)) == 1  # it is no new session that has forgotten it


def test_headers_are_those_of_one_page_unless_they_are_kept(ask: Ask):
    def sent(before: Before | None = None) -> list[str | None]:
        headers = json.loads(ask("/echo", before))
        return [headers.get(name) for name in ("x-shop", "x-page", "x-kept")]

    assert sent(lambda browser: browser.headers({"X-Page": "one", "x-shop": "mine"})) == [
        "mine",
        "one",
        None,
    ]
    assert sent() == ["always", None, None]
    assert sent(lambda browser: browser.headers({"X-Kept": "on"}, keep=True))[2] == "on"
    assert sent(lambda browser: browser.headers({"X-Page": "two"})) == ["always", "two", "on"]
    assert sent() == ["always", None, "on"]


def test_cookies_are_those_of_one_page_unless_they_are_kept(ask: Ask, site: Server):
    def given(*args: Any, **options: Any) -> Before:
        return lambda browser: browser.cookie(*args, **options)

    assert ask("/me", given("pass", "page-1")).startswith("pass=page-1")
    assert ask("/me").startswith("nobody")
    assert ask("/me", given("pass", "kept-1", keep=True)).startswith("pass=kept-1")
    # one of a page takes its place, and goes again
    assert ask("/me", given("pass", "page-2", httpOnly=True)).startswith("pass=page-2")
    assert ask("/me").startswith("pass=kept-1")
    # one for another page is not sent to this one
    other = given("more", "x", site.url("/other/"), path="/other")
    assert ask("/me", other).startswith("pass=kept-1\n")
    # one of before_all belongs to the log-in
    assert ask("/me", given("in", "yes", site.url("/me")), "before_all").startswith("in=yes")
    assert ask("/me").startswith("in=yes")


def test_a_password_for_one_page_ends_with_its_session(chrome: Chrome, site: Server):
    def visit(before: Before | None = None) -> str:
        crawl = Crawl(name="auth", url=site.url("/private/a"), robots=False)
        crawl.before(lambda browser: before and before(browser))
        crawl.extract(lambda page: page.text("h1"))
        return str(
            dry_run(
                crawl, chrome, Permits(guard_of(crawl), obey=False), looks=no_looks()
            ).result.data
        )

    assert visit(lambda browser: browser.basic_auth("me", "s3c:ret")) == "In"
    with pytest.raises(PageError, match="auth_required"):
        visit()
    assert visit(lambda browser: browser.basic_auth("me", "s3c:ret", keep=True)) == "In"
    assert visit() == "In"
    with pytest.raises(ValueError, match="has another user or password"):
        visit(lambda browser: browser.basic_auth("you", "other"))


def test_what_cannot_be_sent_says_so(chrome: Chrome, site: Server):
    wrong: dict[str, Before] = {
        "browser.cookie": lambda browser: browser.headers({"Cookie": "a=b"}),
        "Chrome's own": lambda browser: browser.headers({"Host": "x"}),
        "no name of a header": lambda browser: browser.headers({"a b": "x"}),
        "no line of printable": lambda browser: browser.headers({"X-A": "a\r\nb: c"}),
        "no URL of a page": lambda browser: browser.cookie("a", "b", "about:blank"),
        "takes no cookie": lambda browser: browser.cookie("__Host-a", "b", site.url("/me")),
    }
    with chrome.session(Profile("tests")) as browser:
        for words, give in wrong.items():
            with pytest.raises(ValueError, match=words):
                give(browser)
        assert browser.health.good
