"""Browsers that crash, hang, are away or too few, and pages that lead nowhere: the page's own
outcome, and a new session.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crawler.browser.chrome.local import find_driver
from crawler.frontier.listing import Listing
from crawler.model import FailureClass
from tests.site.server import Request, Server, route
from tests.support.ground import (
    Ground,
    consistent,
    ended_well,
    history,
    on_site,
    pid_of,
    results,
    shop,
)
from tests.support.ports import free_port
from tests.support.webdriver import CRASH, Doc

pytest_plugins = ["tests.site.fixture"]

NEVER = threading.Event()
PATHS = [f"/{n}" for n in range(6)]


def star(*paths: str) -> dict[str, Doc]:
    return {"/": Doc(links=paths)} | {path: Doc() for path in paths}


def test_a_page_that_always_crashes_its_tab_harms_no_other(ground: Ground):
    """Fault 5: two strikes; each time the browser is renewed."""
    chrome = ground.chrome_on(star(*PATHS) | {"/3": Doc(error=CRASH)})
    ground.worker()
    frontier = ground.crawl(shop())
    ground.until_end(frontier)
    seen = ended_well(frontier, {"/", *PATHS} - {"/3"}, {"/3": "poison"}, log=ground.redis)
    assert Listing(frontier).failed()[0].failure is FailureClass.CRASH
    assert seen.counts["crashed"] == 2
    victims = [visit.session for visit in chrome.visits if visit.url == on_site("/3")]
    assert len(victims) == len(set(victims)) == 2


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Until it is set, the site does not answer /held."""
    gate = threading.Event()
    HELD.append(gate)
    yield gate
    gate.set()
    HELD.clear()


HELD: list[threading.Event] = []


@route("/held-start")
def held_start(request: Request) -> None:
    request.html("".join(f"<a href='{path}'>on</a>" for path in ("/a", "/held", "/b")))


@route("/held")
def held_page(request: Request) -> None:
    HELD[0].wait(60)
    request.html("<h1>At last</h1>")


@pytest.mark.browser
@pytest.mark.parametrize("victim", ["chrom", "chromedriver"])
def test_a_page_whose_chrome_is_killed_is_done_by_a_new_one(
    ground: Ground, site: Server, held: threading.Event, victim: str
):
    """Fault 6: with its whole tree, or by the death of its driver; the next pages are fine."""
    hits = site.hits["/held"]
    ground.worker(page_load_timeout=20, script_timeout=5, chrome_shared=1)
    frontier = ground.crawl(shop(url=site.url("/held-start"), depth_limit=1))
    ground.until(lambda: site.hits["/held"] > hits)
    _, claim = ground.holder(frontier, site.url("/held"))
    for process in psutil.Process(pid_of(claim)).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # some end with another
            name = process.name()
            if name.startswith(victim) and (victim == "chromedriver" or name != "chromedriver"):
                process.kill()
    held.set()
    ground.until_end(frontier)
    seen = ended_well(
        frontier,
        [site.url(path) for path in ("/held-start", "/a", "/b", "/held")],
        log=ground.redis,
    )
    assert seen.counts["crashed"] == 1
    assert site.hits["/held"] == hits + 2


@pytest.mark.browser
def test_a_page_with_an_endless_script_fails_and_harms_no_other(ground: Ground, site: Server):
    """Fault 7, with Chrome: alive, and busy for ever with /endless."""
    hits = site.hits["/endless"]
    ground.worker(page_load_timeout=2, script_timeout=1)
    frontier = ground.crawl(
        shop(url=[site.url("/endless"), site.url("/a"), site.url("/b")], depth_limit=0, attempts=2)
    )
    ground.until_end(frontier)
    seen = ended_well(
        frontier, [site.url("/a"), site.url("/b")], {site.url("/endless"): "hung"}, log=ground.redis
    )
    assert seen.counts["retried"] == 1
    assert site.hits["/endless"] == hits + 2


def test_a_silent_browser_holds_its_page_until_the_hard_deadline_only(ground: Ground):
    """Fault 7, a driver that answers nothing at all: the lease is renewed until the page's
    deadline, and no longer.
    """
    chrome = ground.chrome_on(star(*PATHS) | {"/3": Doc(gate=NEVER)})
    ground.worker(2, page_load_timeout=40, run_timeout=100)
    frontier = ground.crawl(shop(concurrency_limit=2), lease=3.0, page_deadline=6.0)
    ground.until(lambda: frontier.snapshot().counts.get("reaped"))
    chrome.site = star(*PATHS)
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert seen.counts["reaped"] == 1
    assert chrome.count("/3") == 2


