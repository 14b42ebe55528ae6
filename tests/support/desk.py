"""An operator's desk: the command line at a shared Redis, and a worker's part played by hand."""

from __future__ import annotations

import json

import redis as redis_py

from crawler import Crawl
from crawler.client.client import Client
from crawler.client.crawl_handle import CrawlHandle
from crawler.config import settings as configuration
from crawler.errors import FrontierRefused
from crawler.frontier.frontier import Frontier
from crawler.local.embedded import PrivateRedis
from crawler.model import Claim, FailureClass

SITE = "https://shop.example"


class Desk:
    """An operator's shell at a shared Redis, and what stands behind it."""

    def __init__(self, folder, server: PrivateRedis, redis: redis_py.Redis) -> None:
        self.folder, self.redis = folder, redis
        folder.environ |= {"CRAWLER_REDIS_URL": server.url, "CRAWLER_BROKER_URL": server.broker_url}
        self.sent: list[str] = []
        settings = configuration.load(redis_url=server.url, broker_url=server.broker_url)
        self.client = Client(
            settings, send=lambda _name, ticket, _delay=0.0: self.sent.append(ticket)
        )
        self.broker = redis_py.Redis(unix_socket_path=str(server.socket), db=1)

    def begin(self, *urls: str, **fields) -> CrawlHandle:
        """The crawl "shop", its workers never woken, with further pages in its queue."""
        crawl = Crawl(**{"name": "shop", "url": f"{SITE}/", "breaker_failures": 0, **fields})
        handle = self.client.start(crawl).handle
        handle.enqueue([SITE + url for url in urls])
        handle.frontier.recover()  # forgets the wake-ups, which nobody will answer
        return handle

    def run(self, *words: str, status: int = 0, stdin: str | None = None) -> str:
        """Return the output of a command in this process, which must end with ``status``."""
        end = self.folder.here(*words, stdin=stdin)
        assert end.exit_code == status, end.output
        return end.stdout if status == 0 else end.stdout + end.stderr

    def wake_ups(self) -> int:
        """How many messages wait for workers."""
        return self.broker.llen("crawler")


def take(frontier: Frontier) -> Claim:
    turn = frontier.claim("w1")
    assert turn.claim is not None, turn
    return turn.claim


def fail_all(frontier: Frontier, *reasons: str) -> None:
    """Fail one page for each reason."""
    for reason in reasons:
        frontier.fail(
            take(frontier),
            FailureClass.TERMINAL,
            reason,
            status=404 if reason == "http_404" else None,
        )


def queued(frontier: Frontier) -> int:
    """Return how many pages wait: none while no crawl has this name, as in the midst of a reset."""
    try:
        return frontier.snapshot().queued
    except FrontierRefused:
        return 0


def finish(frontier: Frontier, data: object = None) -> None:
    claim = take(frontier)
    record = {
        "url": claim.page.url,
        "final_url": claim.page.url,
        "status": 200,
        "depth": 0,
        "data": data,
        "links": 2,
        "ms": 30,
    }
    frontier.finish(claim, claim.page.url, result=json.dumps(record))
