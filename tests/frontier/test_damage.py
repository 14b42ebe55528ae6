"""Whatever state a crawl's keys are in, a cancel and a time limit end it: random damage, undone by
ticks.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from crawler.frontier.answers import Verdict
from crawler.frontier.frontier import Frontier
from crawler.frontier.keys import TYPES
from crawler.frontier.outbox import Delivery, Outbox, UndeliveredLetter
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.model import FailureClass, Page, Plan, Policy, Status
from crawler.run.tick import CrawlTicks
from tests.support.frontier import Clock

#: Ticks, each after some minutes, within which a crawl has to be over.
TICKS = 60
JUNK = (
    b"",
    b"junk",
    b"[2,0,0,1,0]",
    b'[2,1,0,1,0,"","","","x"]',
    b"\xff\n\xff",
    b"a\nb\nc\nd\ne\nf",
)


class Crawl:
    """A crawl with pages in every state, and all that can be broken about it."""

    def __init__(self, redis, seed: int, **policy) -> None:
        self.random = random.Random(seed)
        self.redis = redis
        self.frontier = Frontier(redis, "broken", buckets=2)
        rules = Policy(jitter=False, delay=0.5, concurrency_limit=8, **policy)
        self.frontier.create(Plan("broken", rules, "d", None, failed_hook=True, end_hook=False))
        self.clock = Clock(self.frontier)
        self.clock.start()
        self.key = self.frontier.key
        self.tickets: list[str] = []

    def crawl(self, name: str) -> SimpleNamespace:
        """Return the definition, as a tick asks for it."""
        assert name == self.frontier.name
        return SimpleNamespace(hooks=("failed",), validate=lambda: None)

    def start_run(self, _: object, ticket: str) -> None:
        """Note a wake-up that a tick sends."""
        self.tickets.append(ticket)

    def fill(self) -> None:
        """Bring pages into every state that a crawl knows."""
        frontier = self.frontier
        frontier.enqueue([Page(f"https://a.example/{n}", lane=f"l{n % 9}") for n in range(60)])
        first = frontier.claim("w").claim
        assert first is not None
        frontier.before_all_done(first)
        claims = [first]
        for _ in range(30):
            self.clock.advance(0.5)
            if claim := frontier.claim(f"w{len(claims)}", paced=True).claim:
                claims.append(claim)
            if len(claims) > 6:
                claim = claims.pop(0)
                what = self.random.randrange(4)
                if what == 0:
                    frontier.fail(claim, self.random.choice(list(FailureClass)), "timeout")
                else:
                    frontier.finish(claim, claim.page.url, result="{}", deliver=what > 1)
        if self.random.random() < 0.3:
            frontier.open_producer("seeds")
        if self.random.random() < 0.3:
            frontier.hold(50)

    def break_something(self) -> None:
        """Do one thing to the keys that no script does."""
        pick, redis, key = self.random.choice, self.redis, self.key
        hashes = ("inflight", "tokens", "outbox", "counts", "reasons", "tallies", "outages")
        zsets = ("leases", "outbox_due", "delayed", "snoozed", "tickets", "producers", "acks")
        lists = ("processing", "ready", "failed", "done", "undelivered", "queued:l1")
        far = self.random.choice([0, 1e18, self.clock.now - 5, self.clock.now + 10**9])
        name = pick(hashes)
        fields = redis.hkeys(key(name))
        choice = self.random.randrange(10)
        if choice == 0:
            redis.delete(key(pick((*hashes, *zsets, *lists, "lanes", "lane:l1", "lane:l2"))))
        elif choice == 1 and fields:
            redis.hdel(key(name), pick(fields))
        elif choice == 2 and fields and name not in ("counts", "reasons", "tallies", "outages"):
            redis.hset(key(name), pick(fields), pick(JUNK))
        elif choice == 3 and name not in ("counts", "reasons", "tallies", "outages"):
            redis.hset(key(name), pick(JUNK), pick(JUNK))
        elif choice == 4:
            redis.zadd(key(pick(zsets)), {pick(JUNK): far})
        elif choice == 5:
            name = pick(zsets)
            if members := redis.zrange(key(name), 0, -1):
                member = pick(members)
                if self.random.random() < 0.5:
                    redis.zrem(key(name), member)
                else:
                    redis.zadd(key(name), {member: far})
        elif choice == 6:
            redis.rpush(key(pick(("processing", "ready", "queued:l1", "undelivered"))), pick(JUNK))
        elif choice == 7:
            redis.lpop(key(pick(lists)))
        elif choice == 8:
            fields = ("lease", "active_since", "last_done", "backoff", "page_deadline", "before")
            redis.hdel(key("meta"), pick(fields))
        else:
            name, value = pick(
                [("held", 1e15), ("closed", 1e15), ("paused_from", "x"), ("infra", 9)]
            )
            redis.hset(key("meta"), name, f"{value:.0f}" if isinstance(value, float) else value)

    def mistype_something(self) -> None:
        """Write keys of another type over some of the crawl's."""
        names = [name for name in TYPES if name != "aside"]
        names += ["lane:l1", "queued:l1", "queued:l2:0", "seen:0", "seen:1"]
        for name in self.random.sample(names, 3):
            key = self.key(name)
            type_ = TYPES.get(name) or self.redis.type(key).decode()
            self.redis.delete(key)
            if type_ == "string" or self.random.random() < 0.5:
                self.redis.pfadd(key, "x") if type_ == "hash" else self.redis.hset(key, "x", "y")
            else:
                self.redis.set(key, "junk")

    def live_on(self) -> Status:
        """Tick as workers do, and call hooks, until the crawl is over."""
        outbox = Outbox(self.frontier)
        ticks = CrawlTicks(self, settle=lambda _: None)
        for _ in range(TICKS):
            self.clock.advance(200)
            self.tickets.clear()
            ticks.tick(self.frontier)
            for ticket in self.tickets:
                name = ticket.removeprefix("deliver-")
                if name == ticket:
                    continue
                delivery = outbox.take(name, "w")
                if isinstance(delivery, UndeliveredLetter) or delivery is None:
                    continue
                assert isinstance(delivery, Delivery)
                if self.random.random() < 0.5:
                    ending = outbox.failed(name, "OSError: no", "w")
                    assert ending.verdict is Verdict.OK
                else:
                    self.frontier.wake({}, [name], "w")
            if (snapshot := self.frontier.snapshot()).over:
                return snapshot.status
        raise AssertionError(self.frontier.snapshot())


