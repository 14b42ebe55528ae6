"""Messages that are lost, doubled or late: they change when a page is done, never whether."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import pytest

from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import Outcome, Page, Plan, Policy, Status
from tests.support.ground import SITE, Ground, consistent, ended_well, on_site, python, shop
from tests.support.webdriver import Doc

PATHS = [f"/{n}" for n in range(30)]


def star(*paths: str) -> dict[str, Doc]:
    return {"/": Doc(links=paths)} | {path: Doc(takes=0.02) for path in paths}


@pytest.mark.parametrize("life", [1, pytest.param(60, marks=pytest.mark.soak)])
def test_a_crawl_whose_messages_were_all_lost_is_woken_by_a_tick(ground: Ground, life: int):
    """Fault 15: the broker is purged; the wake-ups are sent again when their tickets have
    expired.
    """
    ground.chrome_on(star(*PATHS))
    frontier = ground.crawl(shop(), wake=False)
    ground.client.hset(frontier.key("meta"), "ticket_life", life * 1_000)
    assert ground.library().wake(shop()) == 1
    assert frontier.snapshot().tickets == 1
    broker = ground.client.connection_pool.connection_kwargs | {"db": 1}
    messages = type(ground.client)(unix_socket_path=broker["path"], db=1)
    assert messages.llen("crawler") == 1
    messages.flushdb()
    ground.worker()
    ground.until_end(frontier, life + 60)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)


#: A crawl that sends each wake-up three times, in any order, some of them late, none with an end to
#: its life.
THRICE = """
import random
from celery import current_app
from crawler import Crawl
crawl = Crawl(
    name="shop", url="http://127.0.0.1/", robots=False, concurrency_limit=2,
    extract={"title": "h1"},
)
@crawl.start
def start(crawl, ticket):
    for _ in range(3):
        late = random.choice((None, random.random()))
        current_app.send_task("crawler.run", (crawl.name, ticket), queue="crawler", countdown=late)
"""


def test_repeated_wake_ups_in_any_order_do_each_page_once_within_limits(ground: Ground):
    """Fault 16, with workers that could do more at once than the crawl allows."""
    chrome = ground.chrome_on(star(*PATHS))
    (ground.folder / "thrice.py").write_text(THRICE)
    ground.worker(4, crawls=str(ground.folder / "thrice.py"))
    frontier = ground.crawl(shop(), wake=False, concurrency_limit=2)
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert set(chrome.counts().values()) == {1}
    assert chrome.peak <= 2


def test_wake_ups_ten_minutes_late_still_work_within_the_limit(ground: Ground):
    """Fault 16: their tickets have expired, and others were issued in their place."""
    frontier = Frontier(ground.client, "shop")
    frontier.create(
        Plan(
            "shop",
            Policy(concurrency_limit=3, lease=3_600.0, page_deadline=7_200.0),
            "d",
            None,
            before_all=False,
        )
    )
    now = 1_000_000_000_000
    ground.client.hset(frontier.key("meta"), "clock", now)
    frontier.enqueue([Page(f"{SITE}{path}") for path in PATHS])
    late = list(frontier.tick().tickets)
    ground.client.hset(frontier.key("meta"), "clock", now + 600_000)
    fresh = list(frontier.tick().tickets)
    assert (len(late), len(fresh)) == (3, 3)
    claims = []
    while not frontier.snapshot().status.ended:
        turns = [frontier.claim("w", ticket) for ticket in (fresh + late) * 3]
        claims = [turn.claim for turn in turns if turn.claim]
        assert len(claims) <= 3
        assert consistent(frontier).processing <= 3
        for claim in claims:
            frontier.finish(
                claim,
                claim.page.url,
                result=json.dumps({"url": claim.page.url}, separators=(",", ":")),
            )
    ended_well(frontier, PATHS, log=ground.redis)


#: Twice fifty claims at the same instant, in as many threads; prints their outcomes.
CLAIMS = """
import sys, threading
from crawler.storage.connection import connect
from crawler.frontier.frontier import Frontier
frontier, barrier = Frontier(connect(sys.argv[1]), "shop"), threading.Barrier(51)
frontier.snapshot()
def claim(outcomes):
    barrier.wait()
    outcomes.append(frontier.claim("w").outcome.value)
