"""A real Selenium Grid as the endpoint: sessions over pages, what ends them, and that none is
left.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crawler.browser.browser import Browser
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.registry import Registry
from crawler.browser.pool import Chrome
from crawler.errors import PageError
from crawler.frontier.listing import Listing
from crawler.model import Page
from crawler.profile import Profile
from tests.grid import Grid, needs_grid
from tests.site.server import Request, Server, route
from tests.support.ground import Ground, consistent, ended_well, shop
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.grid.fixture", "tests.site.fixture"]
pytestmark = [pytest.mark.browser, needs_grid]

TESTS = Profile("tests")


def get(browser: Browser, site: Server, path: str = "/ok") -> str:
    return browser.request(Page(site.url(path))).title


def test_a_session_of_a_grid_serves_many_pages_like_local_ones(grid: Grid, site: Server):
    with Chrome(Endpoint(url=grid.url, page_load_timeout=10)) as chrome:
        for _ in range(2):
            with chrome.session(TESTS) as browser:
                assert get(browser, site, "/a") == "A"
                for path, reason in (
                    ("/204", "no_content"),
                    ("/download", "download"),
                    ("/404-empty", "http_404"),
                ):
                    with pytest.raises(PageError, match=reason):
                        get(browser, site, path)
                assert get(browser, site, "/b") == "B"
                assert grid.sessions() == [browser.session_id]
    # Then nothing of it is left, whichever way the Chrome there was started
    grid.until(lambda: not grid.sessions() and not grid.chromes())
    assert grid.leftovers() == []


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """A Grid with two slots, which gives up a session after some seconds of idleness, and lets in
    one user.
    """
    with Grid(
        tmp_path_factory.mktemp("fragile"), slots=2, session_timeout=5, user="me:canary-7"
    ) as grid:
        yield grid


@pytest.fixture(scope="module")
def idle(fragile: Grid, site: Server) -> Iterator[Chrome]:
    """A browser that did a page, long ago: a Grid looks for idle sessions each half minute. It does
    not give its session back itself, however long the tests before take.
    """
    endpoint = Endpoint(url=fragile.url, page_load_timeout=10, idle_timeout=3_600.0)
    with Chrome(endpoint) as chrome:
        with chrome.session(TESTS) as browser:
            assert get(browser, site, "/a") == "A"
        yield chrome


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


@pytest.mark.usefixtures("idle")  # it may begin to wait
def test_killed_workers_have_their_sessions_ended_and_warm_shutdown_leaves_none(
    grid: Grid, ground: Ground, site, held
):
    # Given two workers, each with a session, one of them over a page
    first = ground.worker(chrome_url=grid.url, page_load_timeout=40)
    frontier = ground.crawl(shop(url=site.url("/fork"), depth_limit=1, concurrency_limit=2))
    registry = Registry(ground.client)
    ground.until(
        lambda: any(claim.page.url.endswith("/waits") for claim in Listing(frontier).processing())
    )
    second = ground.worker(chrome_url=grid.url, page_load_timeout=40)
    # When the first is killed
    ground.until(lambda: len(registry.sessions()) == 2)
    (lost,) = [
        entry.id
        for entry in registry.sessions()
        if os.getpgid(int(entry.worker.split("/")[1])) == first.process.pid
    ]
    assert lost in grid.sessions()
    first.kill()
    held.set()
    # Then the other ends the session that it left, and does its page
    ground.until(lambda: lost not in grid.sessions())
    ground.until_end(frontier)
    ended_well(frontier, map(site.url, ("/fork", "/a", "/waits", "/b", "/ok")), log=ground.redis)
    ground.until(lambda: registry.reaped() == 1)
    # And when that one is told to end, no session remains
    assert len(grid.sessions()) == 1
    second.process.terminate()
    second.process.wait(PATIENCE)
    assert registry.sessions() == []
    grid.until(lambda: not grid.sessions() and not grid.chromes())


def test_runs_wait_without_a_claim_while_a_grid_is_full(grid: Grid, ground: Ground, site):
    # Given a Grid whose slots are all taken
    with Chrome(Endpoint(url=grid.url)) as others, ThreadPoolExecutor(3) as pool:
        gate = threading.Event()

        def occupy() -> None:
            with others.session(TESTS):
                gate.wait(60)

        taken = [pool.submit(occupy) for _ in range(3)]
        grid.until(lambda: len(grid.sessions()) == 3)
        # When a crawl begins, then its run waits for a session, ends, and another waits; no page is
        # claimed, none is blamed
        worker = ground.worker(chrome_url=grid.url, session_timeout=1.5)
        frontier = ground.crawl(shop(url=site.url("/a"), depth_limit=0))
        ground.until(lambda: worker.said().count("no page is begun") >= 2)
        assert "gave no session within 1.5 s" in worker.said()
        seen = consistent(frontier)
        assert (seen.queued, seen.processing, seen.counts.get("started", 0)) == (1, 0, 0)
        assert seen.held_until is None
        # And when a slot is free, it goes on
        gate.set()
        for one in taken:
            one.result()
    ground.until_end(frontier)
    ended_well(frontier, [site.url("/a")], log=ground.redis)
    worker.process.terminate()
    worker.process.wait(PATIENCE)
    grid.until(lambda: not grid.sessions())


# A Grid that is impatient, and hurt


def test_an_idle_session_is_given_back_before_the_grid_drops_it(grid: Grid, site):
    with Chrome(Endpoint(url=grid.url, page_load_timeout=10, idle_timeout=0.5)) as chrome:
        with chrome.session(TESTS) as browser:
            assert get(browser, site, "/a") == "A"
        # far below the Grid's own 300
        grid.until(lambda: not chrome.warm and not grid.sessions())
        with chrome.session(TESTS) as browser:
            assert get(browser, site, "/b") == "B"


def test_a_session_that_the_grid_gave_up_costs_no_page(fragile: Grid, idle: Chrome, site):
    (session,) = idle._sessions
    first = session.browser.session_id
    fragile.until(lambda: first not in fragile.sessions())
    with idle.session(TESTS) as browser:
        assert get(browser, site, "/b") == "B"
        assert browser.session_id != first
    idle.close()


@pytest.mark.soak
def test_a_page_survives_a_killed_node_and_a_restarted_hub(
    fragile: Grid, ground: Ground, site, held
):
    # Given a page that waits for its answer
    hits = site.hits["/waits"]
    worker = ground.worker(chrome_url=fragile.url, session_timeout=5, page_load_timeout=8)
    frontier = ground.crawl(shop(url=site.url("/fork"), depth_limit=1, concurrency_limit=1))
    ground.until(lambda: site.hits["/waits"] > hits)
    # When the node ends in the midst of it, and comes again
    fragile.nodes[-1].kill()
    fragile.start_node(2)
    # And then the hub, over the same page
    ground.until(lambda: site.hits["/waits"] > hits + 1, seconds=90)
    fragile.hub.kill()
    fragile.start_hub()
    ground.until(lambda: site.hits["/waits"] > hits + 2, seconds=90)
    held.set()
    # Then every page is done, and the log holds no password
    ground.until_end(frontier)
    seen = ended_well(
        frontier, map(site.url, ("/fork", "/a", "/waits", "/b", "/ok")), log=ground.redis
    )
    assert seen.counts.get("crashed", 0) <= 1
    worker.process.terminate()
    worker.process.wait(PATIENCE)
    fragile.until(lambda: not fragile.sessions())
    assert "canary-7" not in worker.said()
    assert "canary-7" not in str(ground.client.hgetall("sessions"))
