"""A Chrome that several processes of a worker share, killed under their pages."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from crawler.frontier.frontier import Frontier
from tests.site.server import Request, Server, route
from tests.support.ground import Ground, ended_well, pid_of, shop

pytest_plugins = ["tests.site.fixture"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: The events until which the site does not answer a page.
GATES: dict[str, threading.Event] = {}


@pytest.fixture
def gates() -> Iterator[dict[str, threading.Event]]:
    GATES.update({name: threading.Event() for name in ("bad", "good")})
    yield GATES
    for gate in GATES.values():
        gate.set()
    GATES.clear()


@pytest.fixture
def hits(site: Server) -> Callable[[str], int]:
    """Return how often the gate of this name was asked for since this test began."""
    before = site.hits.copy()
    return lambda name: site.hits[f"/gate/{name}"] - before[f"/gate/{name}"]


@route("/gates")
def gates_page(request: Request) -> None:
    request.html("<a href=/gate/bad>bad</a><a href=/gate/good>good</a>")


@route("/gate/")
def gate(request: Request) -> None:
    GATES[request.rest].wait(60)
    request.html("<h1>At last</h1>")


def shared_chrome(ground: Ground) -> int:
    """The process of the one shared Chrome."""
    (about,) = ground.folder.glob("**/chrome-*/shared.json")
    return int(json.loads(about.read_text())["pid"])


def test_a_page_that_kills_each_chrome_is_found(
    ground: Ground, site: Server, gates: dict[str, threading.Event], hits: Callable[[str], int]
):
    # Given two pages in one Chrome
    bad, good = (site.url(f"/gate/{name}") for name in ("bad", "good"))
    ground.worker(2, page_load_timeout=20, chrome_shared=4)
    frontier = ground.crawl(shop(url=site.url("/gates"), depth_limit=1))

    ground.until(lambda: hits("bad") and hits("good"))
    # When it dies, they are tried again, each in a Chrome of its own
    os.kill(shared_chrome(ground), signal.SIGKILL)
    ground.until(lambda: hits("bad") == hits("good") == 2)
    gates["good"].set()
    # and when that of one dies as well, and another one
    kill_own_chrome(ground, frontier, bad)
    ground.until(lambda: hits("bad") == 3)
    kill_own_chrome(ground, frontier, bad)
    # Then it alone is to blame
    ground.until_end(frontier)
    seen = ended_well(frontier, [site.url("/gates"), good], {bad: "poison"}, log=ground.redis)
    assert seen.counts["crashed"] == 2
    assert hits("good") == 2


def kill_own_chrome(ground: Ground, frontier: Frontier, url: str) -> None:
    """Kill the Chrome that the process with the page at ``url`` has for it."""
    claim: Any = ground.holder(frontier, url)[1]
    for process in psutil.Process(pid_of(claim)).children(recursive=True):
        with suppress(psutil.Error):
            if process.name().startswith("chrom") and "driver" not in process.name():
                process.kill()


@pytest.mark.parametrize("victim", ["owner", "neighbour"])
def test_a_killed_process_costs_its_neighbour_nothing(
    ground: Ground,
    site: Server,
    gates: dict[str, threading.Event],
    hits: Callable[[str], int],
    victim: str,
):
    # Given two pages in one Chrome, each of a process of its own; one of them has started it
    pages = {name: site.url(f"/gate/{name}") for name in ("bad", "good")}

    ground.worker(2, page_load_timeout=20, chrome_shared=4)
    frontier = ground.crawl(shop(url=site.url("/gates"), depth_limit=1))
    ground.until(lambda: hits("bad") and hits("good"))
    chrome = shared_chrome(ground)
    owner = psutil.Process(chrome).ppid()
    holders = {name: pid_of(ground.holder(frontier, url)[1]) for name, url in pages.items()}
    assert owner in holders.values()
    assert len(set(holders.values())) == 2
    lost, kept = sorted(holders, key=lambda name: (holders[name] == owner) != (victim == "owner"))
    # When one of the processes is killed, its page is tried again by the next
    os.kill(holders[lost], signal.SIGKILL)
    ground.until(lambda: hits(lost) == 2)
    # Then the Chrome goes on, in which the other page is done as if nothing had been
    assert shared_chrome(ground) == chrome
    for gate in gates.values():
        gate.set()
    ground.until_end(frontier)
    seen = ended_well(frontier, [site.url("/gates"), *pages.values()], log=ground.redis)
    assert seen.counts["crashed"] == 1
    assert (hits(lost), hits(kept)) == (2, 1)
