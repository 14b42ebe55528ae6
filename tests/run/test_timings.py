"""How long steps took: in powers of two, exactly as many as there were."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.crawl_plan import plan_of
from crawler.definition.network import guard_of
from crawler.frontier.frontier import Frontier
from crawler.model import Outcome
from crawler.net.permits import Permits
from crawler.run.context import RunServices
from crawler.run.lifecycle import execute
from crawler.run.observer import RunObserver
from crawler.run.timings import POWERS, bucket, tallies
from tests.support.ground import shop


@pytest.mark.parametrize(
    ("ms", "power"),
    [
        (0, 0),
        (1, 0),
        (1.5, 1),
        (2, 1),
        (2.5, 2),
        (4, 2),
        (64, 6),
        (65, 7),
        (65_536, 16),
        (65_537, 17),
        (1e9, POWERS),
    ],
)
def test_a_bucket_is_the_least_power_of_two_above_a_time(ms, power):
    assert bucket(ms / 1_000) == power


def test_what_is_no_step_of_a_run_is_not_counted():
    assert tallies([("", 1.0), ("execute", 1.0), ("request", 0.1)]) == {
        "step:request:7": 1,
        "step:request:us": 100_000,
    }


def test_counts_of_a_run_go_with_its_times():
    observer = RunObserver("books")
    observer.count("cookies_cleared")
    observer.count("cookies_cleared")
    assert observer.sums() == {"count:cookies_cleared": 2}


def test_a_run_that_starts_nothing_hands_in_pending_timings(redis, tmp_path: Path):
    # Given a crawl that is over, and a process whose run before left steps to be handed in
    crawl = shop()
    frontier = Frontier(redis, crawl.name)
    frontier.create(plan_of(crawl))
    frontier.cancel("enough")
    pending = deque([("after", 0.003)])
    # When it is told to do another run
    chrome, permits = Chrome(Endpoint(state=tmp_path)), Permits(guard_of(crawl), obey=False)
    services = RunServices(frontier, chrome, permits, lambda *_: None, "here/1")
    outcome = execute(crawl, services, observer=RunObserver(crawl.name, pending))
    # Then they are counted, once
    assert outcome is Outcome.STOPPED
    assert (frontier.tallies()["step:after:2"], [*pending]) == (1, [])
