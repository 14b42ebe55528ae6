"""A load test as its user runs it: locust against a real server, a real worker, and pages on
loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.client.client import Client
from crawler.config.settings import Settings, load
from crawler.local.embedded import PrivateRedis, PrivateWorkers
from tests.site.fixture import site  # noqa: F401
from tests.site.server import Server
from tests.support.api import TOKEN, Service, serving
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for which jobs are ordered.
DURATION = 4


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A Redis, and one worker with two browsers."""
    tmp_path = tmp_path_factory.mktemp("load")
    with PrivateRedis(tmp_path / "redis") as redis:
        given = load(redis_url=redis.url, broker_url=redis.broker_url, state_dir=tmp_path / "state")
        workers = PrivateWorkers(given, 2, log=tmp_path / "worker.log")
        workers.start()
        try:
            yield given
        finally:
            workers.kill()


@pytest.fixture
def service(settings: Settings, tmp_path: Path, site: Server) -> Iterator[Service]:  # noqa: F811
    """A server."""
    given = {"broker_url": settings.broker_url or "", "api_private": "true"}
    with serving(tmp_path, settings.redis_url or "", **given) as there:
        order = {"id": "warm", "url": site.url("/tree/1"), "page_limit": 1}
        there.ended(there.ask("POST", "/jobs", order).json["id"])  # the worker is up
        yield there


