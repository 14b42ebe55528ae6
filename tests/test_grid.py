"""A real Selenium Grid as the endpoint: sessions over pages, what ends them, and that none is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.browser import Browser, Chrome, Endpoint, Profile, Registry
from crawler.errors import PageError
from crawler.model import Page
from tests.faults.ground import Ground, ended_well, shop
from tests.grid import Grid, needs_grid
from tests.site.server import Request, Server, route

pytest_plugins = ["tests.grid.fixture", "tests.site.fixture"]
pytestmark = needs_grid

TESTS = Profile("tests")


def get(browser: Browser, site: Server, path: str = "/ok") -> str:
    return browser.request(Page(site.url(path))).title


def test_a_session_of_a_grid_serves_page_after_page_as_a_local_one_does(grid: Grid, site: Server):
    with Chrome(Endpoint(url=grid.url, page_load_timeout=10)) as chrome:
        for _ in range(2):
            with chrome.session(TESTS) as browser:
                assert get(browser, site, "/a") == "A"
                for path, reason in (("/204", "no_content"), ("/download", "download"), ("/404-empty", "http_404")):
                    with pytest.raises(PageError, match=reason):
                        get(browser, site, path)
                assert get(browser, site, "/b") == "B"
                assert grid.sessions() == [browser.session_id]
    # Then nothing of it is left, whichever way the Chrome there was started
    grid.until(lambda: not grid.sessions() and not grid.chromes(), seconds=15)
    assert grid.leftovers() == []


# With real workers


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.close()


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Until it is set, the site does not answer /waits."""
    gate = threading.Event()
    GATES.append(gate)
    yield gate
    gate.set()
    GATES.clear()


GATES: list[threading.Event] = []


@route("/waits")
def waits(request: Request) -> None:
    GATES[0].wait(60)
    request.html("<h1>At last</h1>")


@route("/fork")
def fork(request: Request) -> None:
    request.html("".join(f"<a href='{path}'>on</a>" for path in ("/a", "/waits", "/b", "/ok")))


def test_sessions_of_a_killed_worker_are_ended_and_a_warm_shutdown_leaves_none(grid: Grid, ground: Ground, site, held):
    # Given two workers, each with a session, one of them over a page
    first = ground.worker(chrome_url=grid.url, page_load_timeout=40)
    frontier = ground.crawl(shop(url=site.url("/fork"), depth_limit=1, concurrency_limit=2))
    registry = Registry(ground.client)
    ground.until(lambda: any(claim.page.url.endswith("/waits") for claim in frontier.processing()))
    second = ground.worker(chrome_url=grid.url, page_load_timeout=40)
    # When the first is killed
    ground.until(lambda: len(registry.sessions()) == 2)
    (lost,) = [entry.id for entry in registry.sessions() if os.getpgid(int(entry.worker.split("/")[1])) == first.process.pid]
    assert lost in grid.sessions()
    first.kill()
    held.set()
    # Then the other ends the session that it left, and does its page
    ground.until(lambda: lost not in grid.sessions(), seconds=30)
    ground.until_end(frontier)
    ended_well(frontier, map(site.url, ("/fork", "/a", "/waits", "/b", "/ok")), log=ground.redis)
    ground.until(lambda: registry.reaped() == 1)
    # And when that one is told to end, no session remains
    assert len(grid.sessions()) == 1
    second.process.terminate()
    second.process.wait(60)
    assert registry.sessions() == []
    grid.until(lambda: not grid.sessions() and not grid.chromes(), seconds=15)
