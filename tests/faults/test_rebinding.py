"""A name server answers with a public address when a crawl is created, and with loopback later:
real processes, real Chrome, and a site on loopback that must not hear of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from tests.support.ground import Ground, python
from tests.support.loopback import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = Path(__file__).parents[1] / "support" / "names"
PUBLIC, LOOPBACK = "93.184.216.34", "127.0.0.1"

#: Starts a crawl of the entries in its arguments, in a process of its own.
START = """
import sys, crawler
from crawler.client.client import shared
crawl = crawler.Crawl(name=sys.argv[1], url=sys.argv[2:], sitemaps=["auto"], breaker_failures=0,
                      backoff=0.05, attempts=2)
shared().start(crawl)
"""
#: Orders a job at the URL in its argument, or of the crawl of that name.
ORDER = """
import sys
from crawler.api.job import Order
from crawler.api.jobs import Jobs
from crawler.client.client import shared
job, _ = Jobs(shared()).create(Order(**{sys.argv[1]: sys.argv[2]}), "one")
print(job.id)
"""


class Site(ThreadingHTTPServer):
    """The site on loopback; it keeps the paths that it was asked for."""

    asked: list[str]
    daemon_threads = True


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.server.asked.append(self.path)
        body = b"<h1>inside</h1><a href='/next'>next</a>" if self.path == "/" else b"<h1>x</h1>"
        self.send_response(404 if self.path.endswith((".txt", ".xml")) else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site((LOOPBACK, 0), Answer)) as server:
        server.asked = []
        yield server


class Server:
    """The name server of every process that the test starts."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        monkeypatch.setenv("TEST_NAMES", str(file))
        monkeypatch.setenv("PYTHONPATH", str(NAMES))

    def answer(self, **names: str) -> None:
        """Answer so from now on."""
        lines = [f"{name}.test {addresses}\n" for name, addresses in names.items()]
        self.file.write_text("".join(lines))


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(tmp_path / "names", monkeypatch)


def in_a_process(ground: Ground, monkeypatch: pytest.MonkeyPatch, code: str, *words: str) -> None:
    """Run ``code`` in a process with the settings of ``ground``, to its end."""
    monkeypatch.setenv("CRAWLER_REDIS_URL", ground.redis.url)
    monkeypatch.setenv("CRAWLER_BROKER_URL", ground.redis.broker_url)
    process = python(code, *words)
    process.communicate()
    assert process.returncode == 0


def reasons(frontier: Frontier) -> dict[str, str]:
    return {page.page.url: page.reason for page in Listing(frontier).failed(0, 1_000)}


def test_what_began_private_is_decided_once_for_all_processes(ground, site, names, monkeypatch):
    # Given a crawl that is created while its names have public addresses, or both kinds
    names.answer(shop=PUBLIC, both=f"{PUBLIC} {LOOPBACK}", corp=LOOPBACK)
    entries = [f"http://{name}.test:{site.server_port}/" for name in ("shop", "both")]
    in_a_process(ground, monkeypatch, START.replace('["auto"]', "[]"), "shop", *entries)
    # And another one whose entry is on loopback, which its author may know
    intranet = f"http://corp.test:{site.server_port}/"
    in_a_process(ground, monkeypatch, START, "corp", intranet)
    assert site.asked == ["/robots.txt"]
    # When they lead to loopback later, for workers that are started only then
    names.answer(shop=LOOPBACK, both=LOOPBACK, corp=LOOPBACK)
    workers = [ground.worker(chrome_url=None, page_load_timeout=20.0) for _ in range(2)]
    shop, corp = Frontier(ground.client, "shop"), Frontier(ground.client, "corp")
    assert ground.until_end(corp).done == 2
    ground.until_end(shop)
    # Then each process keeps to what was decided
    assert reasons(shop) == dict.fromkeys(entries, "private_address")
    asked = len(site.asked)
    # Also a new worker, for pages and sitemaps that are added later
    for worker in workers:
        worker.kill()
    ground.worker(chrome_url=None, page_load_timeout=20.0)
    later = f"{entries[0]}later"
    add = f"""
from crawler.client.client import shared
from crawler.client.seed_sources import urls_of_sitemaps
client = shared()
crawl, private = client.crawl("shop"), client.frontier("shop").private_entries()
assert not list(urls_of_sitemaps(crawl, ["auto"], private))
client.enqueue("shop", [{later!r}], reopen=True)
"""
    in_a_process(ground, monkeypatch, add)
    ground.until_end(shop)
    assert reasons(shop) == dict.fromkeys([*entries, later], "private_address")
    assert len(site.asked) == asked


def test_a_job_never_takes_a_name_for_private(ground, site, names, monkeypatch, tmp_path):
    # Given a crawl whose entry is a name on loopback, and jobs of its name and by that URL
    entry = f"http://shop.test:{site.server_port}/"
    (tmp_path / "shop.toml").write_text(f'name = "shop"\nurl = "{entry}"\n')
    monkeypatch.setenv("CRAWLER_CRAWLS", str(tmp_path / "shop.toml"))
    names.answer(shop=LOOPBACK)
    in_a_process(ground, monkeypatch, ORDER, "crawl", "shop")
    names.answer(shop=PUBLIC)
    in_a_process(ground, monkeypatch, ORDER.replace('"one"', '"two"'), "url", entry)
    # When workers find the name on loopback
    names.answer(shop=LOOPBACK)
    ground.worker(2, chrome_url=None, page_load_timeout=20.0, crawls=(str(tmp_path / "shop.toml"),))
    # Then none of them goes there
    for job in ("one", "two"):
        frontier = Frontier(ground.client, f"job-{job}")
        ground.until_end(frontier)
        assert reasons(frontier) == {entry: "private_address"}
    assert site.asked == []
