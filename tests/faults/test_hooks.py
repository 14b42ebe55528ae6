"""Hooks that raise, never return, or return what they should not: their page fails, with the
reason, and the chain goes on.
"""

from __future__ import annotations

import pytest

from crawler.definition.loading import load_all
from crawler.errors import FrontierRefused
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import FailureClass, Page, Status
from tests.support.ground import SITE, Ground, consistent, ended_well, on_site, shop
from tests.support.webdriver import Doc

PATHS = [f"/{n}" for n in range(6)]

HOOKS = """
import time
from crawler import Crawl
from crawler.client import Client

def crawl(name):
    return Crawl(
        name=name, url="http://127.0.0.1/", robots=False,
        backoff=0.05, backoff_cap=0.1, breaker_failures=0,
    )

before_raises, raises, no_json = map(crawl, ("before", "raises", "no-json"))
no_list, sleeps, adds = map(crawl, ("no-list", "sleeps", "adds"))
half, mute = map(crawl, ("half", "mute"))

@before_raises.before
def broken_before(page):
    if page.url.endswith("/3"):
        raise LookupError("nothing to log in with")

@raises.extract
def broken(page):
    if page.url.endswith("/3"):
        raise KeyError("price")
    return {"url": page.url}

@no_json.extract
def bytes_of(page):
    return b"bytes" if page.url.endswith("/3") else {"url": page.url}

@half.extract
def half_a_character(page):
    if page.url.endswith("/3"):
        raise ValueError("no price in Ten \\ud83d")
    return {"url": page.url}

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")
    __repr__ = __str__

@mute.extract
def says_nothing(page):
    if page.url.endswith("/3"):
        raise Mute
    return {"url": page.url}

@no_list.filter
def choose(links, page):
    return 42 if page.url.endswith("/3") else links

@sleeps.extract
def never(page):
    while page.url.endswith("/3"):
        time.sleep(3600)
    return {"url": page.url}

@adds.after
def add(result):
    if result.page.url.endswith("/3"):
        from crawler.model import Page
        Client().frontier("over").enqueue([Page("http://127.0.0.1/more")])
"""


@pytest.fixture
def hooks(ground: Ground) -> str:
    path = ground.folder / "hooks.py"
    path.write_text(HOOKS)
    ground.chrome_on({"/": Doc(links=PATHS)} | {path: Doc() for path in PATHS})
    return str(path)


def test_a_hook_that_raises_or_returns_nonsense_fails_its_page_only(ground: Ground, hooks: str):
    """Fault 24: six crawls at once, in each of which a hook does wrong at one page."""
    worker = ground.worker(2, crawls=hooks)
    crawls = load_all([hooks])
    expected = {
        "before": "before: LookupError: nothing to log in with",
        "raises": "extract: KeyError: 'price'",
        "no-json": "extract: TypeError: Object of type bytes is not JSON serializable",
        "half": "extract: ValueError: no price in Ten \ufffd",
        "mute": "extract: Mute",
        "no-list": (
            "filter: TypeError: the filter hook choose must return the links to keep, not int"
        ),
    }
    frontiers = {name: ground.crawl(crawls[name]) for name in expected}
    for name, reason in expected.items():
        ground.until_end(frontiers[name])
        ended_well(frontiers[name], {"/", *PATHS} - {"/3"}, {"/3": reason}, log=ground.redis)
        assert Listing(frontiers[name]).failed()[0].failure is FailureClass.HOOK
    assert "KeyError: 'price'" in worker.said()


def test_a_hook_that_never_returns_costs_its_page_and_briefly_a_slot(ground: Ground, hooks: str):
    """Fault 24: the page is given up at its hard deadline, the process at the run's time limit."""
    ground.worker(
        2,
        crawls=hooks,
        page_load_timeout=1.0,
        script_timeout=0.5,
        session_timeout=10.0,
        run_timeout=17.0,
    )
    crawl = load_all([hooks])["sleeps"]
    frontier = ground.crawl(
        crawl, page_deadline=2.0, lease=1.0, crash_strikes=1, concurrency_limit=2
    )
    ground.until_end(frontier)
    ended_well(frontier, {"/", *PATHS} - {"/3"}, {"/3": "poison"}, log=ground.redis)
    # and then it serves again
    ground.until(lambda: "SoftTimeLimitExceeded" in ground.workers[0].said())
    again = ground.crawl(shop(name="again", concurrency_limit=2))
    ground.until_end(again)
    ended_well(again, ["/", *PATHS], log=ground.redis)


def test_adding_pages_to_an_ended_crawl_is_refused_and_harms_nothing(ground: Ground, hooks: str):
    """Fault 24: an after hook tries it at one page."""
    over = ground.crawl(shop(name="over"), wake=False)
    assert over.stop("it was enough")
    with pytest.raises(
        FrontierRefused,
        match=r"STOPPED .it was enough.; pages are added only after it is re-opened",
    ):
        Frontier(ground.client, "over").enqueue([Page(f"{SITE}/more")])
    worker = ground.worker(crawls=hooks)
    frontier = ground.crawl(load_all([hooks])["adds"])
    ground.until_end(frontier)
    ended_well(frontier, ["/", *PATHS], log=ground.redis)
    ground.until(lambda: "the crawl is STOPPED (it was enough)" in worker.said())
    seen = consistent(over)
    assert (seen.status, seen.accepted) == (Status.STOPPED, 1)
    assert [page.url for page in Listing(over).queued()] == [on_site("/")]
