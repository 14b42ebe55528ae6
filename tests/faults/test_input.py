"""Input that no author would think of: endless sites, absurd links, hosts that ask for patience,
damaged keys and clocks.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
import redis as redis_py

from crawler.client.client import Client
from crawler.errors import FrontierMisfit
from crawler.frontier.arguments import BATCH
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import repair_keys
from crawler.model import Page, Plan, Policy
from tests.support.ground import (
    SITE,
    Ground,
    consistent,
    ended_well,
    history,
    on_site,
    results,
    shop,
)
from tests.support.webdriver import Doc, Script


def calendar(url: str) -> Script:
    """Each day links to the next ones, for ever."""
    day = int(url.rpartition("/")[2] or 0)
    return Doc(links=[f"/{day * 5 + n}" for n in range(1, 6)])


def test_a_site_without_an_end_is_left_at_each_kind_of_limit(ground: Ground):
    """Fault 20: at a depth, after so many pages, and after so many of a host; what waits is bounded
    as well.
    """
    ground.chrome_on(calendar)
    ground.worker(2)
    deep = ground.crawl(shop(name="deep", depth_limit=2))
    long = ground.crawl(shop(name="long", page_limit=40, queue_limit=30))
    wide = ground.crawl(shop(name="wide", host_page_limit=25, breaker_failures=100))
    most = 0
    while (
        not all(ground.until_end(frontier).status.ended for frontier in (deep, wide))
        or not long.snapshot().status.ended
    ):
        most = max(most, long.snapshot().queued)
    assert most <= 30
    seen = ended_well(deep, ["/", *(f"/{n}" for n in range(1, 31))], log=ground.redis)
    assert seen.counts["skipped_depth"] == 25 * 5
    seen = consistent(long)
    assert (seen.status, seen.reason, seen.done) == ("FINISHED", "page limit 40 reached", 40)
    assert seen.counts["skipped_full"] > 0
    assert history(ground.redis.folder, long) == ["NEW", "ACTIVE", "DRAINING", "FINISHED"]
    assert len(set(results(long))) == len(list(results(long))) == 40
    seen = ended_well(wide, sorted(Listing(wide).done()), log=ground.redis)
    assert (seen.done, seen.accepted) == (25, 25)
    assert seen.counts["skipped_lane"] > 0


def processor_seconds(redis: redis_py.Redis) -> float:
    """Return the seconds of processor time that the server has used so far."""
    used = redis.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def script_arguments(redis: redis_py.Redis) -> list[int]:
    """Return the number of arguments of each script in the server's log of slow commands.

    The log writes out 31 words of a command at most, and counts the rest.
    """
    counts = []
    for entry in redis.slowlog_get(10_000):
        words = entry["command"]
        if words.startswith(b"EVALSHA"):
            rest = re.search(rb"\.\.\. \((\d+) more arguments\)$", words)
            counts.append(31 + int(rest[1]) if rest else len(words.split()))
    return counts


def test_a_hundred_thousand_links_of_every_kind_never_hold_redis_up(ground: Ground):
    """Fault 21: a link that no browser could open is skipped and counted. The others are added by
    small steps, which take Redis at most 20 ms of its processor, whatever else the machine does.
    """
    kinds: dict[str, tuple[int, Callable[[int], str]]] = {
        "page": (60_000, lambda n: f"{SITE}/page/{n}"),
        "known": (10_000, lambda n: f"{SITE}:80/page/{n}#part-{n}"),
        "port": (5_000, lambda n: f"{SITE}:{8_000 + n}/"),
        "userinfo": (5_000, lambda n: f"http://me:secret@127.0.0.1/userinfo/{n}"),
        "long": (20, lambda n: f"{SITE}/long/{n}/{'x' * 50_000}"),
        "no port": (980, lambda n: f"{SITE}:{70_000 + n}/"),
        "javascript": (4_000, lambda n: f"javascript:go({n})"),
        "mailto": (3_000, lambda n: f"mailto:{n}@example.org"),
        "data": (3_000, lambda n: f"data:text/html,{n}"),
        "surrogate": (3_000, lambda n: f"{SITE}/half/\ud800{n}"),
        "nul": (3_000, lambda n: f"{SITE}/nul/\0{n}"),
        "idn": (3_000, lambda n: f"http://bücher-{n}.example/"),
    }
    links = [make(n) for count, make in kinds.values() for n in range(count)]
    assert len(links) == 100_000
    ground.chrome_on({"/": Doc(links=links)})
    ground.worker(page_load_timeout=20)
    # a step that adds many links takes more than this many microseconds: the log has all of them
    ground.client.config_set("slowlog-log-slower-than", 500)
    ground.client.config_set("slowlog-max-len", 10_000)
    before = processor_seconds(ground.client)
    frontier = ground.crawl(shop(name="links", page_limit=1))
    ground.until_end(frontier, 120)
    spent = processor_seconds(ground.client) - before
    links_of_steps = [count // 3 for count in script_arguments(ground.client)]
    assert BATCH <= max(links_of_steps) <= BATCH + 10  # some arguments are no links
    assert spent < 0.020 * 70_000 / BATCH  # so many steps at least
    seen = consistent(frontier)
    assert (seen.done, seen.failed, seen.reason) == (1, 0, "page limit 1 reached")
    assert list(results(frontier)) == [f"{SITE}/"]
    assert history(ground.redis.folder, frontier) == ["NEW", "ACTIVE", "DRAINING", "FINISHED"]
    assert seen.accepted == 1 + 60_000 + 5_000 + 5_000
    assert {name: count for name, count in seen.counts.items() if name.startswith("skipped_")} == {
        "skipped_length": 20,
        "skipped_port": 980,
        "skipped_scheme": 4_000 + 3_000 + 3_000,
        "skipped_characters": 3_000 + 3_000,
        "skipped_scope": 3_000,
        "skipped_duplicate": 10_000,
    }
    waiting = Listing(frontier).queued(0, 100_000)
    assert len({page.url for page in waiting}) == len(waiting) == seen.accepted - 1
    assert not any(word in page.url for page in waiting for word in ("#", "\0", "\ud800"))


def test_hosts_get_the_patience_they_ask_for_while_others_go_on(ground: Ground):
    """Fault 22: 429 with a Retry-After in seconds, as a date, of ten years, of no sense; and one
    host that never relents.
    """
    forms = {
        "127.0.0.2": "1",
        "127.0.0.3": formatdate(time.time() + 600, usegmt=True),
        "127.0.0.4": "315360000",
        "127.0.0.5": "soon",
        "127.0.0.6": "9" * 400,
        "127.0.0.7": "-1",
    }
    # six seconds are the most that is believed: enough for the others, on a busy machine too
    waits = {"127.0.0.2": 1.0, "127.0.0.3": 6.0, "127.0.0.4": 6.0, "127.0.0.6": 6.0}
    never = "127.0.0.8"
    site: dict[str, Script] = {
        f"http://{host}/x": [Doc(status=429, retry_after=form), Doc()]
        for host, form in forms.items()
    }
    site |= {f"http://{host}/y": Doc() for host in [*forms, never]} | {
        f"http://{never}/x": Doc(status=429, retry_after="0")
    }
    others = [f"/{n}" for n in range(10)]
    site |= {path: Doc() for path in others} | {"/": Doc(links=[*site, *others])}
    chrome = ground.chrome_on(site)
    ground.worker(2)
    crawl = shop(
        scope="all",
        private_hosts=[*forms, never],
        host_concurrency=1,
        breaker_failures=100,
        retry_after_cap=6.0,
        concurrency_limit=2,
    )
    frontier = ground.crawl(crawl)
    ground.until_end(frontier)
    urls = [f"http://{host}/{page}" for host in forms for page in "xy"] + [f"http://{never}/y"]
    seen = ended_well(
        frontier, ["/", *others, *urls], {f"http://{never}/x": "http_429"}, log=ground.redis
    )
    assert seen.counts["throttled"] == len(forms) + 3
    assert chrome.count(f"http://{never}/x") == 3
    for host in forms:
        first, second, *_ = (
            visit for visit in chrome.visits if visit.url.startswith(f"http://{host}/")
        )
        assert first.ended is not None
        assert second.began - first.ended >= waits.get(host, 0)
    blocked = [visit.began for visit in chrome.visits if visit.url == "http://127.0.0.4/x"]
    assert all(
        blocked[0] < visit.began < blocked[1]
        for visit in chrome.visits
        if visit.url in map(on_site, others[-3:])
    )


def test_an_unreadable_entry_ends_among_the_failed_and_the_crawl_continues(ground: Ground):
    """Fault 25, corrupt entries: in a queue, among the retries, and in the hands of a worker."""
    paths = [f"/{n}" for n in range(5)]
    ground.chrome_on({"/": Doc(links=paths)} | {path: Doc() for path in paths})
    frontier = ground.crawl(shop(), wake=False)
    client, key = ground.client, frontier.key
    junk = [b"\xff\x00", b"[1,0,0,1,0", b"{}", b"[9" + b"9" * 3_000 + b"]"]
    client.lpush(key("queued"), *junk[:2])
    client.zadd(key("delayed"), {junk[2]: 1})
    client.rpush(key("processing"), junk[3])
    assert repair_keys(frontier)
    ground.worker()
    ground.until_end(frontier)
    seen = consistent(frontier)
    assert (seen.status, seen.done, seen.failed, seen.reasons) == ("FINISHED", 6, 4, {"corrupt": 4})
    assert sorted(Listing(frontier).done()) == sorted(map(on_site, ["/", *paths]))
    assert sorted(results(frontier)) == sorted(map(on_site, ["/", *paths]))
    assert history(ground.redis.folder, frontier) == ["NEW", "ACTIVE", "FINISHED"]


def test_keys_of_strangers_are_told_clearly_and_harm_no_crawl(ground: Ground):
    """Fault 25, a wrong type and an old schema."""
    # Given a crawl whose key somebody else has taken, and one of another version
    paths = [f"/{n}" for n in range(5)]
    ground.chrome_on({"/": Doc(links=paths)} | {path: Doc() for path in paths})
    taken, old = (ground.crawl(shop(name=name), wake=False) for name in ("a-taken", "an-old"))
    ground.client.delete(taken.key("meta"))
    ground.client.set(taken.key("meta"), "mine")
    ground.client.hset(old.key("meta"), "version", "0")
    # When they are started, then that is told
    for frontier, says in ((taken, "not its type"), (old, "schema 0")):
        more = shop(name=frontier.name, url=[f"{SITE}/", f"{SITE}/more"])
        with pytest.raises(FrontierMisfit, match=says):
            Client(ground.settings()).start(more, if_exists="update")
    # And another crawl, whose first wake-up must come from a tick, comes to its end
    ground.worker()
    whole = ground.crawl(shop(name="whole"), wake=False)
    ground.until_end(whole)
    ended_well(whole, ["/", *paths], log=ground.redis)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_jump_loses_nothing_and_takes_back_ten_pages_each(ground: Ground, hours: int):
    """Fault 25, the clock: thirty pages are in flight when it jumps, some are in the queue, one
    waits for its retry.
    """
    frontier = Frontier(ground.client, "shop")
    policy = Policy(
        concurrency_limit=30,
        lease=60.0,
        page_deadline=180.0,
        crash_strikes=9,
        attempts=9,
        backoff=5.0,
    )
    frontier.create(Plan("shop", policy, "d", None, before_all=False))
    now = 1_700_000_000_000
    frontier.redis.hset(frontier.key("meta"), "clock", now)
    urls = [f"{SITE}/{n}" for n in range(40)]
    frontier.enqueue([Page(url) for url in urls])
    claims = [turn.claim for turn in (frontier.claim("w") for _ in range(30)) if turn.claim]
    frontier.redis.hset(frontier.key("meta"), "clock", now + hours * 3_600_000)
    tick = frontier.tick()
    assert tick.reaped == (10 if hours > 0 else 0)
    assert consistent(frontier).processing == 30 - tick.reaped

    def report(claim) -> str:
        line = json.dumps({"url": claim.page.url}, separators=(",", ":"))
        return frontier.finish(claim, claim.page.url, result=line).verdict.value

    verdicts = [report(claim) for claim in claims]
    assert verdicts.count("OK") == 30 - tick.reaped
    assert verdicts.count("STALE") == tick.reaped
    for minute in range(60):
        if frontier.snapshot().status.ended:
            break
        frontier.redis.hset(
            frontier.key("meta"), "clock", now + hours * 3_600_000 + minute * 60_000
        )
        while claim := frontier.claim("w").claim:
            report(claim)
    ended_well(frontier, urls, log=ground.redis)
