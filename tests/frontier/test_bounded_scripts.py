"""No script's work grows with the crawl, or with what a site sent.

Redis counts the commands of each, in a small crawl and in a large one.
"""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.live_snapshot import LISTED
from crawler.frontier.operations import Operations
from crawler.frontier.outbox import Outbox
from crawler.frontier.repair import audit_keys
from crawler.model import Claim, FailureClass, Page
from crawler.output.report import lines
from tests.support.frontier import Clock, plan, take

SMALL, LARGE = 40, 4_000
#: Pages in flight, which the concurrency limit bounds.
IN_FLIGHT = 30
#: The most that a text of a site may have.
HUGE = "x" * 15_000
#: Commands that return, or go through, all of a key: where what they go through is bounded.
WHOLE = {
    ("fetched", "HGETALL"): "100 kinds of scripts of each route",
    ("seen", "SMEMBERS"): "a bucket of known URLs, some two hundred numbers",
    ("memory", "HGETALL"): "a bucket of pages that are remembered, some hundred",
    ("snapshot", "HGETALL"): "counts, examples and kinds of failure, of which there are few",
    ("repair", "LRANGE"): "only while there are HELD_AT_ONCE of them at most",
    ("repair", "HKEYS"): "as above",
    ("repair", "ZRANGE"): "as above",
    ("repair", "HGETALL"): "as above",
    ("repair", "SMEMBERS"): "only while there are AT_ONCE lanes at most",
}


class Crawl:
    """A crawl with ``size`` of all that a crawl keeps, and pages in flight."""

    def __init__(self, redis, size: int) -> None:
        self.redis, self.size = redis, size
        self.frontier = Frontier(redis, "shop")
        self.frontier.create(plan(concurrency_limit=1_000, breaker_failures=0))
        self.clock = Clock(self.frontier)
        self.clock.start()
        self.fill()

    def fill(self) -> None:
        frontier, key, size = self.frontier, self.frontier.key, self.size
        pages = [Page(f"https://shop.example/{n}", lane=f"l{n}") for n in range(size)]
        frontier.enqueue(pages)
        frontier.enqueue([Page(f"https://shop.example/w{n}") for n in range(3 * IN_FLIGHT)])
        later = self.clock.now + 10**9
        junk = {f"junk{n}": later + n for n in range(size)}
        pipe = self.redis.pipeline(transaction=False)
        entry = frontier.redis.lindex(key("queued"), 0).decode()
        for n in range(size):
            other = entry.replace("/w0", f"/other{n}")
            pipe.zadd(key("delayed"), {other: later + n})
            pipe.rpush(key("failed"), f'[404,1,"terminal","r{n}",{other}]')
            pipe.rpush(key("done"), f"https://shop.example/done{n}")
            pipe.xadd(key("results"), {"id": n, "n": n, "json": "{}"})
            name = f"after-{n:032x}"
            pipe.zadd(key("doubtful"), {f"r\n{n:013}\n{other}": 0})
            pipe.hset(key("outbox"), name, f'0\n\n""\n{other}\n{{}}')
            pipe.zadd(key("outbox_due"), {name: self.clock.now - 1})
            pipe.rpush(key("undelivered"), f'[1,"{name}",1,{len(other)},2,{other},{{}},"no"]')
        for zset in ("acks", "producers"):
            pipe.zadd(key(zset), junk)
        for hash_ in ("logouts", "outages"):
            pipe.hset(key(hash_), mapping=dict.fromkeys(junk, 1))
        pipe.hset(key("reasons"), mapping={f"reason {n}": 1 for n in range(size)})
        pipe.sadd(key("failure_kinds"), *junk)
        pipe.hset(key("patterns"), mapping={f"{n:012x}": 1 for n in range(size)})
        pipe.hset(key("counts"), mapping={"failed": size, "done": size, "undelivered": size})
        pipe.execute()
        self.claims = [self.claim() for _ in range(IN_FLIGHT)]

    def claim(self) -> Claim:
        return take(self.frontier, "w")

    def links(self, name: str, count: int = 100) -> list[Page]:
        """Links with huge names, on hosts of their own."""
        found = [f"https://h{n}.example/{HUGE}{name}{n}" for n in range(count)]
        return [Page(url, 1, lane=f"{name}{n}") for n, url in enumerate(found)]

    def steps(self):
        """Each kind of call, by the script that it is."""
        frontier, claims = self.frontier, self.claims
        outbox, listing = Outbox(frontier), Listing(frontier)
        reason = f"extract: {HUGE}: {HUGE}"
        yield "claim", lambda: claims.append(self.claim())
        yield "renew", lambda: frontier.renew(claims[0])
        yield "sent", lambda: frontier.sent(claims[0])
        yield "submit", lambda: frontier.submit(claims[0])
        yield "finish", lambda: frontier.finish(claims.pop(0), "x", result="{}", deliver=True)
        yield "finish", lambda: frontier.finish(claims.pop(0), "x", doubt="r")
        yield "deregister", lambda: frontier.finish(claims.pop(0), "x", self.links("a"))
        yield "enqueue", lambda: frontier.enqueue(self.links("b"), parent=claims[0])
        for failure in FailureClass:
            yield "fail", lambda f=failure: frontier.fail(claims.pop(0), f, reason)
        yield "logout", lambda: frontier.logged_out(claims.pop(0), 0)
        yield "before", lambda: frontier.before_all_done(claims[0], {"cookies": []})
        yield "grant", lambda: frontier.wake({"x": 1}, ["after-0"], "w")
        yield "snapshot", lambda: frontier.snapshot()
        yield "tick", lambda: frontier.tick()
        yield "fetched", lambda: frontier.note_fetched("r", "same", HUGE, shapes=100)
        yield "recent", lambda: listing.recent()
        for state in LISTED:
            yield "pages", lambda s=state: frontier.pages(s, 2, 5)
        yield "deliveries", lambda: outbox.waiting(20)
        yield "deliveries", lambda: outbox.waiting(20, held=True)
        yield "deliver", lambda: outbox.take(f"after-{1:032x}", "w")
        yield "delivery_failed", lambda: outbox.failed(f"after-{1:032x}", reason, "w")
        yield "redeliver", lambda: frontier.run_script("redeliver", 20)
        yield "retry", lambda: frontier.run_script("retry", 20, *self.letters())
        yield "release", lambda: frontier.run_script("release", "w", claims.pop(0).page.id)
        yield "release", lambda: frontier.run_script("release", "")
        yield "first_of_kind", lambda: frontier.first_of_kind(HUGE, 50)
        yield "seen", lambda: listing.seen("https://shop.example/1")
        yield "timer", lambda: frontier.take_timer(5)
        yield "lane_delay", lambda: frontier.set_lane_delay("l1", 1)
        yield "produce", lambda: frontier.open_producer("p")
        yield "seeded", lambda: frontier.mark_seeded("digest", frontier.origin())
        yield "note", lambda: Operations(frontier).note("is paused", "ann")
        yield "limits", lambda: frontier.set_limits(delay=0)
        yield "hold", lambda: frontier.hold(0)
        yield "pause", lambda: frontier.pause()
        yield "resume", lambda: frontier.resume()
        yield "stop", lambda: frontier.cancel()

    def letters(self) -> list[bytes]:
        return self.redis.lrange(self.frontier.key("failed"), 0, 19)


