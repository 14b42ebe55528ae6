"""Workers that cannot run a crawl, beside those that can: they hand its wake-ups on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from crawler.client.wakeups import WakeUps
from crawler.definition.loading import load_all
from crawler.frontier.listing import Listing
from crawler.local.heartbeat_file import Heartbeat
from tests.support.ground import Ground, Worker, ended_well
from tests.support.patience import PATIENCE
from tests.support.webdriver import Doc

PATHS = [f"/{n}" for n in range(12)]
#: A module with crawls of two sites, which go on while every worker ticks twice.
CRAWLS = """
from crawler import Crawl

options = {"robots": False, "depth_limit": None, "page_deadline": 50.0, "concurrency_limit": 2,
           "delay": 0.1}
shop = Crawl(name="shop", url="http://127.0.0.1/", **options)
news = Crawl(name="news", url="http://127.0.0.1/news", **options)


@shop.extract
@news.extract
def item(page):
    return {"version": 1}
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    there.chrome_on(
        {"/": Doc(links=PATHS), "/news": Doc(links=["/0", "/1"])} | {path: Doc() for path in PATHS}
    )
    yield there
    there.close()


def module(ground: Ground, name: str, text: str) -> str:
    path = ground.folder / f"{name}.py"
    path.write_text(text)
    return str(path)


def until_alive(ground: Ground, *workers: Worker) -> None:
    """Wait until ``workers`` consume, and the registry has them."""
    ground.until(lambda: all(" ready." in worker.said() for worker in workers))
    ground.until(lambda: len(ground.library().workers.workers()) == len(workers))


def test_workers_that_cannot_run_a_crawl_hand_it_on(ground: Ground):
    # Given a worker that knows no crawl, one with a module that does not import, and a good one
    # that ticks too rarely to find wake-ups that were lost
    broken = module(ground, "broken", "import a_module_that_is_not_there")
    other = module(ground, "other", CRAWLS.replace('"shop"', '"toys"').replace('"news"', '"rare"'))
    crawls = module(ground, "crawls", CRAWLS)
    bare = ground.worker(2)
    alive = ground.folder / "alive"
    lame = ground.worker(2, crawls=(broken, other), heartbeat_file=alive)
    good = ground.worker(1, crawls=(crawls,), tick_interval=600.0)
    # and one of which nothing could be used: it ends at its start, with one line
    useless = ground.worker(1, crawls=(broken,))
    assert useless.process.wait(PATIENCE) == 2
    assert "this worker could do nothing, and ends: CRAWLER_CRAWLS: " in useless.said()
    assert "Traceback" not in useless.said()
    until_alive(ground, bare, lame, good)

    # When schedules start the crawl, at whatever worker takes their messages
    wakeups = WakeUps(ground.settings())

    def is_said_by(worker: Worker) -> bool:
        wakeups.send_start("shop", None, ground.settings().queue)
        return "shop: this worker cannot run it" in worker.said()

    ground.until(lambda: all(is_said_by(worker) for worker in (bare, lame)))

    # Then it ends as if they were alone, and each says once that it hands wake-ups on
    frontier = ground.library().frontier("shop")
    ground.until(frontier.digest)
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)
    for worker in (bare, lame):
        assert worker.said().count("this worker cannot run it") == 1
        assert "its wake-ups go on to worker-" in worker.said()
        assert "Traceback" not in worker.said()
    assert "FORWARDED" in bare.said() + lame.said()
    assert "broken.py does not import" in lame.said()
    registered = {worker.name: worker for worker in ground.library().workers.workers()}
    # as they were started: worker-10 comes after worker-9
    known = sorted(registered.values(), key=lambda worker: (len(worker.name), worker.name))
    assert [worker.faults != () for worker in known] == [False, True, False]

    beat = Heartbeat.read(alive)
    assert (len(beat.faults), beat.restart_reason(beat.tick)) == (1, None)  # it lives, not ready
    messages = redis_py.Redis(unix_socket_path=str(ground.redis.socket), db=1)
    assert messages.scard("_kombu.binding.crawler") == 1  # queues of groups leave nothing behind

    # When nobody is left who knows a crawl, its wake-ups are given back, with the reason
    good.process.terminate()
    assert good.process.wait(PATIENCE) == 0
    news = ground.library().frontier("news")
    ground.library().start(load_all([crawls])["news"])
    ground.until(news.start_error)
    assert "no live worker can run it: no crawl is named 'news'" in (news.start_error() or "")
    ground.until(lambda: news.snapshot().tickets == 0)
    assert Listing(news).done() == []

    # Then they wait for the first worker that knows it
    ground.worker(1, crawls=(crawls,), tick_interval=600.0)
    ground.until_end(news)
    ended_well(news, ["/news", "/0", "/1"], log=None)
