"""Scenarios: what their authors write, and what they are told of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import SetupError
from crawler.loadtest.scenario import EXPERIMENTS, Scenario, check, read

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_is_a_scenario_with_targets_and_stages():
    scenario = read(ROOT / "examples/load/newsroom.toml")
    assert scenario.times == (1, 5, 10)
    assert scenario.rate
    assert scenario.subscribers
    assert {"waiting_p99", "total_p95", "failures"} == set(scenario.targets)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("publishers = 5", "publishers need a rate"),
        ("rate = 5.0\nwaiters = 2", "a rate needs publishers"),
        ("duration = 5.0", "nobody orders a job"),
        ("waiters = 1\nsubscribers = 2", "subscribers need publishers"),
        ("waiters = 1\nwaters = 2", "waters: there is no such field; did you mean waiters?"),
        ("waiters = 1\n[job]\nurll = 'http://a/'", "job.urll: there is no such field; did you"),
        ("waiters = 1\n[job]\nurl = 'http://a/'\ncrawl = 'b'", "name one"),
        ("waiters = 1\n[targets]\nwaiting_p100 = 2.0", "'waiting_p100' is no target"),
        ("waiters = 1\n[targets]\nfailures = -1", "targets.failures: Input should be greater"),
        ("waiters = -1", "waiters: Input should be greater"),
        ("waiters = 1\nduration = inf", "duration: Input should be"),
        ("waiters = 1\ntimes = []", "times: Tuple should have at least 1 item"),
        ("waiters = 1\nexperiment = 1", "experiment is no field of a file"),
        ("waiters = ", "is no TOML"),
        ("locustfile = 'none.py'\nusers = 1", "there is no locustfile"),
        ("locustfile = 'none.py'\nusers = 1\nwaiters = 1", "users says how many"),
        ("users = 3", "users is for a locustfile"),
    ],
)
def test_a_mistake_in_a_scenario_is_named(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SetupError) as caught:
        read(path)
    assert said in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for name in ("none.toml", "none.py"):
        with pytest.raises(SetupError, match=name):
            read(tmp_path / name)


def test_changes_are_checked_with_the_rest():
    changed = EXPERIMENTS[2].changed(rate=20.0, duration=None)
    assert (changed.rate, changed.duration, changed.publishers) == (20, 60, 5)
    with pytest.raises(SetupError, match="a rate needs publishers"):
        EXPERIMENTS[1].changed(rate=2.0)


def test_an_order_reads_the_page_unless_it_says_another():
    own = check({"waiters": 1, "job": {"url": "http://a/", "page_limit": 3}}, "here")
    assert own.job.body("http://page/") == {"url": "http://a/", "page_limit": 3}
    assert Scenario(waiters=1).job.body("http://page/") == {"url": "http://page/", "page_limit": 1}
    crawl = check({"waiters": 1, "job": {"crawl": "books", "message": {"for": "Ada"}}}, "here")
    assert crawl.job.body("http://page/") == {
        "crawl": "books",
        "page_limit": 1,
        "message": {"for": "Ada"},
    }
