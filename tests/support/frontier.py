"""A crawl named "shop" on a frontier, and a clock that a test moves."""

from __future__ import annotations

from crawler.frontier.frontier import Frontier
from crawler.model import Claim, Plan, Policy

A, B, C, D = (f"https://shop.example/{name}" for name in "abcd")


def plan(before_all: bool = False, digest: str = "d1", **policy) -> Plan:
    return Plan("shop", Policy(**{"jitter": False, **policy}), digest, None, before_all)


class Clock:
    """Stands in for Redis's clock: the scripts read the field ``clock`` where a test has written
    it.
    """

    def __init__(self, frontier: Frontier) -> None:
        self.frontier, self.now = frontier, 1_000_000_000_000

    def start(self) -> None:
        self.frontier.redis.hset(self.frontier.key("meta"), "clock", self.now)

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1_000)
        self.start()


def take(frontier: Frontier, worker: str = "w1", **options) -> Claim:
    turn = frontier.claim(worker, **options)
    assert turn.claim is not None, turn
    return turn.claim


def urls(pages) -> list[str]:
    return [page.url for page in pages]


def logged_in(frontier: Frontier, worker: str = "w1") -> tuple[Claim, int]:
    """A claim of a run that has just done ``before_all``, and the version of its log-in."""
    turn = frontier.claim(worker)
    assert turn.first
    return turn.claim, frontier.before_all_done(turn.claim, {"cookies": []})[1]
