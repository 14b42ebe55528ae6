"""Where the pages are that users fed to a crawl, as its frontier tells: read by one greenlet for
all users of a process.

The frontier keeps no times of a page that waits: ten million would cost memory. What it keeps is
enough: when a page in flight was claimed, when a result was stored, and how long its run took, all
by Redis's clock or the worker's own steady one. Nothing is written for this, and other crawls pay
nothing.
"""

from __future__ import annotations

from locust.env import Environment  # noqa: F401, first: it makes the standard library cooperate

# isort: split
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event

from ...client.client import Client
from ...definition.bounds import scope_of
from ...errors import CrawlerError
from ...frontier.entries import claimed_at, decode_letter, is_claim
from ...frontier.frontier import PRODUCER_LIFE
from ...observe.logs import logger
from ...storage.errors import redis_errors
from ...storage.server import server_time

log = logger(__name__)

#: Seconds between two looks at the frontier: a page that is in flight for less is timed by the
#: account of its run.
LOOK_INTERVAL = 0.1
#: Results that are read at once.
BATCH = 200


@dataclass(slots=True)
class Feed:
    """A page that was fed to a crawl. Times are epoch seconds by Redis's clock; None: not yet, or
    not known.
    """

    url: str
    queued: float
    started: float | None = None
    ended: float | None = None
    #: Why it failed; None: it has not.
    reason: str | None = None
    arrival: Event = field(default_factory=Event)


class CrawlWatch:
    """Feeds the crawl ``name``, and follows what was fed. While it is open the crawl does not end,
    even if all its pages are done; one that has ended goes on.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name
        self.frontier = client.frontier(name)
        self.scope = scope_of(client.crawl(name))
        self.feeds: dict[str, Feed] = {}
        self.producer = f"locust-{secrets.token_hex(4)}"
        redis: Any = client.redis
        self.redis = redis
        with redis_errors():
            last = redis.xrevrange(self.frontier.key("results"), count=1)
            self.failed = int(redis.llen(self.frontier.key("failed")))
        self.place = last[0][0].decode() if last else "0"
        self.frontier.open_producer(self.producer)
        if self.frontier.snapshot().status.ended:
            self.frontier.resume(reopen=True)
        self.greenlets = [gevent.spawn(self._run), gevent.spawn(self._stay_open)]

    def feed(self, url: str) -> tuple[Feed | None, dict[str, int]]:
        """Queue ``url``; return what is followed, None if it is no new page of the crawl, and then
        why.
        """
        page = self.scope.entry(url)
        feed = self.feeds[page.id] = Feed(url, server_time(self.redis))
        try:
            report = self.client.enqueue(self.name, [url])
        except BaseException:
            self.feeds.pop(page.id, None)
            raise
        if report.new:
            return feed, {}
        self.feeds.pop(page.id, None)
        return None, {"known": report.known, **report.refused}

    def drop(self, feed: Feed) -> None:
        """Follow ``feed`` no longer."""
        self.feeds = {id_: one for id_, one in self.feeds.items() if one is not feed}

    def close(self) -> None:
        """Let the crawl end when its pages are done. If Redis is away, it may a minute later."""
        gevent.killall(self.greenlets, block=False)
        with suppress(CrawlerError):
            self.frontier.close_producer(self.producer)

    def _stay_open(self) -> None:
        while True:
            gevent.sleep(PRODUCER_LIFE / 3)
            try:
                self.frontier.open_producer(self.producer)
            except CrawlerError as error:
                log.warning("%s may end before the test: %s", self.name, error)

    def _run(self) -> None:
        fault = ""
        while True:
            gevent.sleep(LOOK_INTERVAL)
            try:
                with redis_errors():
                    self._look()
                fault = ""
            except CrawlerError as error:  # Redis is away: it goes on when it is back
                if fault != (fault := str(error)):
                    log.warning("%s: %s", self.name, error)

    def _look(self) -> None:
        key = self.frontier.key
        if ids := [id_ for id_, one in self.feeds.items() if one.started is None]:
            claims = self.redis.hmget(key("inflight"), ids)
            for id_, value in zip(ids, claims, strict=True):
                if value is not None and is_claim(value) and id_ in self.feeds:
                    self.feeds[id_].started = claimed_at(value) / 1_000
        while results := self.redis.xrange(key("results"), f"({self.place}", "+", BATCH):
            for place, fields in results:
                self.place = place.decode()
                if feed := self.feeds.pop(fields[b"id"].decode(), None):
                    ended = int(self.place.partition("-")[0]) / 1_000
                    took = float(json.loads(fields[b"json"]).get("ms", 0)) / 1_000
                    self._end(feed, ended, started=ended - took)
        self.failed = min(self.failed, int(self.redis.llen(key("failed"))))  # some were retried
        while letters := self.redis.lrange(key("failed"), self.failed, self.failed + BATCH - 1):
            for raw in letters:
                self.failed += 1
                letter = decode_letter(raw)
                if feed := self.feeds.pop(letter.page.id, None):
                    feed.reason = letter.reason
                    self._end(feed, letter.at, started=None)

    def _end(self, feed: Feed, ended: float, started: float | None) -> None:
        feed.ended, feed.started = ended, feed.started or started
        feed.arrival.set()
