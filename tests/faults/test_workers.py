"""Workers that die, freeze or wait: no page is lost, none counted twice, and the crawl ends by
itself, once.
"""

from __future__ import annotations

import signal
import threading

import pytest

from tests.support.ground import SITE, Ground, consistent, ended_well, on_site, python, shop
from tests.support.webdriver import Doc

NEVER = threading.Event()

#: Claims a page for a worker of another machine, of which nobody can know whether it lives, and
#: then says nothing more.
ELSEWHERE = """
import sys, time
from crawler.storage.connection import connect
from crawler.frontier.frontier import Frontier
turn = Frontier(connect(sys.argv[1]), "shop").claim("elsewhere.1/1/1")
print(turn.claim.page.url, flush=True)
time.sleep(600)
"""


def star(*paths: str) -> dict[str, Doc]:
    """An entry page that links to ``paths``."""
    return {"/": Doc(links=paths)} | {path: Doc() for path in paths}


PATHS = [f"/{n}" for n in range(8)]


def test_the_page_of_a_killed_worker_is_done_once_by_another(ground: Ground):
    """Fault 1, on one machine: the next tick notices that the process is gone."""
    chrome = ground.chrome_on(star(*PATHS) | {"/3": [Doc(gate=NEVER), Doc()]})
    ground.worker(), ground.worker()
    frontier = ground.crawl(shop(concurrency_limit=2))
    ground.until(lambda: chrome.count("/3"))
    victim, _ = ground.holder(frontier, "/3")
    victim.kill()
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert chrome.counts() == {on_site(path): 1 for path in ["/", *PATHS]} | {on_site("/3"): 2}
    assert seen.counts["crashed"] == 1


def test_a_page_whose_worker_fell_silent_elsewhere_comes_back_with_its_lease(ground: Ground):
    """Fault 1, over machines: nobody here can know that the worker is dead, so its lease has to
    end.
    """
    chrome = ground.chrome_on(star(*PATHS))
    frontier = ground.crawl(shop(), wake=False, lease=3.0)
    with python(ELSEWHERE, ground.redis.url) as elsewhere:
        assert elsewhere.stdout is not None
        assert elsewhere.stdout.readline().strip() == f"{SITE}/"
        elsewhere.kill()
    ground.worker()
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert seen.counts["reaped"] == 1
    assert set(chrome.counts().values()) == {1}


def test_a_crawl_whose_workers_were_killed_continues_with_the_next(ground: Ground):
    """Fault 2."""
    held = {path: [Doc(gate=NEVER), Doc()] for path in ("/2", "/5")}
    chrome = ground.chrome_on(star(*PATHS) | held)
    first = ground.worker(2)
    frontier = ground.crawl(shop(concurrency_limit=2))
    ground.until(lambda: chrome.count("/2") and chrome.count("/5"))
    first.kill()
    assert consistent(frontier).processing == 2
    ground.worker(2)
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert chrome.counts() == {on_site(path): 1 + (path in held) for path in ["/", *PATHS]}


def test_a_page_whose_worker_dies_after_its_links_doubles_none_of_them(ground: Ground):
    """Fault 3: of more links than one step takes the first are queued; the report with the rest of
    them never arrives.
    """
    paths = [f"/{number}-{'x' * 1_900}" for number in range(60)]
    chrome = ground.chrome_on(star(*paths))
    proxy = ground.proxy()
    proxy.hold("deregister")
    first = ground.worker(redis_url=proxy.url)
    frontier = ground.crawl(shop())
    ground.until(proxy.seen.is_set)
    assert 0 < consistent(frontier).queued < len(paths)
    first.kill()
    ground.worker(2)
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", *paths], log=ground.redis)
    assert seen.accepted == 1 + len(paths)
    assert chrome.counts() == {on_site(path): 1 for path in paths} | {f"{SITE}/": 2}


@pytest.mark.parametrize(
    "seconds", [0, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
)
def test_a_worker_frozen_beyond_its_lease_reports_in_vain(ground: Ground, seconds: int):
    """Fault 4: its page has been done by another meanwhile."""
    chrome = ground.chrome_on(star(*PATHS))
    proxy = ground.proxy()
    proxy.hold("deregister")
    frozen = ground.worker(redis_url=proxy.url)
    frontier = ground.crawl(shop(), lease=3.0)
    ground.until(proxy.seen.is_set)
    frozen.signal(signal.SIGSTOP)
    ground.worker()
    ground.until_end(frontier)
    NEVER.wait(seconds)
    proxy.go.set()
    frozen.signal(signal.SIGCONT)
    ground.until(lambda: frontier.snapshot().counts.get("stale"))
    seen = ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert (seen.counts["stale"], seen.counts["reaped"]) == (1, 1)
    assert chrome.count("/") == 2


def test_a_page_longer_than_its_lease_stays_with_its_live_worker(ground: Ground):
    """Fault 4, its other side: a short lease is renewed often enough."""
    gate = threading.Event()
    chrome = ground.chrome_on(star(*PATHS) | {"/3": Doc(gate=gate)})
    ground.worker(2)
    frontier = ground.crawl(shop(lease=5.0), lease=4.0)
    _, claim = ground.holder(frontier, "/3")

    def lease() -> float | None:
        return frontier.redis.zscore(frontier.key("leases"), claim.page.id)

    first = lease()
    assert first is not None
    # by now it would have been taken back
    ground.until(lambda: (end := lease()) is None or end > first + 5_000)
    assert lease()
    gate.set()
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert "reaped" not in seen.counts
    assert chrome.count("/3") == 1


def test_a_crawl_does_not_end_before_its_last_slow_page(ground: Ground):
    """Fault 18."""
    gate = threading.Event()
    chrome = ground.chrome_on(
        star(*PATHS) | {"/7": Doc(links=["/late"], gate=gate), "/late": Doc()}
    )
    ground.worker(2)
    frontier = ground.crawl(shop())
    ground.until(lambda: frontier.snapshot().done == len(PATHS) and chrome.count("/7"))
    seen = consistent(frontier)
    assert (seen.status, seen.queued, seen.processing) == ("ACTIVE", 0, 1)
    assert frontier.claim("another").outcome == "EMPTY"
    gate.set()
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS, "/late"], log=ground.redis)


def test_a_worker_that_is_told_to_quit_ends_when_its_pages_have(ground: Ground):
    gate = threading.Event()
    chrome = ground.chrome_on({"/": Doc(links=["/a", "/b"]), "/a": Doc(gate=gate), "/b": Doc()})
    worker = ground.worker(2, soft_shutdown_timeout=600)
    frontier = ground.crawl(shop(concurrency_limit=1))
    ground.until(lambda: chrome.count("/a"))
    worker.process.send_signal(signal.SIGQUIT)
    ground.until(lambda: "have 600 seconds to end" in worker.said())
    assert consistent(frontier).processing == 1
    gate.set()
    worker.process.wait(120)  # which is far less
    seen = consistent(frontier)
    assert (seen.done, seen.queued, seen.processing) == (2, 1, 0)
