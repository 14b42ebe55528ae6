"""A session without a browser, beside Chrome: both tell the same of the same pages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crawler.browser.browser import BrowserOptions
from crawler.browser.http.http_session import HttpSession
from crawler.browser.pool import Chrome
from crawler.errors import BrowserUnavailable, PageError
from crawler.model import Page
from crawler.net.http_client import HttpClient, Way
from crawler.profile import Profile
from tests.site.server import Server
from tests.support.loopback import serving

pytest_plugins = ["tests.site.fixture"]
SERVE = Path(__file__).resolve().parents[3] / "examples" / "demo" / "serve.py"
#: Selectors of elements whose text is compared to the letter, and of those that style sheets lay
#: out: there it is compared without white space.
LETTERS, WORDS = ("h1", "h2", "p", "td", "a", "title", ".price"), ("body", "li", "div", "ul")
#: Pages of the test site whose document comes without its scripts, and some that lead on.
PAGES = (
    *("/ok", "/404", "/base", "/links", "/book", "/form", "/meta", "/hop/3", "/to?url=/b", "/many"),
    *("/eight", "/latin1", "/refresh-of-itself", "/long-way", "/redirect-to-user"),
    *(
        "/404-empty",
        "/500-empty",
        "/204",
        "/download",
        "/pdf",
        "/loop",
        "/too-long-way",
        "/407",
        "/401-digest",
    ),
)


class NoChrome(BrowserUnavailable):
    """A browser was asked for."""


def no_chrome() -> None:
    raise NoChrome("none is needed here")


def http(**profile) -> HttpSession:
    options = BrowserOptions(page_load_timeout=10)
    session = HttpSession(HttpClient(), Profile("tests", **profile), options)
    session.begin(no_chrome, lambda: Way())
    return session


def facts(session, url: str) -> dict[str, object]:
    """All that a run may ask of a page."""
    try:
        response = session.request(Page(url), html=True)
    except PageError as error:
        return {"error": error.reason, "retryable": error.retryable}
    live = session.live(Page(url), response)
    links = [(link.url.replace("name:word@", ""), link.rel, link.text) for link in response.links]
    found: dict[str, object] = {
        "url": response.url.replace("name:word@", ""),
        "status": response.status,
        "kind": response.content_type,
        "title": (response.title, live.title),
        "links": links,
        "href": live.attrs("a", "href"),
        "rows": [(one.attrib, one.text()) for one in live.select_all("a, p, td, h1")],
    }
    found |= {css: live.texts(css) for css in LETTERS}
    return found | {css: ["".join(text.split()) for text in live.texts(css)] for css in WORDS}


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    command = [sys.executable, str(SERVE), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.mark.browser
def test_helpers_tell_the_same_as_of_a_rendered_page(site, shop):
    paths = ["categories/gardens/", "categories/poems/?page=2", "books/commas/", "about/"]
    urls = [site.url(path) for path in PAGES] + [shop + path for path in paths]
    with Chrome() as chrome, chrome.session(Profile("tests")) as browser:
        rendered = {url: facts(browser, url) for url in urls}
    for url in urls:
        assert facts(http(), url) == rendered[url], url


@pytest.mark.browser
def test_what_touches_the_tab_brings_a_browser(site):
    with Chrome() as chrome, chrome.session(Profile("tests")) as browser:
        session = http()
        session.begin(lambda: browser, lambda: Way())
        session.url_ahead = site.url("/me")
        session.headers({"X-Card": "7"}, keep=False)
        session.cookie("user", "eve")
        page = Page(site.url("/me"))
        live = session.live(page, session.request(page))
        assert (live.text("h1"), session.brought) == ("user=eve", "")
        # When a hook asks for what only a tab can do
        assert live.evaluate("document.querySelector('h1').textContent") == "user=eve"
        # Then Chrome shows the page, with what the hook gave, and is asked from then on
        assert (session.brought, live.driver is browser.driver) == ("driver", True)
        assert (live.text("h1"), session.cookies[0]["value"]) == ("user=eve", "eve")
        # And what is no document of text is Chrome's from the start
        session.begin(lambda: browser, lambda: Way())
        assert session.request(Page(site.url("/png"))).content_type == "image/png"
        assert session.brought == "type image/png"


class Digest(BaseHTTPRequestHandler):
    """A page for who answers a question of Digest, of which only a browser makes an answer."""

    def do_GET(self) -> None:
        came = self.headers.get("Authorization", "").startswith('Digest username="eve"')
        body = b"<title>in</title>" if came else b"<title>who?</title>"
        self.send_response(200 if came else 401)
        if not came:
            self.send_header("WWW-Authenticate", 'Digest realm="x", nonce="y", qop="auth"')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.mark.browser
def test_a_password_that_is_asked_for_by_digest_is_given_by_chrome():
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Digest)) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        known = {"basic_auth": ((host, "eve:word"),)}
        with Chrome() as chrome, chrome.session(Profile("tests", **known)) as browser:
            session = http(**known)
            session.begin(lambda: browser, lambda: Way())
            response = session.request(Page(f"http://{host}/"))
            assert (response.status, response.title) == (200, "in")
            assert session.brought == "a password other than Basic"
        # Who has none is told so, and needs no browser
        assert http().request(Page(f"http://{host}/")).status == 401


def test_requests_look_as_the_crawl_asks(site):
    session = http(user_agent="Spider/1", language="de-CH,de")
    page = Page(site.url("/agent"))
    live = session.live(page, session.request(page))
    assert (live.text("h1"), live.text("h2")) == ("Spider/1", "de-CH,de;q=0.9")


def test_an_address_that_the_guard_refuses_is_not_connected_to(site):
    """A name that leads elsewhere at each look is connected to where the guard has looked."""
    looked: list[str] = []

    def addresses(host: str) -> tuple[str, ...]:
        looked.append(host)
        return ("127.0.0.1",)

    session = http()
    session.begin(no_chrome, lambda: Way(addresses))
    port = site.server_address[1]
    assert session.request(Page(f"http://rebound.invalid:{port}/ok")).status == 200
    assert looked == ["rebound.invalid"]
    session.request(Page(f"http://rebound.invalid:{port}/a"))
    assert looked == ["rebound.invalid"]  # the connection is kept


def test_a_server_that_drips_is_cut(site: Server):
    session = http()
    session.options = BrowserOptions(page_load_timeout=0.3)
    with pytest.raises(PageError, match="timeout"):
        session.request(Page(site.url("/silence")))