@pytest.mark.parametrize("seed", range(15))
def test_a_cancel_ends_a_crawl_in_any_state(redis, seed):
    crawl = Crawl(redis, seed)
    crawl.fill()
    for _ in range(1 + seed % 7):
        crawl.break_something()
    if seed % 3 == 0:
        crawl.frontier.tick()
    crawl.frontier.cancel()
    assert crawl.live_on() in (Status.STOPPED, Status.FINISHED, Status.FAILED)


@pytest.mark.parametrize("seed", range(40, 55))
def test_a_time_limit_ends_a_crawl_in_any_state(redis, seed):
    crawl = Crawl(redis, seed, time_limit=300)
    crawl.fill()
    for _ in range(1 + seed % 7):
        crawl.break_something()
    assert crawl.live_on() in (Status.STOPPED, Status.FINISHED, Status.FAILED)


@pytest.mark.parametrize("seed", range(60, 68))
def test_keys_of_other_types_keep_no_crawl_from_its_end(redis, seed):
    crawl = Crawl(redis, seed, time_limit=300)
    crawl.fill()
    crawl.mistype_something()
    assert len(audit_keys(crawl.frontier)) >= 1
    if seed % 2:
        crawl.frontier.cancel()
    assert crawl.live_on() in (Status.STOPPED, Status.FINISHED, Status.FAILED)
    repair_keys(crawl.frontier)
    assert audit_keys(crawl.frontier) == []
    crawl.frontier.clear()
    assert list(redis.scan_iter("crawl:*")) == []


def test_a_tick_repairs_a_claim_that_lost_its_lease(redis):
    crawl = Crawl(redis, 1)
    crawl.fill()
    redis.delete(crawl.key("leases"))
    assert crawl.frontier.tick().damaged
    CrawlTicks(crawl, settle=lambda _: None).tick(crawl.frontier)
    assert audit_keys(crawl.frontier) == []
    assert not crawl.frontier.tick().damaged


@pytest.mark.parametrize("size", [3, 1_200])
def test_repair_in_steps_mends_what_one_step_mends(redis, size):
    crawl = Crawl(redis, 1)
    frontier, key = crawl.frontier, crawl.key
    crawl.fill()
    raw = redis.lindex(key("processing"), 0)
    redis.rpush(key("processing"), b"junk", raw, *([b"nonsense"] * size))
    redis.hset(key("inflight"), mapping={f"{n:032x}": "t\nw\n1\n1\nx" for n in range(size)})
    redis.hset(key("tokens"), mapping={f"t{n}": f"{n:032x}" for n in range(size)})
    redis.zadd(key("leases"), {f"{n:032x}": 1 for n in range(size)})
    redis.hset(key("outbox"), mapping={f"after-{n:032x}": '0\n\n""\nx\ny' for n in range(size)})
    redis.zadd(key("outbox_due"), {f"after-x{n}": 1 for n in range(size)})
    wrong = repair_keys(frontier)
    assert len(wrong) > 6 * size
    assert audit_keys(frontier) == []
    assert frontier.snapshot().reasons["corrupt"] == size + 1
