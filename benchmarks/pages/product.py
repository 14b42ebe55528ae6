"""The product: Redis with our settings, a Celery worker with its processes, hooks, and the command
that writes the file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from benchmarks.frontier.server import shipped
from crawler.frontier.frontier import Frontier
from crawler.local.embedded import PrivateRedis

from .course import Course, speed
from .sample import Sample, sample, wrong_pages
from .usage import Watch

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("crawler")
CRAWLS = Path(__file__).with_name("shop.py")
#: Pages per session of a first crawl, which is thrown away: the one that is measured finds warm
#: browsers.
WARM = 8
#: Seconds between two looks at how far a crawl is: at 50 pages a second a dozen pages, where a
#: tenth of a long crawl has 2,000.
LOOK_INTERVAL = 0.25
#: Seconds for a crawl to end.
PATIENCE = 3_600.0


@contextmanager
def environs(
    folder: Path, asked: str, extra: dict[str, str], crawls: Path = CRAWLS
) -> Iterator[tuple[PrivateRedis, dict[str, str]]]:
    """Redis, and the environment in which workers and commands find it, and the crawl that they are
    ``asked`` for.
    """
    with PrivateRedis(folder, options=shipped()) as server:
        yield (
            server,
            os.environ
            | extra
            | {
                "CRAWLER_REDIS_URL": server.url,
                "CRAWLER_BROKER_URL": server.broker_url,
                "CRAWLER_CRAWLS": str(crawls),
                "CRAWLER_STATE_DIR": str(folder / "state"),
                "CRAWLER_LOG_LEVEL": "WARNING",
                "PYTHONPATH": str(ROOT),
                "BENCH_CRAWL": asked,
            },
        )


@contextmanager
def worker(folder: Path, environment: dict[str, str], *options: str) -> Iterator[int]:
    """A worker; its process id."""
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [str(COMMAND), "worker", *options], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def services(
    folder: Path, address: str, kind: str, sessions: int, pages: int, extra: dict[str, str]
) -> Iterator[tuple[PrivateRedis, int, dict[str, str]]]:
    """Redis, and a worker with one process per session; and the environment in which commands find
    them.
    """
    with (
        environs(folder, f"{address},{kind},{pages},{sessions}", extra) as (server, environment),
        worker(folder, environment, "-c", str(sessions)) as process,
    ):
        yield server, process, environment


def start(folder: Path, environment: dict[str, str], name: str) -> subprocess.Popen[bytes]:
    """``crawler start``, as a user types it."""
    return subprocess.Popen(
        [
            str(COMMAND),
            "start",
            f"{environment['CRAWLER_CRAWLS']}:bench",
            "--reset",
            "--output",
            name,
        ],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "start.log").open("wb"),
    )


def results(path: Path, kind: str) -> Iterator[tuple[int, str, str, int]]:
    """What the file says of each page."""
    for line in path.read_text().splitlines():
        row = json.loads(line)
        number = int(row["url"].rpartition("/")[2])
        right = (
            row["status"] == 200 and row["final_url"] == row["url"] and f"/{kind}/" in row["url"]
        )
        yield number, row["data"]["title"], row["data"]["word"] if right else "", row["links"]


def run(
    address: str,
    kind: str,
    sessions: int,
    pages: int,
    extra: dict[str, str] | None = None,
    course: Course | None = None,
) -> Sample:
    """Crawl the site once, warm. The clock runs from the first result to the last. ``course`` is
    told how it goes.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with services(folder, address, kind, sessions, pages, extra or {}) as (
            server,
            worker,
            environment,
        ):
            client: Any = redis.Redis.from_url(server.url)
            warm = environment | {"BENCH_CRAWL": f"{address},{kind},{WARM * sessions},{sessions}"}
            if start(folder, warm, "warm").wait(PATIENCE):
                raise RuntimeError(
                    (folder / "start.log").read_text() + (folder / "worker.log").read_text()
                )
            assert server.process
            frontier = Frontier(client, "bench")
            origin = frontier.origin()
            begun = time.time()
            command = start(folder, environment, "out")
            watch = Watch(server.process.pid, worker, command.pid)
            while frontier.origin() == origin or not (
                first := client.xrange("crawl:{bench}:results", count=1)
            ):
                time.sleep(0.01)
            before = watch.look()
            while course is not None and command.poll() is None:
                course.look(frontier.snapshot().done, watch, client)
                time.sleep(LOOK_INTERVAL)
            if command.wait(PATIENCE):
                raise RuntimeError(
                    (folder / "start.log").read_text() + (folder / "worker.log").read_text()
                )
            after = watch.look()
            peak = watch.peak()
            watch.stop()
            stamps = [
                int(key.partition(b"-")[0]) / 1000
                for key, _ in client.xrange("crawl:{bench}:results")
            ]
            wrong = wrong_pages(pages, results(folder / "out" / "pages.jsonl", kind))
            first_page = int(first[0][0].partition(b"-")[0]) / 1000 - begun
            if course is not None:
                course.stamps = stamps
            seconds = (stamps[-1] - stamps[0]) * pages / max(1, pages - 1)
            made = sample(
                seconds,
                before,
                after,
                peak,
                pages,
                wrong,
                first_page_s=round(first_page, 2),
                **tenths(stamps),
            )
            return replace(made, began=stamps[0])


def tenths(stamps: list[float]) -> dict[str, float]:
    """Pages per second in the first and in the last tenth."""
    part = max(2, len(stamps) // 10)
    return {"first_tenth": speed(stamps[:part]), "last_tenth": speed(stamps[-part:])}
