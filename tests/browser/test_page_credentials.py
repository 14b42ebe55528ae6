"""Headers, cookies and passwords that the hook ``before`` gives the browser for its page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from crawler import Crawl, Page, PageError
from crawler.browser.artifacts.host_headers import Reach
from crawler.browser.browser import Browser
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.shared.seats import close_group, open_group
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.net.permits import Permits
from crawler.profile import Profile
from crawler.run.dry_run import dry_run
from crawler.run.looks import Looks
from tests.site.server import Server
from tests.support.loopback import serving

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

#: Looks at no page a second time, which takes seconds.
no_looks = partial(Looks, spent=float("inf"))
Before = Callable[[Browser], Any]
Ask = Callable[..., str]


@pytest.fixture(scope="module", params=[1, 4], ids=["own", "shared"])
def chrome(request: pytest.FixtureRequest) -> Iterator[Chrome]:
    if request.param > 1:
        open_group()
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=5, shared=request.param)) as chrome:
        yield chrome
    close_group()


@pytest.fixture
def ask(chrome: Chrome, site: Server) -> Iterator[Ask]:
    """Return the text of a page, after ``before`` gave the browser something for it."""
    sessions: list[str] = []

    def ask(path: str, before: Before | None = None, step: str = "before") -> str:
        crawl = Crawl(name="tests", url=site.url(path), robots=False, headers={"X-Shop": "always"})
        if before is None or step != "before":
            crawl.before(lambda browser: sessions.append(browser.session_id))
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


class Hosts(BaseHTTPRequestHandler):
    """A page with pictures of its own host, and of another one; /away leads to that. ``seen`` has
    what each request brought, by host and path.
    """

    seen: dict[str, str]

    def do_GET(self) -> None:
        host, _, port = self.headers["Host"].partition(":")
        self.seen[host + self.path] = self.headers.get("Authorization", "")
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", f"http://localhost:{port}/there")
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        text = f"<p>here<img src=/own.png><img src=http://localhost:{port}/other.png>"
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_headers_go_to_the_host_of_the_page_unless_told_otherwise(chrome: Chrome):
    seen: dict[str, str] = {}
    handler = type("Handler", (Hosts,), {"seen": seen})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:

        def ask(path: str, **options: Any) -> dict[str, str]:
            """Return what requests brought, while the page had a header."""
            url = f"http://127.0.0.1:{server.server_port}{path}"
            crawl = Crawl(
                name="hosts", url=url, robots=False, scope="all", private_hosts="localhost"
            )
            if options:
                crawl.before(lambda browser: browser.headers({"Authorization": "s3c"}, **options))
            crawl.extract(lambda page: page.text("p"))
            permits = Permits(guard_of(crawl), obey=False)
            seen.clear()
            assert dry_run(crawl, chrome, permits, looks=no_looks()).result.data == "here"
            return dict(seen)

        held = ask("/a", to="host")
        assert held == {"127.0.0.1/a": "s3c", "127.0.0.1/own.png": "s3c", "localhost/other.png": ""}
        led = ask("/away", to="site")
        assert (led["127.0.0.1/away"], led["localhost/there"]) == ("s3c", "")
        assert ask("/a", to=["localhost"])["localhost/other.png"] == "s3c"
        assert set(ask("/a", to="all").values()) == {"s3c"}
        assert set(ask("/a").values()) == {""}


def test_credentials_are_refused_where_no_line_holds_them(site: Server):
    with (
        Chrome(Endpoint(page_load_timeout=10, devtools="none")) as chrome,
        chrome.session(Profile("tests")) as browser,
    ):
        browser.url_ahead = site.url("/echo")
        with pytest.raises(ValueError, match="Authorization holds credentials, and this session"):
            browser.headers({"Authorization": "Bearer s3c-of-many"})
        browser.headers({"X-Page": "one"})
        browser.request(Page(site.url("/echo")))
        sent = json.loads(browser.evaluate("document.body.innerText"))
        assert (sent["x-page"], sent.get("authorization")) == ("one", None)


def test_a_header_reaches_what_it_is_for_and_no_further():
    host = Reach("https://shop.example/a")
    assert [host.includes(url) for url in (
        "https://shop.example/b", "https://shop.example:444/", "http://shop.example/",
        "https://api.shop.example/", "https://evil.test/x.shop.example/", "https://[broken",
    )] == [True, False, False, False, False, False]  # fmt: skip
    assert Reach("http://shop.example:80/").includes("https://shop.example/")
    site = Reach("https://www.toscrape.com/", site=True)
    assert site.includes("https://books.toscrape.com/")
    assert not site.includes("https://mytoscrape.com/")
    assert Reach("https://a.example/", others=("b.example",)).includes("https://b.example:8443/")


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
        "browser.cookie": lambda browser: browser.headers({"Cookie": "a=b"}, to="all"),
        "the field referer": lambda browser: browser.headers({"Referer": "x"}, to="all"),
        "a list of hosts, not 'page'": lambda browser: browser.headers({"X-A": "b"}, to="page"),
        "Chrome's own": lambda browser: browser.headers({"Host": "x"}, to="all"),
        "no name of a header": lambda browser: browser.headers({"a b": "x"}, to="all"),
        "no line of printable": lambda browser: browser.headers({"X-A": "a\r\nb: c"}, to="all"),
        "no URL of a page": lambda browser: browser.cookie("a", "b", "about:blank"),
        "takes no cookie": lambda browser: browser.cookie("__Host-a", "b", site.url("/me")),
    }
    with chrome.session(Profile("tests")) as browser:
        for words, give in wrong.items():
            with pytest.raises(ValueError, match=words):
                give(browser)
        assert browser.health.good
