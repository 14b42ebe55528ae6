"""A Chrome that several processes of a worker share, killed under their pages."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
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
    ground: Ground, site: Server, gates: dict[str, threading.Event]
):
    # Given two pages in one Chrome
    bad, good = (site.url(f"/gate/{name}") for name in ("bad", "good"))
    ground.worker(2, page_load_timeout=20, chrome_shared=4)
    frontier = ground.crawl(shop(url=site.url("/gates"), depth_limit=1))

    def hits(name: str, number: int) -> None:
        ground.until(lambda: site.hits[f"/gate/{name}"] >= number)

    hits("bad", 1)
    hits("good", 1)
    # When it dies, they are tried again, each in a Chrome of its own
    os.kill(shared_chrome(ground), signal.SIGKILL)
    hits("bad", 2)
    hits("good", 2)
    gates["good"].set()
    # and when that of one dies as well, and another one
    kill_own_chrome(ground, frontier, bad)
    hits("bad", 3)
    kill_own_chrome(ground, frontier, bad)
    # Then it alone is to blame
    ground.until_end(frontier)
    seen = ended_well(frontier, [site.url("/gates"), good], {bad: "poison"}, log=ground.redis)
    assert seen.counts["crashed"] == 2
    assert site.hits["/gate/good"] == 2


def kill_own_chrome(ground: Ground, frontier: Frontier, url: str) -> None:
    """Kill the Chrome that the process with the page at ``url`` has for it."""
    claim: Any = ground.holder(frontier, url)[1]
    for process in psutil.Process(pid_of(claim)).children(recursive=True):
        with suppress(psutil.Error):
            if process.name().startswith("chrom") and "driver" not in process.name():
                process.kill()