def commands(redis) -> int:
    """The number of commands that scripts and clients have called so far."""
    stats = redis.info("commandstats")
    return sum(one["calls"] for name, one in stats.items() if name != "cmdstat_info")


def efforts(crawl: Crawl) -> dict[str, int]:
    """How many commands each kind of call takes."""
    taken = {}
    for number, (script, call) in enumerate(crawl.steps()):
        before = commands(crawl.redis)
        call()
        taken[f"{number} {script}"] = commands(crawl.redis) - before
    return taken


def test_no_script_does_more_in_a_large_crawl(redis):
    small = efforts(Crawl(redis, SMALL))
    redis.flushall()
    large = efforts(Crawl(redis, LARGE))
    # some more: a bucket of known URLs that is split
    assert {
        name: (small[name], large[name]) for name in small if large[name] > small[name] + 50
    } == {}


def test_what_a_large_crawl_tells_is_small(redis):
    crawl = Crawl(redis, LARGE)
    snapshot = crawl.frontier.snapshot()
    assert len(snapshot.reasons) < 1_000
    assert sum(snapshot.reasons.values()) == snapshot.failed
    assert len(lines(snapshot)) < 60
    assert len(Outbox(crawl.frontier).waiting(20)) == 20
    assert crawl.frontier.cancel() is False
    assert len(audit_keys(crawl.frontier)) < 20


@pytest.mark.parametrize("path", sorted(files("crawler.frontier").joinpath("lua").rglob("*.lua")))
def test_no_script_goes_through_all_of_a_key_that_grows(path):
    text = path.read_text()
    whole = re.findall(r'redis\.call\("(HGETALL|HKEYS|HVALS|SMEMBERS|KEYS)"', text)
    whole += re.findall(r'redis\.call\("(LRANGE|ZRANGE)", key\("\w+"\), 0, -1\)', text)
    assert {(path.stem, command) for command in whole} <= WHOLE.keys()