for _ in range(2):
    outcomes = []
    threads = [threading.Thread(target=claim, args=(outcomes,)) for _ in range(50)]
    for thread in threads: thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    barrier.wait()
    for thread in threads: thread.join()
    print(*outcomes, flush=True)
"""


def test_one_of_two_hundred_claims_at_once_gets_the_one_seed(ground: Ground):
    """Fault 17, at the frontier: four processes with fifty threads each; then the crawl ramps up to
    its limit, and not beyond.
    """
    frontier = Frontier(ground.client, "shop")
    frontier.create(Plan("shop", Policy(concurrency_limit=7), "d", None, before_all=False))
    frontier.enqueue([Page(f"{SITE}/")])
    processes = [python(CLAIMS, ground.redis.url) for _ in range(4)]
    found = sorted(claim_at_once(processes))
    assert found == [Outcome.EMPTY.value] * 199 + [Outcome.PAGE.value]
    assert consistent(frontier).status is Status.ACTIVE
    seed = Listing(frontier).processing()[0]
    frontier.enqueue([Page(f"{SITE}{path}", 1) for path in PATHS], parent=seed)
    frontier.finish(seed, seed.page.url)
    assert len(frontier.tick().tickets) == 7
    assert claim_at_once(processes).count(Outcome.PAGE.value) == 7
    assert consistent(frontier).processing == 7
    for process in processes:
        process.communicate()


def claim_at_once(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let all of ``processes`` claim; return the outcomes."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return " ".join(process.stdout.readline() for process in processes if process.stdout).split()


def test_two_hundred_wake_ups_at_once_on_one_seed_fetch_it_once(ground: Ground):
    """Fault 17, with workers: 199 runs leave, the crawl does not end, and then uses as many workers
    as it may.
    """
    gate = threading.Event()
    chrome = ground.chrome_on(star(*PATHS) | {"/": Doc(links=PATHS, gate=gate)})
    ground.worker(3)
    crawl = shop(concurrency_limit=3)
    frontier = ground.crawl(crawl, wake=False)
    library = ground.library()
    for n in range(200):
        library.send(crawl.name, f"ticket-{n}")
    messages = type(ground.client)(unix_socket_path=str(ground.redis.socket), db=1)
    ground.until(lambda: chrome.count("/") and not messages.llen("crawler"))
    assert consistent(frontier).status is Status.ACTIVE
    assert chrome.count("/") == 1
    gate.set()
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert set(chrome.counts().values()) == {1}
    assert chrome.peak == 3


def test_a_crawl_rests_while_its_only_page_waits_for_retry(ground: Ground):
    """Fault 19: the page is due in some minutes, by a clock that this test turns."""
    chrome = ground.chrome_on({"/": Doc(links=["/later"]), "/later": [Doc(status=503), Doc()]})
    frontier = ground.crawl(shop(backoff=1_200.0, backoff_cap=1_200.0), wake=False)
    meta, now = frontier.key("meta"), round(time.time() * 1_000)
    ground.client.hset(meta, "clock", now)
    ground.worker()
    ground.until(lambda: frontier.snapshot().delayed)
    due = int(ground.client.zrange(frontier.key("delayed"), 0, 0, withscores=True)[0][1])
    quiet(ground, ticks=3)
    ground.client.hset(meta, "clock", due - 1)
    quiet(ground, ticks=2)
    assert consistent(frontier).status is Status.ACTIVE
    assert chrome.count("/later") == 1
    ground.client.hset(meta, "clock", due)
    ground.until_end(frontier)
    ended_well(frontier, ["/", "/later"], log=ground.redis)
    assert chrome.counts() == {on_site("/"): 1, on_site("/later"): 2}


def quiet(ground: Ground, ticks: int) -> None:
    """Let the worker tick so many times, and see that no message is sent meanwhile."""

    def sent() -> int:
        return int(ground.client.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0))

    def told() -> bytes:
        return b"".join(ground.client.hvals("workers"))

    ground.until(told)
    for n in range(ticks + 1):  # the first may have been under way
        last, before = told(), sent()
        ground.until(lambda: told() != last)  # noqa: B023
        assert n == 0 or sent() == before
