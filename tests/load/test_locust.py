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

from crawler.config.settings import load
from crawler.local.embedded import PrivateRedis, PrivateWorkers
from tests.site.fixture import site  # noqa: F401
from tests.site.server import Server
from tests.support.api import TOKEN, Service, serving

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for which jobs are ordered.
DURATION = 4


@pytest.fixture
def service(tmp_path: Path, site: Server) -> Iterator[Service]:  # noqa: F811
    """A server, and one worker with two browsers."""
    with PrivateRedis(tmp_path / "redis") as redis:
        given = load(redis_url=redis.url, broker_url=redis.broker_url, state_dir=tmp_path / "state")
        workers = PrivateWorkers(given, 2, log=tmp_path / "worker.log")
        workers.start()
        try:
            with serving(
                tmp_path, redis.url, broker_url=redis.broker_url, api_private="true"
            ) as there:
                warm = there.ask(
                    "POST", "/jobs", {"id": "warm", "url": site.url("/tree/1"), "page_limit": 1}
                ).json["id"]
                there.ended(warm)  # the worker is up
                yield there
        finally:
            workers.kill()


def test_locust_reports_the_times_of_jobs_as_the_api_does(service, site, tmp_path):  # noqa: F811
    locust = Path(sys.executable).parent / "locust"
    if not locust.exists():
        assert not os.environ.get("CI"), "locust is not installed"
        pytest.skip("locust is not installed: pip install -e .[load]")
    command = [
        str(locust),
        "-f",
        str(ROOT / "examples/load/locustfile.py"),
        "--host",
        service.url,
        "--headless",
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        f"{DURATION}s",
        "--stop-timeout",
        "60",
        "--json-file",
        str(tmp_path / "load"),
    ]
    environ = os.environ | {
        "CRAWLER_API_TOKEN": TOKEN,
        "CRAWL_URL": site.url("/tree/0"),
        "POLL_INTERVAL": "0.1",
    }
    done = subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr  # locust's own verdict: no failure

    rows = {
        (row["method"], row["name"]): row
        for row in json.loads((tmp_path / "load.json").read_text())
    }
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
