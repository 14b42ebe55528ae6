"""A robots.txt that a plain request cannot have, and a browser can: real Chrome, real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of, plain_headers
from crawler.errors import PageError
from crawler.net.permits import Permits
from crawler.run.dry_run import DryRun, dry_run

pytestmark = pytest.mark.browser


class Shop(ThreadingHTTPServer):
    """A site whose robots.txt forbids /private. ``picky`` is why it gives the file to a browser
    only.
    """

    daemon_threads = True
    picky = ""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}{path}"


class Answer(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        robots, picky = self.path == "/robots.txt", self.server.picky
        is_chrome = "Chrome" in self.headers["User-Agent"]
        status = int(picky) if robots and picky.isdigit() and not is_chrome else 200
        target = {"/moved": "/private/a", "/to": "/there"}.get(self.path)
        self.send_response(302 if target else status)
        if target:
            self.send_header("Location", self.server.url(target, host="127.0.0.2"))
        for number in range(150 if picky == "headers" else 0):
            self.send_header(f"X-Header-{number}", "1")
        rules = b"User-agent: *\nDisallow: /private/\n"
        body = (rules if status == 200 else b"no") if robots else b"<title>Here</title><p>Text"
        self.send_header("Content-Type", "text/plain" if robots else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with Chrome(Endpoint(state=tmp_path_factory.mktemp("state"))) as chrome:
        yield chrome


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop(("0.0.0.0", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def crawl_of(shop: Shop, path: str) -> Crawl:
    hosts = ["127.0.0.1", "127.0.0.2"]
    return Crawl(name="shop", url=shop.url(path), allow=hosts, private_hosts=hosts)


def visit(chrome: Chrome, crawl: Crawl) -> tuple[DryRun, Permits]:
    permits = Permits(guard_of(crawl), headers=plain_headers(crawl))
    return dry_run(crawl, chrome, permits), permits


@pytest.mark.parametrize("picky", ["400", "401", "403", "406", "headers"])
@pytest.mark.parametrize("path", ["/private/a", "/moved"])
def test_the_browser_reads_robots_txt_where_a_client_may_not(chrome, shop, picky, path):
    shop.picky = picky
    # A page that it allows comes, and is itself
    assert visit(chrome, crawl_of(shop, "/a"))[0].result.response.title == "Here"
    # One that it forbids does not, neither at once nor behind a redirect to another host
    with pytest.raises(PageError) as error:
        visit(chrome, crawl_of(shop, path))
    assert error.value.reason == "robots"


def test_a_page_behind_a_redirect_is_shown_again_afterwards(chrome, shop):
    # Given a page that leads to a host whose robots.txt only the browser can read
    shop.picky = "403"
    crawl = crawl_of(shop, "/to")
    crawl.extract(lambda page: page.evaluate("location.pathname"))
    # When it is visited
    outcome, permits = visit(chrome, crawl)
    # Then hooks see the page, not the robots.txt, whose rules are known
    assert outcome.result.data == "/there"
    there = [permits.forbids(shop.url(path, "127.0.0.2")) for path in ("/b", "/private/b")]
    assert there == [False, True]
