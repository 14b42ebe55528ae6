"""One row of the table: a frontier that knows so many URLs, its operations and its memory."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from crawler.frontier.frontier import Frontier
from crawler.model import Claim, Page, Plan, Policy

from .pages import fill, page
from .server import Cost, Gauge, Operations, running

#: Pages in flight while operations are measured.
IN_FLIGHT = 50
#: Pages above this number are new ones.
NEW = 100_000_000
SETS = "for i = 1, 200 do redis.call('SET', KEYS[1], i) end"


@dataclass
class Row:
    """The measurements of a frontier of one size; bytes are per URL.

    ``longest_ms`` is processor time of the dearest call of each script; ``slow_ms`` are the longest
    ones by the clock, also while the frontier was filled.
    """

    urls: int
    per_host: int | None
    filled_per_second: int = 0
    costs: dict[str, Cost] = field(default_factory=dict)
    known_url: float = 0.0
    known_url_by_growth: float = 0.0
    queued_url: float = 0.0
    queued_url_by_growth: float = 0.0
    encodings: dict[str, int] = field(default_factory=dict)
    longest_ms: dict[str, float] = field(default_factory=dict)
    slow_ms: dict[str, list[float]] = field(default_factory=dict)
    fork_ms: float = 0.0


class Steps:
    """The operations, each on a frontier in its usual state: with pages queued and IN_FLIGHT of
    them in processing.
    """

    def __init__(self, frontier: Frontier, urls: int, per_host: int | None) -> None:
        self.frontier, self.urls, self.per_host = frontier, urls, per_host
        self.held: deque[Claim] = deque()
        self.next = NEW
        self.old = 0
        for _ in range(IN_FLIGHT):
            self.claim()
        while frontier.wake().tickets:  # as in a crawl that has been going on
            pass

    def claim(self) -> None:
        claim = self.frontier.claim("worker-1").claim
        assert claim is not None
        self.held.append(claim)

    def new(self, count: int) -> list[Page]:
        self.next += count
        return [page(number, self.per_host) for number in range(self.next - count, self.next)]

    def known(self, count: int) -> list[Page]:
        self.old = (self.old + 7_919 * count) % max(1, self.urls - count)
        return [page(number, self.per_host) for number in range(self.old, self.old + count)]

    def run(self, links: list[Page]) -> None:
        """Do as a run does: take a page, add its links, and finish it."""
        self.claim()
        claim = self.held.popleft()
        if links:
            self.frontier.enqueue(links, parent=claim)
        self.frontier.finish(claim, claim.page.url)

    def run_and_grant(self, links: list[Page]) -> None:
        self.run(links)
        self.frontier.wake()

    def all(self) -> Operations:
        """Return every operation, and one that has nothing to do with the frontier: it shows how
        disturbed the machine was.
        """
        frontier = self.frontier
        return {
            "claim, finish": (self.run, list),
            "claim, 50 known links, finish": (self.run, lambda: self.known(50)),
            "claim, 50 new links, finish": (self.run, lambda: self.new(50)),
            "claim, finish, grant": (self.run_and_grant, list),
            "enqueue 200 known": (frontier.enqueue, lambda: self.known(200)),
            "enqueue 200 new": (frontier.enqueue, lambda: self.new(200)),
            "renew": (lambda _: frontier.renew(self.held[0]), list),
            "snapshot": (lambda _: frontier.snapshot(), list),
            "tick": (lambda _: frontier.tick(), list),
            "for comparison: 200 SETs in a script": (
                lambda _: frontier.redis.eval(SETS, 1, frontier.key("comparison")),
                list,
            ),
        }


def measure(folder: Path, urls: int, *, per_host: int | None = None, times: int = 50) -> Row:
    """Fill a new frontier with ``urls`` known ones, and measure it."""
    row = Row(urls, per_host)
    with running(folder) as server:
        client = redis.Redis.from_url(server.url, socket_timeout=None)  # to copy a list takes long
        frontier = Frontier(client, "crawl")
        frontier.create(
            Plan("crawl", policy(host_concurrency=1 if per_host else None), "", before_all=False)
        )
        gauge = Gauge(client, frontier)
        gauge.watch()
        began = time.monotonic()
        fill(server.url, "crawl", 0, urls, per_host=per_host)
        row.filled_per_second = round(urls / (time.monotonic() - began))
        row.fork_ms = client.info("stats")["latest_fork_usec"] / 1_000
        weigh(gauge, row)
        steps = Steps(frontier, urls, per_host).all()
        row.costs = gauge.costs(steps, times)
        with gauge.longest() as row.longest_ms:
            for operation, prepare in steps.values():
                for _ in range(4 * times):
                    operation(prepare())
        row.slow_ms = {name: slow[:20] for name, slow in gauge.slow().items()}
    return row


def policy(**limits: Any) -> Policy:
    """Return a policy whose limits are never reached."""
    return Policy(
        **{
            "concurrency_limit": 1_000,
            "breaker_failures": 0,
            "lease": 3_600,
            "page_deadline": 7_200,
            **limits,
        }
    )


def weigh(gauge: Gauge, row: Row) -> None:
    """Measure bytes per URL: by the server's account of each key, and by its growth when they are
    copied.
    """
    counts = gauge.frontier.snapshot()
    assert counts.counts["seen"] == counts.queued == row.urls
    buckets, queues = gauge.keys("seen:"), gauge.keys("queued")
    if row.per_host:
        # each lane's hash, their index, and the line they stand in
        queues += gauge.keys("lane") + gauge.keys("ready")
    row.encodings = gauge.encodings(buckets)
    row.known_url = round(gauge.size(buckets) / row.urls, 2)
    row.known_url_by_growth = round(gauge.growth(buckets) / row.urls, 2)
    row.queued_url = round(gauge.size(queues) / row.urls, 2)
    row.queued_url_by_growth = round(gauge.growth(queues) / row.urls, 2)