class Supervised:
    """A ChromeDriver at one address, which is started again whenever it ends, as by a container's
    restart policy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.over = folder, threading.Event()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self.start()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [find_driver(), f"--port={self.port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )

    def watch(self) -> None:
        while not self.over.is_set():
            self.process.wait()
            if not self.over.is_set():
                self.process = self.start()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        self.over.set()
        self.kill()
        self.thread.join()


DRIVERS: list[Supervised] = []


@route("/kills-its-driver")
def kills_its_driver(request: Request) -> None:
    DRIVERS[0].kill()
    request.html("<h1>Too late</h1>")


@pytest.mark.soak
@pytest.mark.browser
def test_a_page_that_always_kills_a_remote_driver_is_poison_not_outage(
    ground: Ground, site: Server, den: Path
):
    driver = Supervised(den)
    DRIVERS.append(driver)
    ground.ending.callback(DRIVERS.clear)
    ground.ending.callback(driver.close)
    ground.worker(chrome_url=driver.url, page_load_timeout=20, session_timeout=20)
    hits = site.hits["/kills-its-driver"]
    frontier = ground.crawl(
        shop(url=[site.url("/a"), site.url("/kills-its-driver"), site.url("/b")], depth_limit=0)
    )
    ground.until_end(frontier, 150)
    seen = ended_well(
        frontier,
        [site.url("/a"), site.url("/b")],
        {site.url("/kills-its-driver"): "poison"},
        log=ground.redis,
    )
    assert seen.counts["crashed"] == 2
    assert site.hits["/kills-its-driver"] == hits + 5


@pytest.mark.parametrize(
    "seconds", [0, pytest.param(180, marks=[pytest.mark.soak, pytest.mark.timeout(400)])]
)
def test_a_crawl_without_its_grid_is_held_and_burns_no_attempt(ground: Ground, seconds: int):
    """Fault 8: it goes down with a page in flight."""
    chrome = ground.chrome_on(star(*PATHS) | {"/3": [Doc(gate=NEVER), Doc()]})
    ground.worker()
    frontier = ground.crawl(shop())
    ground.until(lambda: chrome.count("/3"))
    chrome.down()
    ground.until(lambda: frontier.snapshot().held_until)
    seen = consistent(frontier)
    assert (seen.processing, seen.failed) == (0, 0)
    assert "held" in str(frontier.tick().alarms)
    NEVER.wait(seconds)
    assert consistent(frontier).failed == 0
    chrome.up()
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert set(seen.counts) & {"crashed", "retried", "reaped"} == set()
    assert seen.counts["started"] == 1 + len(PATHS)


def test_no_page_is_claimed_while_its_run_waits_for_a_session(ground: Ground):
    """Fault 9: a Grid with one slot, and two runs that want one; and then as many as may be, which
    do not keep the wake-ups from the process with the session.
    """
    gate = threading.Event()
    chrome = ground.chrome_on(star(*PATHS) | {"/": Doc(links=PATHS, gate=gate)}, slots=1)
    worker = ground.worker(3, session_timeout=60, run_timeout=120)
    frontier = ground.crawl(shop(concurrency_limit=2), wake=False)
    library = ground.library()
    for ticket in ("one", "two"):
        library.send("shop", ticket)
    ground.until(lambda: chrome.waiting and chrome.count("/"))
    assert consistent(frontier).processing == 1
    gate.set()
    ground.until(lambda: frontier.snapshot().done > 1)
    assert consistent(frontier).processing <= 1
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)
    assert len(chrome.opened) == 1
    # none had to give up its place before the others went on
    assert "no page is begun" not in worker.said()


@route("/dead-ends")
def dead_ends(request: Request) -> None:
    """Links to every page that leads nowhere, and to one between each two of them."""
    away = f"http://localhost:{request.server.server_address[1]}/ok"
    ends = [
        "/loop",
        f"/to?url={away}",
        "/to?url=/a",
        "/download",
        "/204",
        "/401",
        "/401-body",
        "/alert",
        "/alert-late",
        "/stay",
    ]
    request.html("".join(f"<a href='{path}'>on</a> " for path in ["/a", *ends, "/b"]))


@pytest.mark.browser
def test_pages_that_lead_nowhere_end_with_reasons_and_free_their_slots(
    ground: Ground, site: Server
):
    """Fault 23: redirects that loop, leave or lead to a page that is done; a download, a log-in,
    dialogs of every kind.
    """
    ground.worker(page_load_timeout=5, script_timeout=2)
    frontier = ground.crawl(
        shop(url=site.url("/dead-ends"), depth_limit=1, concurrency_limit=1, deny_extensions=[])
    )
    ground.until_end(frontier)
    away = site.url("/ok", "localhost")
    done = ["/dead-ends", "/a", "/b", "/alert", "/alert-late", "/stay"]
    failed = {
        "/loop": "redirect_loop",
        "/download": "download",
        "/204": "no_content",
        "/401": "auth_required",
        "/401-body": "auth_required",
        f"/to?url={away}": "redirect_private",
    }
    seen = consistent(frontier)
    assert {page.page.url: page.reason for page in Listing(frontier).failed()} == {
        site.url(path): why for path, why in failed.items()
    }
    assert sorted(Listing(frontier).done()) == sorted(map(site.url, [*done, "/to?url=/a"]))
    assert sorted(results(frontier)) == sorted(map(site.url, done))
    assert history(ground.redis.folder, frontier) == ["NEW", "ACTIVE", "FINISHED"]
    # it leads to a page that is done: it counts, without a second result
    assert seen.counts["dup"] == 1
