"""Hooks that raise, never return, or return what they should not: their page fails, with the
reason, and the chain goes on.
"""

from __future__ import annotations

import pytest

from crawler.definition.loading import load_all
from crawler.errors import FrontierRefused
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.outbox import Outbox
from crawler.model import FailureClass, Page, Status
from crawler.observe.logs import CONTINUATION
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

def nested(levels):
    data = "http://127.0.0.1/"
    for _ in range(levels):
        data = [data]
    return data

own = {}
own["self"] = own
results = {
    "huge": "\u00e9" * 600_000, "deep": nested(33), "deepest": nested(100_000), "own": own,
    "nan": float("nan"), "infinite": [1e999],
}
for name, data in results.items():
    globals()[f"of_{name}"] = made = crawl(name)
    made.extract(lambda page, data=data: data if page.url.endswith("/3") else {"url": nested(31)})

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


#: The code that all hooks of PLACES share, and the line of it that raises.
PRICES = """def price(page=None, **rest):
    return {"url": page}["price"]
"""
LINE = "prices.py:2"

PLACES = """
from crawler import Crawl
from prices import price

def crawl(step, **fields):
    made = Crawl(
        name=step.replace("_", "-"), url="http://127.0.0.1/", robots=False, backoff=0.05,
        backoff_cap=0.1, breaker_failures=0, attempts=1, after_attempts=1, **fields,
    )
    if step not in ("scope", "extract"):
        made.extract(lambda page: {"url": page.url})
    return made

def breaks(step, *names):
    made = crawl(step)
    getattr(made, step)(eval(f"lambda {', '.join(names)}: price({', '.join(names)})"))
    return made

class At:
    def __call__(self, url):
        return price(url)

before, extract = breaks("before", "page"), breaks("extract", "page")
link = breaks("filter", "link")
after, failed, after_all = breaks("after", "page"), breaks("failed", "page"), breaks("after_all")
scope = crawl("scope", scope=At())
start = crawl("start")

@start.start
def send():
    price()
"""


def at(words: str) -> str:
    """The line of HOOKS that holds ``words``, as a reason names it."""
    line = next(n for n, line in enumerate(HOOKS.splitlines(), 1) if words in line)
    return f"(hooks.py:{line})"


@pytest.fixture
def hooks(ground: Ground) -> str:
    path = ground.folder / "hooks.py"
    path.write_text(HOOKS)
    ground.chrome_on({"/": Doc(links=PATHS)} | {path: Doc() for path in PATHS})
    return str(path)


def test_a_hook_that_raises_or_returns_nonsense_fails_its_page_only(ground: Ground, hooks: str):
    """Fault 24: twelve crawls at once, in each of which a hook does wrong at one page."""
    worker = ground.worker(2, crawls=hooks)
    crawls = load_all([hooks])
    expected = {
        "before": f"before: LookupError: nothing to log in with {at('nothing to log')}",
        "raises": f"extract: KeyError: 'price' {at('KeyError')}",
        "no-json": (
            f"extract: TypeError: Object of type bytes is not JSON serializable {at('no_json.')}"
        ),
        "half": f"extract: ValueError: no price in Ten \ufffd {at('ValueError')}",
        "mute": f"extract: Mute {at('raise Mute')}",
        "huge": "extract: ValueError: the result has 1,200,",
        "deep": "extract: ValueError: the result is nested more than 32 levels deep",
        "deepest": "extract: ValueError: the result is nested more than 32 levels deep",
        "own": "extract: ValueError: the result is nested more than 32 levels deep",
        "nan": "extract: ValueError: Out of range float values are not JSON compliant",
        "infinite": "extract: ValueError: Out of range float values are not JSON compliant",
        "no-list": (
            "filter: TypeError: the filter hook choose must return the links to keep, not int"
            f" {at('no_list.')}"
        ),
    }
    frontiers = {name: ground.crawl(crawls[name]) for name in expected}
    for name, reason in expected.items():
        ground.until_end(frontiers[name])
        (lost,) = Listing(frontiers[name]).failed()
        assert (lost.failure, lost.reason[: len(reason)]) == (FailureClass.HOOK, reason)
        reasons = {"/3": lost.reason}
        ended_well(frontiers[name], {"/", *PATHS} - {"/3"}, reasons, log=ground.redis)
    ground.until(lambda: "KeyError: 'price'" in worker.said())


def test_every_hook_error_names_crawl_url_step_file_and_line(ground: Ground):
    # Given crawls whose hooks raise, in a function that all share
    (ground.folder / "prices.py").write_text(PRICES)
    places = ground.folder / "places.py"
    places.write_text(PLACES)
    ground.chrome_on({"/": Doc(links=["/gone"]), "/gone": Doc(status=404)})
    crawls = load_all([str(places)])
    worker = ground.worker(2, crawls=str(places))
    # When they have run
    frontiers = {name: ground.crawl(crawl, wake=name != "start") for name, crawl in crawls.items()}
    for name in frontiers.keys() - {"start"}:
        ground.until_end(frontiers[name])
    # Then the log names, for each of them, the hook, the crawl, the URL and the line
    for name in crawls:
        step = name.replace("-", "_")
        url = {"after-all": "", "start": "", "failed": f" at {SITE}/gone"}.get(name, f" at {SITE}/")
        note = f"raised by the hook {step} of the crawl {name}{url}{CONTINUATION}{LINE}"
        ground.until(lambda note=note: note in worker.said())
    # And the frontier keeps it as the reason
    error = f"KeyError: 'price' ({LINE})"
    assert frontiers["start"].start_error() == error
    for name in ("before", "extract", "filter", "scope"):
        reason = next(
            page.reason for page in Listing(frontiers[name]).failed() if page.page.url == f"{SITE}/"
        )
        assert reason == f"{name}: {error}"
    for name in ("after", "failed", "after-all"):
        undelivered = ground.until(lambda name=name: Outbox(frontiers[name]).undelivered())
        assert {letter.reason for letter in undelivered} == {error}


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
        crawl, page_deadline=6.0, lease=3.0, crash_strikes=1, concurrency_limit=2
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
