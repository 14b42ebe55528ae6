"""How often a host is asked, as the host itself sees it: four workers with a Chrome each, one
crawl.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from crawler import Crawl
from crawler.client.client import Client
from crawler.client.crawl_handle import CrawlHandle
from crawler.config.settings import load
from crawler.local.embedded import PrivateRedis, PrivateWorkers
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.browser

LINKS = 12
HOSTS = 50


class Hosts(ThreadingHTTPServer):
    """Every loopback address is a host of its own: each page links to the others of its host, and
    127.0.0.1/ to every host.
    """

    request_queue_size = 64
    daemon_threads = True
    robots = ""
    retry_after = ""

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 0), Page)
        self.lock = threading.Lock()
        self.asked: list[tuple[float, str, str]] = []
        self.refused: set[str] = set()
        self.heads: list[tuple[float, str]] = []

    def pages(self) -> list[tuple[float, str, str]]:
        """When which host was asked for which page, in order."""
        return [one for one in self.asked if one[2] not in ("/robots.txt", "/favicon.ico")]


class Page(BaseHTTPRequestHandler):
    server: Hosts

    def do_GET(self) -> None:
        host = str(self.connection.getsockname()[0])
        with self.server.lock:
            self.server.asked.append((time.monotonic(), host, self.path))
        if self.path == "/robots.txt":
            return self.answer(self.server.robots, "text/plain")
        if self.server.retry_after and self.path == "/5" and self.path not in self.server.refused:
            self.server.refused.add(self.path)
            if self.server.retry_after == "date":
                self.server.retry_after = formatdate(time.time() + 4, usegmt=True)
            return self.answer("wait", status=429)
        port = self.server.server_port
        links = [f"/{n}" for n in range(LINKS)]
        if self.path == "/" and host == "127.0.0.1":
            links += [f"http://127.0.0.{n}:{port}/" for n in range(2, HOSTS + 1)]
        return self.answer("".join(f'<a href="{link}">{link}</a>' for link in links))

    def do_HEAD(self) -> None:
        with self.server.lock:
            self.server.heads.append((time.monotonic(), self.path))
        self.answer("", status=429 if self.path in self.server.refused else 200)

    def answer(self, text: str, kind: str = "text/html", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        if status == 429:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of four worker processes, of which each has a Chrome."""
    folder = tmp_path_factory.mktemp("polite")
    with PrivateRedis(folder / "redis") as redis:
        settings = load(
            redis_url=redis.url,
            broker_url=redis.broker_url,
            state_dir=folder / "state",
            tick_interval=1.0,
        )
        workers = PrivateWorkers(settings, 4, log=folder / "worker.log")
        workers.start()
        yield Client(settings)
        workers.kill()


def crawl(client: Client, hosts: Hosts, **fields: Any) -> CrawlHandle:
    """Crawl 127.0.0.1 with four browsers, and expect the end."""
    one = Crawl(name="polite", url=f"http://127.0.0.1:{hosts.server_port}/", **fields)
    handle = client.start(one, if_exists="reset").handle
    seen = handle.wait(PATIENCE)
    assert (seen.status, seen.failed) == ("FINISHED", 0), seen
    return handle


def gaps(hosts: Hosts) -> dict[str, list[float]]:
    """Seconds between two requests, by host."""
    when = defaultdict(list)
    for at, host, _ in hosts.pages():
        when[host].append(at)
    return {
        host: [after - before for before, after in pairwise(times)] for host, times in when.items()
    }


def test_four_workers_never_ask_a_host_faster_than_the_delay(client, hosts):
    crawl(client, hosts, delay=0.4, concurrency_limit=4)
    assert len(hosts.pages()) == LINKS + 1
    assert min(gaps(hosts)["127.0.0.1"]) >= 0.4


def test_a_crawl_delay_is_kept_and_robots_txt_is_fetched_once(client, hosts):
    hosts.robots = "User-agent: *\nCrawl-delay: 0.4\nDisallow: /3\n"
    crawl(client, hosts, concurrency_limit=4)
    paths = [path for _, _, path in hosts.pages()]
    assert len(paths) == LINKS
    assert "/3" not in paths
    assert min(gaps(hosts)["127.0.0.1"]) >= 0.4
    assert [path for _, _, path in hosts.asked].count("/robots.txt") == 1


def test_while_one_host_rests_the_workers_serve_the_others(client, hosts):
    names = [f"127.0.0.{n}" for n in range(2, HOSTS + 1)]
    crawl(
        client,
        hosts,
        delay=1.5,
        concurrency_limit=4,
        depth_limit=1,
        allow=names,
        private_hosts=names,
    )
    pages = [host for _, host, path in hosts.pages() if path == "/"]
    assert sorted(set(pages)) == sorted(["127.0.0.1", *names])
    # The entry's own host has twelve pages more, one and a half seconds apart: the forty-nine
    # others did not wait for them.
    order = [host for _, host, _ in hosts.pages()]
    own = [place for place, host in enumerate(order) if host == "127.0.0.1"]
    assert own[-3] > len(names)
    assert min(gaps(hosts)["127.0.0.1"]) >= 1.5


@pytest.mark.parametrize("form", [pytest.param("2", marks=pytest.mark.soak), "date"])
def test_a_host_that_asks_for_patience_gets_it(client, hosts, form):
    hosts.retry_after = form
    done = crawl(client, hosts, concurrency_limit=2)
    asked = [at for at, _, path in hosts.pages() if path == "/5"]
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 2
    assert len(list(done.results())) == LINKS + 1


def test_the_question_for_a_retry_after_keeps_the_delay(client, hosts):
    hosts.retry_after = "1"
    crawl(client, hosts, delay=0.4, concurrency_limit=4)
    ((_, path),) = hosts.heads
    assert path == "/5"
    times = sorted([at for at, _, _ in hosts.pages()] + [at for at, _ in hosts.heads])
    assert min(after - before for before, after in pairwise(times)) >= 0.4