def locust(folder: Path, file: Path, *options: str, **environ: str) -> subprocess.CompletedProcess:
    """Run locust without its web page; it leaves ``load.json``."""
    program = Path(sys.executable).parent / "locust"
    if not program.exists():
        assert not os.environ.get("CI"), "locust is not installed"
        pytest.skip("locust is not installed: pip install -e .[load]")
    command = [str(program), "-f", str(file), "--headless", "--stop-timeout", "60"]
    return subprocess.run(
        [*command, "--json-file", str(folder / "load"), "--csv", str(folder / "load"), *options],
        env=os.environ | environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def rows_of(folder: Path) -> dict[tuple[str, str], dict]:
    """The rows of Locust's table, by type and name."""
    rows = json.loads((folder / "load.json").read_text())
    return {(row["method"], row["name"]): row for row in rows}


def test_locust_reports_the_times_of_jobs_as_the_api_does(service, site, tmp_path):  # noqa: F811
    done = locust(
        *(tmp_path, ROOT / "examples/load/locustfile.py", "--host", service.url),
        *("-u", "4", "-r", "4", "-t", f"{DURATION}s"),
        CRAWLER_API_TOKEN=TOKEN,
        CRAWL_URL=site.url("/tree/0"),
        POLL_INTERVAL="0.1",
    )
    assert done.returncode == 0, done.stderr  # locust's own verdict: no failure

    rows = rows_of(tmp_path)
    assert set(rows) == {
        ("POST", "/jobs"),
        ("GET", "/jobs/ID"),
        ("GET", "/jobs/ID/results"),
        *(("JOB", name) for name in ("WAITING", "PROCESSING", "TOTAL")),
    }
    assert all(row["num_failures"] == 0 for row in rows.values())
    jobs = [job for job in listed(service) if job["id"] != "warm"]
    assert len(jobs) >= 4
    assert {job["state"] for job in jobs} == {"done"}
    assert rows["POST", "/jobs"]["num_requests"] == len(jobs)
    for name in ("WAITING", "PROCESSING", "TOTAL"):
        row, times = rows["JOB", name], [1_000 * time_of(job, name) for job in jobs]
        assert row["num_requests"] == len(jobs), name
        assert row["total_response_time"] == pytest.approx(sum(times), abs=1.5 * len(times))
        assert row["max_response_time"] == pytest.approx(max(times), abs=1.5)


def listed(service: Service) -> list[dict]:
    """All jobs, by way of every page of the list."""
    found, cursor = [], ""
    while cursor is not None:
        page = service.ask("GET", f"/jobs?limit=50{f'&cursor={cursor}' if cursor else ''}").json
        found, cursor = found + page["jobs"], page["cursor"]
    return found


def time_of(job: dict, name: str) -> float:
    """A time of a job, in seconds, as the API tells it."""
    return job["waiting"] + job["processing"] if name == "TOTAL" else job[name.lower()]


FEEDERS = """
from locust import events

from crawler.contrib.locust import CrawlerUser

class Feeder(CrawlerUser):
    crawl = "fed"

    def feed(self, url):
        if not super().feed(url).reason:
            super().feed(url)  # it is known now
        if self.environment.stats.get("TOTAL", "PAGE").num_requests >= 6:
            super().feed(url.partition("/tree")[0] + "/gone")
            self.environment.runner.quit()

@events.request.add_listener
def note(exception, **_):  # Locust's own file of failures may be of seconds ago
    with open("errors", "a") as errors:
        print(repr(exception), file=errors)
"""


def test_pages_fed_to_a_crawl_are_timed_by_its_frontier(settings, site, tmp_path):  # noqa: F811
    # Given a crawl whose only page is done soon
    client = Client(settings)
    handle = client.start(Crawl(name="fed", url=site.url("/tree/0"), depth_limit=0)).handle
    (tmp_path / "locustfile.py").write_text(FEEDERS)
    # When users feed pages, each twice, and one that fails
    done = locust(
        *(tmp_path, tmp_path / "locustfile.py", "-u", "1", "-t", f"{PATIENCE:g}s"),
        *("--crawl-url", site.url("/tree/1?n={n}")),
        CRAWLER_REDIS_URL=settings.redis_url or "",
        CRAWLER_BROKER_URL=settings.broker_url or "",
    )
    # Then their rows have the times of the frontier
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = rows_of(tmp_path)
    assert set(rows) == {
        ("crawler", "enqueue"),
        *(("PAGE", name) for name in ("WAITING", "PROCESSING", "TOTAL")),
    }
    fed = rows["PAGE", "TOTAL"]["num_requests"]
    assert fed == 7
    assert rows["PAGE", "TOTAL"]["num_failures"] == 1
    assert rows["crawler", "enqueue"]["num_requests"] == 2 * fed - 1
    assert rows["crawler", "enqueue"]["num_failures"] == fed - 1  # what is known is refused
    results = [result for _, result in handle.results() if "/tree/1" in result["url"]]
    assert len(results) == fed - 1
    processing = rows["PAGE", "PROCESSING"]
    assert processing["num_requests"] >= fed - 1
    assert processing["total_response_time"] >= sum(result["ms"] for result in results) - 2 * fed
    assert "PageRefused('known')" in (tmp_path / "errors").read_text()
    # And the crawl ends, now that nobody feeds it
    assert handle.wait(PATIENCE).status.value == "FINISHED"


def test_a_crawl_that_was_not_started_is_told_in_a_line(settings, tmp_path):
    (tmp_path / "locustfile.py").write_text(FEEDERS.replace("fed", "unknown"))
    done = locust(
        *(tmp_path, tmp_path / "locustfile.py", "-t", "5s", "--crawl-url", "http://x.test/{n}"),
        CRAWLER_REDIS_URL=settings.redis_url or "",
    )
    assert done.returncode == 2, done.stderr
    assert "Feeder: " in done.stderr
    assert "Traceback" not in done.stderr


CUSTOMERS = """
from crawler.contrib.locust import JobsUser
from locust import task

class Weighted(JobsUser):
    abstract = True
    weights = {"list_jobs": 3, "order_and_leave": 1}

assert [one.__name__ for one in Weighted.tasks] == ["list_jobs"] * 3 + ["order_and_leave"]
try:
    type("Wrong", (JobsUser,), {"weights": {"order_and_run": 1}})
except ValueError as error:
    assert "no action 'order_and_run'; there are order_and_wait" in str(error)

class Customer(JobsUser):
    weights = {}
    poll_interval = 0.1

    @task
    def all_of_it(self):
        self.order_and_stop()
        self.list_jobs()
        self.order_and_leave()
        assert self.order_job(page_limit=-1) is None
        self.environment.runner.quit()
"""


def test_users_of_the_api_stop_list_and_leave(service, site, tmp_path):  # noqa: F811
    (tmp_path / "locustfile.py").write_text(CUSTOMERS)
    order = json.dumps({"url": site.url("/tree/0"), "delay": 30})  # it is not done meanwhile
    done = locust(
        *(tmp_path, tmp_path / "locustfile.py", "--host", service.url, "-u", "1"),
        *("-t", f"{PATIENCE:g}s", "--jobs-order", order),
        LOCUST_JOBS_TOKEN=TOKEN,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = rows_of(tmp_path)
    asked = {("POST", "/jobs"), ("GET", "/jobs/ID"), ("GET", "/jobs?limit"), ("DELETE", "/jobs/ID")}
    assert set(rows) == asked  # jobs that are stopped or left have no times
    assert rows["POST", "/jobs"]["num_requests"] == 3
    assert rows["POST", "/jobs"]["num_failures"] == 1
    left, stopped = [job["id"] for job in listed(service) if job["id"] != "warm"][:2]
    assert service.ended(stopped)["state"] == "stopped"
    service.ask("DELETE", f"/jobs/{left}")
