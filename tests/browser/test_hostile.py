"""Pages that mean harm: each ends as the table says, wherever Chrome is, and the page after it in
the same session is right.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crawler.browser.chrome.local import LocalDriver
from crawler.browser.chrome.shared.seats import close_group, open_group
from crawler.browser.pool import Chrome
from crawler.definition.loading import load_all
from crawler.frontier.listing import Listing
from crawler.model import Page
from crawler.profile import Profile
from tests.grid import Grid, needs_grid
from tests.site.chromes import KINDS, SHELL, WHOLE
from tests.site.server import Server
from tests.site.table import HEAVY, HOSTILE, SECTIONS, Done, Failed, Row
from tests.site.walk import SMALL_HEAP, endpoint, fits, path_on, short, walk
from tests.support.ground import Ground
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

#: Seconds after which the Grid here ends a session that is idle. No page of the table takes so
#: long.
IDLE = 20

each_section = pytest.mark.parametrize("section", SECTIONS)


@pytest.fixture(scope="module")
def remote() -> Iterator[str]:
    """The address of a ChromeDriver that runs on its own, as on another machine."""
    driver = LocalDriver(None, binary=WHOLE)
    yield driver.url
    driver.kill()


def faults(chrome: Chrome, site: Server, section: str) -> list[str]:
    """Walk over ``section``; return what was not as the table says."""
    with chrome:
        return [fault for step in walk(chrome, site, SECTIONS[section]) for fault in step.faults]


@pytest.mark.soak
@each_section
@pytest.mark.parametrize("binary", KINDS[:1])  # the other kind is that of the remote ChromeDriver
def test_a_hostile_page_ends_as_the_table_says_and_harms_no_other(site, binary, section):
    assert faults(Chrome(endpoint(binary=binary)), site, section) == []


@pytest.mark.soak
@each_section
def test_a_hostile_page_harms_no_neighbour_in_a_shared_chrome(site, tmp_path, section):
    open_group()
    over, titles = threading.Event(), list[str | None]()
    chrome = Chrome(endpoint(binary=SHELL or WHOLE, state=tmp_path, shared=8))

    def visit() -> None:
        while not over.is_set():
            with chrome.session(Profile("hostile")) as browser:
                titles.append(browser.request(Page(site.url("/ok"))).title)

    neighbour = threading.Thread(target=visit)
    neighbour.start()
    try:
        found = [fault for step in walk(chrome, site, SECTIONS[section]) for fault in step.faults]
    finally:
        over.set()
        neighbour.join()
        chrome.close()
        close_group()
    assert found == []
    assert set(titles) == {"OK"}


@pytest.mark.soak
@each_section
def test_a_hostile_page_ends_the_same_at_a_remote_chromedriver(site, remote, section):
    assert faults(Chrome(endpoint(url=remote, binary=WHOLE)), site, section) == []


@pytest.fixture(scope="module")
def hasty_grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """A Grid that soon ends what is idle: a ChromeDriver that waits for a script without an end
    hears of nothing else.
    """
    with Grid(tmp_path_factory.mktemp("grid"), slots=4, session_timeout=IDLE) as grid:
        yield grid
        grid.until(lambda: not grid.sessions() and not grid.chromes(), seconds=4 * IDLE)


@pytest.mark.soak
@needs_grid
@each_section
def test_a_hostile_page_ends_the_same_on_a_grid_and_leaves_nothing(site, hasty_grid, section):
    assert faults(Chrome(endpoint(url=hasty_grid.url)), site, section) == []


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.close()


#: A crawl of every hostile page. Those that cost a time-out burn a processor until then: for them
#: it is a short one, though longer than an ordinary page takes on a busy machine.
CRAWL = """
from crawler import Crawl

PATIENCE, HASTE, HASTY = (15.0, 12.0, 30.0), (4.0, 3.0, 10.0), {hasty!r}

hostile = Crawl(
    name="hostile", url={urls!r}, robots=False, depth_limit=0, concurrency_limit=4, attempts=1,
    crash_strikes=1, breaker_failures=0, scope="all", deny_extensions=(), throttle=False,
    flags=[{flag!r}],
)

@hostile.before
def limit(page, browser):
    load, script, command = HASTE if page.url in HASTY else PATIENCE
    browser.navigation.page_load_timeout = load
    browser.driver.set_page_load_timeout(load)
    browser.driver.set_script_timeout(script)
    browser.driver._config.timeout = command
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("left_out", [HEAVY, pytest.param((), marks=pytest.mark.soak)])
def test_a_crawl_over_all_hostile_pages_ends_with_exactly_the_table(ground, site, left_out):
    # Given every hostile page, or all but those that are as large as they may be, and four workers
    # with Chromes of their own
    rows = {site.url(row.path): row for row in HOSTILE if row.path not in left_out}
    hasty = [url for url, row in rows.items() if row.hasty]
    crawls = ground.folder / "hostile.py"
    crawls.write_text(CRAWL.format(urls=list(rows), hasty=hasty, flag=SMALL_HEAP))
    state = ground.settings().state_dir
    worker = ground.worker(4, crawls=str(crawls), page_load_timeout=15.0, script_timeout=12.0)
    frontier = ground.crawl(load_all([str(crawls)])["hostile"])
    # When it has ended
    snapshot = ground.until_end(frontier, 300)
    worker.process.terminate()
    worker.process.wait(PATIENCE)
    # Then each page is where the table says, with what it says
    came: dict[str, Done | Failed] = {}
    for _, _, line in Listing(frontier).results("0", 10_000):
        record = json.loads(line)
        came[record["url"]] = Done(
            record["links"], None, record["status"], path_on(site, record["final_url"])
        )
    for page in Listing(frontier).failed(0, 10_000):
        assert page.page.url not in came
        reason = "browser_lost" if page.reason == "poison" else page.reason  # it has no strike left
        came[page.page.url] = Failed(reason, page.failure, page.status)
    wrong = {
        rows[url].path: short(outcome)
        for url, outcome in came.items()
        if not as_said(outcome, rows[url])
    }
    assert wrong == {}, wrong
    # (of those that lead to the same page, one has its result; the others are done as well)
    assert set(came) | set(Listing(frontier).done(0, 10_000)) == set(rows)
    aliases = {url for url in rows if leads_to(rows[url]) == "/a"}
    assert set(rows) - set(came) <= aliases
    assert len(aliases & set(came)) == 1
    # And the counters agree
    failed = Counter(outcome.reason for outcome in came.values() if isinstance(outcome, Failed))
    failed["poison"] = failed.pop("browser_lost")
    failed["http_9xx"] = failed.pop("http_999")  # counted by kind, of which there are few
    assert snapshot.reasons == dict(failed)
    assert (snapshot.done, snapshot.failed) == (len(rows) - failed.total(), failed.total())
    # And nothing is left of it
    assert (
        not state.exists()
        or [path for path in state.iterdir() if path.name.startswith("chrome-")] == []
    )
    assert [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(state) in " ".join(process.info["cmdline"] or ())
    ] == []


def leads_to(row: Row) -> str | None:
    """The page of the site that it is known as in the end."""
    return (
        (row.right[0].url or row.path).partition("#")[0] if isinstance(row.right[0], Done) else None
    )


def as_said(came: Done | Failed, row: Row) -> bool:
    """Whether the table says so; a result tells how many links there were, and no title."""
    for right in row.right:
        if isinstance(right, Done):
            count = right.links if isinstance(right.links, int) else len(right.links)
            right = Done(count, None, right.status, right.url)
        if fits(came, right, row.path):
            return True
    return False
