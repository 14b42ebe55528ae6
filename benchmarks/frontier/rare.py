"""Rare and large operations: the dearest script call of each."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path

import redis

from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.model import Claim, FailureClass, Page, Plan

from .measure import policy
from .pages import fill, pages
from .server import Gauge, running


class Rare:
    """The cases, in an order in which each finds what it needs. ``size`` 1 is the full size, 0.1 a
    tenth of it.
    """

    def __init__(self, url: str, client: redis.Redis, size: float) -> None:
        self.url, self.client, self.size = url, client, size
        self.results: dict[str, dict[str, float]] = {}
        self.gauge = self.begin("one-lane")

    def begin(self, name: str, **limits: object) -> Gauge:
        """A new crawl."""
        frontier = Frontier(self.client, name)
        frontier.create(Plan(name, policy(concurrency_limit=5_000, **limits), "", before_all=False))
        return Gauge(self.client, frontier)

    def number(self, number: int) -> int:
        return round(number * self.size)

    def case(self, name: str, gauge: Gauge, *steps: Callable[[], object]) -> None:
        """Do ``steps``, and note their dearest calls."""
        with gauge.longest() as longest:
            for step in steps:
                step()
        self.results[name] = longest

    def links(self) -> None:
        frontier, many = self.gauge.frontier, self.number(100_000)
        self.case(
            f"{many:,} links on one page", self.gauge, lambda: frontier.enqueue(pages(0, many))
        )
        letters = string.ascii_lowercase + string.digits
        queries = ("".join(random.choices(letters, k=16_000)) for _ in range(200))  # noqa: S311
        long = [Page(f"https://a.example/?{query}") for query in queries]
        self.case("200 links of 16,000 characters", self.gauge, lambda: frontier.enqueue(long))

    def flight(self) -> None:
        frontier, many = self.gauge.frontier, self.number(1_000)
        claims: list[Claim | None] = []
        take = lambda: claims.append(frontier.claim(f"worker-{len(claims) % 2}").claim)  # noqa: E731
        self.case(f"claim, until {many:,} are in flight", self.gauge, *[take] * many)
        last = [claim for claim in claims[-many // 10 :] if claim]
        self.case(
            "finish the last ones of them",
            self.gauge,
            *[lambda: frontier.finish(last.pop(), "-")] * len(last),
        )
        self.case(
            "give back what one of two workers holds",
            self.gauge,
            lambda: frontier.release("worker-0"),
        )
        self.case("give back all", self.gauge, frontier.recover)
        ids = [
            claim.page.id
            for claim in (frontier.claim("worker-1").claim for _ in range(many))
            if claim
        ]
        lapsed = {id_: place for place, id_ in enumerate(random.sample(ids, len(ids)))}
        self.client.zadd(frontier.key("leases"), lapsed)  # in no order: the worst case
        self.case(f"a tick, when {many:,} leases have run out", self.gauge, frontier.tick)

    def letters(self) -> None:
        gauge, many = self.begin("letters", attempts=1), self.number(50_000)
        frontier = gauge.frontier
        frontier.enqueue(pages(0, many))
        while claim := frontier.claim("worker-1").claim:
            frontier.fail(claim, FailureClass.TERMINAL, "http_404", status=404)
        last = [letter.page.id for letter in Listing(frontier).failed(many - 200, 200)]
        self.case(
            f"retry the last 200 of {many:,} dead letters",
            gauge,
            lambda: frontier.retry_failed(last),
        )
        self.case("retry all of them", gauge, frontier.retry_failed)

    def lanes(self) -> None:
        gauge, many = self.begin("lanes", host_concurrency=1), self.number(200_000)
        frontier = gauge.frontier
        fill(self.url, "lanes", 0, many, per_host=1)
        self.case(
            "links to 200 new hosts", gauge, lambda: frontier.enqueue(pages(many, many + 200, 1))
        )
        self.case(f"audit, {many:,} lanes", gauge, lambda: audit_keys(frontier))
        self.client.delete(frontier.key("ready"))
        self.case(f"repair, {many:,} lanes in no place", gauge, lambda: repair_keys(frontier))
        assert audit_keys(frontier) == []


def rare(folder: Path, size: float = 1.0) -> dict[str, dict[str, float]]:
    """By case and script, the dearest call in milliseconds of processor time."""
    with running(folder) as server:
        cases = Rare(server.url, redis.Redis.from_url(server.url), size)
        for step in (cases.links, cases.flight, cases.letters, cases.lanes):
            step()
    return cases.results
