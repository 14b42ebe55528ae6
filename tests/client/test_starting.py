"""One verb starts a crawl from everywhere: it can be called twice, and says what became of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from crawler import Crawl, CrawlExists, DefinitionError, UnknownCrawl
from crawler.client.client import Client
from crawler.client.seeds import SeedLoader
from crawler.client.start_report import IfExists, StartReport
from crawler.config import settings as configuration
from crawler.definition.crawl_plan import plan_of
from crawler.definition.digest import digest_of
from crawler.frontier.keys import CLEARING
from crawler.model import Status
from crawler.services import Services
from crawler.tasks import crawl as tasks
from crawler.tasks.crawl import BadMessage

CRAWL = Crawl(name="nightly", url="http://127.0.0.1/", page_limit=5)
CHANGED = CRAWL.replace(page_limit=6)
ELSEWHERE = CRAWL.replace(url="http://other.example/")


@pytest.fixture
def library(redis, redis_server, tmp_path) -> Client:
    """A library on an empty Redis; its wake-ups go to a broker that nobody reads."""
    del redis
    return Client(
        configuration.load(
            redis_url=redis_server.url, broker_url=redis_server.broker_url, state_dir=tmp_path
        )
    )


def brief(report: StartReport) -> tuple[str, str, bool]:
    """Return the outcome, the first words of its reason, and whether the crawl is as it was."""
    snapshot = report.handle.snapshot()
    as_it_was = (snapshot.generation, report.handle.frontier.digest()) == (1, digest_of(CRAWL))
    return report.outcome.value, " ".join((report.reason or "").split()[:4]), as_it_was


#: By the state of the crawl before and the definition of the start: what becomes of it, for each
#: word of ``if_exists``, and whether the crawl is as it was.
STOPPED = ("refused", "it has STOPPED; restart", True)
TABLE = {
    ("goes on", CRAWL): {
        None: ("running", "", True),
        "keep": ("running", "", True),
        "update": ("running", "", True),
        "restart": ("running", "", True),
        "reset": ("started", "", False),
    },
    ("goes on", CHANGED): {
        None: ("updated", "", False),
        "keep": ("running", "by another version of", True),
        "update": ("updated", "", False),
        "restart": ("updated", "", False),
        "reset": ("started", "", False),
    },
    ("goes on", ELSEWHERE): {
        None: ("refused", "another crawl of this", True),
        "keep": ("running", "by another version of", True),
        "update": ("updated", "", False),
        "restart": ("refused", "another crawl of this", True),
        "reset": ("started", "", False),
    },
    ("is paused", CRAWL): {None: ("running", "it is paused; resume", True)},
    ("is stopping", CRAWL): {
        None: ("refused", "it is stopping; start", True),
        "restart": ("refused", "it is stopping; start", True),
        "reset": ("started", "", False),
    },
    ("is stopping", CHANGED): {"update": ("refused", "it is stopping; start", True)},
    ("has ended", CRAWL): {
        None: STOPPED,
        "keep": STOPPED,
        "update": STOPPED,
        "restart": ("started", "", False),
        "reset": ("started", "", False),
    },
    ("has ended", CHANGED): {None: STOPPED, "update": STOPPED, "restart": ("started", "", False)},
}


@pytest.mark.parametrize(("state", "crawl"), TABLE)
def test_a_start_says_what_became_of_it_and_wipes_nothing_unasked(state, crawl, library):
    for if_exists, wanted in TABLE[state, crawl].items():
        library.clear("nightly")
        first = library.start(CRAWL)
        assert (str(first), first.new) == ("nightly: started", True)
        if state == "is paused":
            first.handle.pause()
        elif state == "is stopping":
            assert first.handle.frontier.claim("w1").claim
            first.handle.stop()
        elif state == "has ended":
            first.handle.stop()
        foreseen = library._foresee(crawl, if_exists and IfExists(if_exists))
        report = library.start(crawl, if_exists=if_exists)
        assert brief(report) == wanted, if_exists
        assert (report.outcome, report.reason) == foreseen  # as a transaction is told it


def test_a_crawl_is_started_by_its_name_also_one_without_code(library):
    with pytest.raises(UnknownCrawl):
        library.start("nightly")
    library.start(CRAWL)
    assert library.start("nightly").outcome == "running"
    library.handle("nightly").stop()
    with pytest.raises(CrawlExists, match="it has STOPPED"):
        library.start("nightly").raise_if_refused()
    assert library.restart("nightly").raise_if_refused().new
    with pytest.raises(ValueError, match="anew"):
        library.start("nightly", if_exists="anew")


def test_the_task_for_schedules_says_the_same_as_the_client(library, monkeypatch, caplog):
    services = Services(library.settings)
    monkeypatch.setattr(tasks, "services", lambda: services)
    library.start(CRAWL)
    assert tasks.start("nightly")["outcome"] == "running"
    library.handle("nightly").stop()
    refused = tasks.start("nightly")
    assert (refused["outcome"], refused["status"]) == ("refused", "STOPPED")
    assert "nightly: refused (it has STOPPED" in caplog.text
    assert tasks.start("nightly", if_exists="restart") == {
        "crawl": "nightly",
        "outcome": "started",
        "reason": None,
        "status": "ACTIVE",
    }
    assert tasks.start("nightly", reset=True)["outcome"] == "running"  # of an older schedule
    with pytest.raises(BadMessage):
        tasks.start("nightly", if_exists="wipe it")


def test_of_eight_who_begin_it_again_at_once_one_does(library):
    library.start(CRAWL).handle.stop()
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: library.restart(CRAWL), range(8)))
    assert sorted(report.outcome for report in reports) == ["running"] * 7 + ["started"]
    seen = reports[0].handle.snapshot()
    assert (seen.generation, seen.accepted) == (2, 1)


def test_eight_who_reset_a_running_crawl_leave_one_whole_crawl(library):
    library.start(CRAWL)
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: library.start(CRAWL, if_exists="reset"), range(8)))
    assert {report.outcome for report in reports} == {"started"}
    seen = reports[0].handle.snapshot()
    assert (seen.status, seen.queued, seen.generation) == (Status.ACTIVE, 1, 9)


@pytest.mark.parametrize("there", [True, False])
def test_a_start_that_another_reset_overtakes_says_so(library, monkeypatch, there):
    queue = SeedLoader.queue_entry_pages

    def queue_late(loader):
        frontier = library.frontier("nightly")
        frontier.clear()
        if there:  # as far as another process may have come
            frontier.create(plan_of(CRAWL))
            frontier.stop(CLEARING)
        queue(loader)

    monkeypatch.setattr(SeedLoader, "queue_entry_pages", queue_late)
    report = library.start(CRAWL)
    assert (report.outcome, report.reason) == ("started", "another process has forgotten it since")


def test_what_is_wrong_with_a_definition_is_told_before_anything_is_forgotten(library):
    handle = library.start(CRAWL).handle
    handle.stop()
    with pytest.raises(DefinitionError):
        library.restart(CRAWL.replace(page_limit=-1))
    assert handle.status is Status.STOPPED
