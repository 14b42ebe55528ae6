"""``crawler load`` as its user runs it: Redis, workers, the jobs API and Locust as processes, and a
browser that follows a script.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.local.embedded import PrivateRedis
from crawler.storage.connection import connect
from tests.support.folder import Folder, until
from tests.support.patience import PATIENCE
from tests.support.webdriver import Doc, ScriptedChrome


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder whose workers have a scripted browser, which shows any page at once."""
    chrome = ScriptedChrome(lambda _: Doc())
    there = Folder(tmp_path)
    there.environ |= {"CRAWLER_CHROME_URL": chrome.url, "CRAWLER_TICK_INTERVAL": "0.5"}
    yield there
    chrome.close()


#: A page that another worker gets soon when its own was killed, and users who wait for it.
PAGE = """
name = "page"
url = "http://127.0.0.1/"
robots = false
lease = 5
"""
FIVE = """
waiters = 5
duration = 8.0
job.crawl = "page"
workers.rate = 5.0
targets.failures = 0.0
"""


def test_without_the_extra_the_command_says_so_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "locust", None)
    done = Folder(tmp_path).here("load", "--experiment", "1")
    assert done.exit_code == 2
    (line,) = done.output.splitlines()
    assert "locust is missing" in line
    assert "pip install 'celery-crawler[load]'" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a FILE, an --experiment, or --capacity"),
        (("none.toml",), "none.toml cannot be read"),
        (("--experiment", "3"), "3 is not in the range"),
        (("none.toml", "--experiment", "1"), "not both"),
        (("--experiment", "1", "--users", "0"), "nobody orders a job"),
        (("--experiment", "1", "--rate", "2"), "a rate needs publishers"),
        (("--experiment", "2", "--times", "1,x"), "--times 1,x: numbers"),
        (("--experiment", "2", "--duration", "-1"), "duration: Input should be greater"),
        (("--experiment", "1", "--url", "http://127.0.0.1:1"), "set CRAWLER_REDIS_URL"),
        (("--capacity", "--web"), "--capacity orders by itself"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(tmp_path, words, said):
    done = Folder(tmp_path).here("load", *words)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


@pytest.mark.slow
def test_the_second_experiment_shows_what_locust_cannot_see(folder):
    """Orders take milliseconds for as long as the test runs, while the queue and the time until
    done grow.
    """
    words = ("--experiment", "2", "--duration", "6", "--rate", "12", "--worker-rate", "3")
    done = folder.run("load", *words, "--json", "-o", "two.html")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (stage,) = report["stages"]
    assert (stage["failed"], stage["lost"], stage["refused"]) == (0, 0, 0)
    assert stage["ordered"] > 2 * stage["done"] > 0
    assert stage["unfinished"] == stage["ordered"] - stage["done"]
    rows = {(row["type"], row["name"]): row for row in stage["locust"]}
    assert set(rows) == {("POST", "/jobs")}  # all that Locust sees
    assert rows["POST", "/jobs"]["requests"] == stage["ordered"]
    assert rows["POST", "/jobs"]["fails"] == 0
    # of two thirds of a growing queue none is done: they wait longer than any request took
    assert stage["waiting"]["p95"] * 1_000 > rows["POST", "/jobs"]["median"]
    lines = {line["what"]: line for line in report["theory"]}
    assert lines["jobs ordered"]["theory"] == 12
    assert lines["the queue grows by"]["theory"] == 9
    assert lines["the queue grows by"]["measured"] > 0
    assert lines["jobs done"]["measured"] <= 3.5  # what the rate allows
    check_page(folder.path / "two.html")
    assert folder.left_over() == []


def check_page(path: Path) -> None:
    """The report needs nothing from elsewhere, and has the columns of its charts."""
    html = path.read_text()
    tags = re.findall(r"<(?:link|img|script|iframe)\b[^>]*>", html)
    assert all("http" not in tag and " src=" not in tag for tag in tags)
    assert "What Locust sees" in html
    assert "What the system knows" in html
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', html, re.S)[1])
    course = facts["stages"][0]["course"]
    samples = course["samples"]
    assert len(samples["at"]) == len(samples["waiting"]) >= 4
    assert max(samples["waiting"]) > 1
    assert sum(course["requests"]["rate"]) > 0


@pytest.mark.slow
def test_a_killed_worker_makes_jobs_wait_and_loses_none(folder):
    """In the midst of a scenario like the first experiment, whose users wait for each job."""
    (folder.path / "page.toml").write_text(PAGE)
    (folder.path / "five.toml").write_text(FIVE)
    folder.environ["CRAWLER_CRAWLS"] = str(folder.path / "page.toml")
    process = folder.begin("load", "five.toml", "--json")
    try:
        server = PrivateRedis(folder.path / "state" / "load")  # as the command starts it
        until(server.socket.exists, process)
        redis = connect(server.url)
        until(lambda: redis.zcard("{jobs}:all") > 7, process)  # the first two are not theirs
        victim = folder.workers()[0]
        waiting = [job for job in ids(redis) if begun(redis, job) is None]
        killed = redis.time()[0]
        os.killpg(victim.pid, signal.SIGKILL)
        # wake-ups that it had taken count as lost after a minute, which is over now
        for job in ids(redis):
            tickets = f"crawl:{{job-{job}}}:tickets"
            for ticket in redis.zrange(tickets, 0, -1):
                redis.zadd(tickets, {ticket: 1}, xx=True)
        until(lambda: all(begun(redis, job) for job in waiting), process)
        away = max((begun(redis, job) for job in waiting), default=killed) - killed
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, err
    report = json.loads(out)
    (stage,) = report["stages"]
    assert (stage["failed"], stage["lost"], stage["refused"]) == (0, 0, 0)
    assert stage["done"] == stage["ordered"] > 5
    # those that waited then have waited for another worker, too
    assert stage["waiting"]["max"] > away - 1


def ids(redis: Any) -> list[str]:
    """The jobs that were ordered."""
    return [job.decode() for job in redis.zrange("{jobs}:all", 0, -1)]


def begun(redis: Any, job: str) -> float | None:
    """When the first page of a job was handed out, in epoch seconds."""
    text = redis.hget(f"crawl:{{job-{job}}}:meta", "begun")
    return int(text) / 1_000 if text else None


@pytest.mark.slow
def test_ctrl_c_ends_all_and_still_writes_the_report(folder):
    process = folder.begin("load", "--experiment", "1", "--worker-rate", "5", "--json")
    try:
        log = folder.path / "state" / "load" / "stage" / "samples.jsonl"
        until(lambda: log.exists() and log.read_text().count("\n") >= 4, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130, err
    report = json.loads(out)
    assert report["interrupted"]
    assert "interrupted" in report["verdict"]
    assert "interrupted" in (folder.path / "load.html").read_text()
    assert folder.left_over() == []


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_target_that_is_missed_under_more_load_is_status_one(folder):
    """Ten times today's load is more than the workers may do. Subscribers read what is done."""
    (folder.path / "news.toml").write_text(NEWS)
    done = folder.run("load", "news.toml", "--json", timeout=600)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"].endswith("10 times")  # at 1, too, on a machine that is very busy
    calm, busy = report["stages"]
    assert [(stage["times"], stage["rate"]) for stage in (calm, busy)] == [(1, 1), (10, 10)]
    assert busy["ordered"] > calm["ordered"] > 0
    targets = {one["target"]: one for one in busy["targets"]}
    assert not targets["waiting_max"]["met"]
    assert targets["waiting_max"]["measured"] > targets["waiting_max"]["limit"]
    assert targets["failures"]["met"]
    assert calm["waiting"]["max"] < busy["waiting"]["max"]
    names = {(row["type"], row["name"]) for stage in (calm, busy) for row in stage["locust"]}
    assert names >= {("JOB", "RECEIVED"), ("GET", "/jobs/ID/results"), ("POST", "/jobs")}
    html = (folder.path / "load.html").read_text()
    assert "Stage 2, 10 jobs ordered a second" in html
    assert "missed" in html


NEWS = """
publishers = 2
subscribers = 2
rate = 1.0
times = [1, 10]
duration = 6.0
workers.rate = 2.0
[targets]
waiting_max = 9.0
failures = 0.0
"""


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_the_capacity_of_slow_workers_is_below_their_rate(folder):
    words = ("--duration", "15", "--precision", "0.3", "--worker-rate", "3", "-o", "curve.html")
    done = folder.run("load", "--capacity", *words, "--json", timeout=1_500)
    assert done.returncode == 0, done.stderr
    capacity = json.loads(done.stdout)["capacity"]
    assert 0 < capacity["low"] < capacity["high"] < 6
    assert capacity["low"] <= 3.3  # what the rate allows, and what so few jobs do not tell
    assert {step["holds"] for step in capacity["steps"]} >= {True, False}
    html = (folder.path / "curve.html").read_text()
    assert 'data-chart="curve"' in html
    assert "jobs a second are sustained" in html
