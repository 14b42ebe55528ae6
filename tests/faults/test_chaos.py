"""A whole crawl under fire: workers, Redis and Chromes are killed while it goes on, and nothing is
lost or counted twice.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import redis as redis_py

from crawler.config import settings as configuration
from crawler.frontier.frontier import Frontier
from crawler.frontier.repair import audit_keys
from crawler.local.embedded import PrivateRedis
from tests.support.ground import Worker, until
from tests.support.loopback import serving

MANUAL = Path("/usr/share/doc/python3.11/html")
WORKERS = 4
#: Seconds between two kills of a worker.
KILL_INTERVAL = 10.0


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A browser that is killed hangs up: no error."""


@pytest.fixture
def manual() -> Iterator[str]:
    """The Python manual of Debian's python3-doc, on loopback."""
    if not MANUAL.is_dir():
        pytest.skip(f"{MANUAL} is not there: install python3-doc")
    with serving(Server(("127.0.0.1", 0), partial(Quiet, directory=MANUAL))) as server:
        yield f"http://127.0.0.1:{server.server_port}/"


def definition(folder: Path, name: str, url: str) -> Path:
    """A crawl of the whole manual that takes many crashes before it calls a page poison: these are
    ours, not the page's.
    """
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\nurl = "{url}"\ndepth_limit = "none"\nconcurrency_limit = {WORKERS}\n'
        "crash_strikes = 20\nattempts = 20\nbackoff = 0.5\nlease = 15\nbreaker_failures = 0\n"
    )
    return path


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.soak
@pytest.mark.timeout(1_500)
def test_a_crawl_under_fire_does_all_pages_and_ends_by_itself(manual, tmp_path, folder):
    """Every ten seconds a worker is killed and another started, Redis dies twice, Chromes die at
    random.
    """
    chance = random.Random(20)
    calm = folder.run(
        "start", str(definition(tmp_path, "calm", manual)), "-o", "calm.jsonl", timeout=900
    )
    assert calm.returncode == 0, calm.stderr

    redis = PrivateRedis(tmp_path / "redis").start()
    folder.environ |= {"CRAWLER_REDIS_URL": redis.url, "CRAWLER_BROKER_URL": redis.broker_url}
    given = configuration.load(
        redis_url=redis.url,
        broker_url=redis.broker_url,
        state_dir=tmp_path / "state",
        tick_interval=2.0,
        events=False,
    )
    hire = partial(Worker, given, 1, tmp_path / "worker.log")
    workers = [hire() for _ in range(WORKERS)]
    crawl = [
        str(folder.command()[0]),
        "start",
        str(definition(tmp_path, "fire", manual)),
        "-o",
        "fire.jsonl",
    ]
    kills = {"workers": 0, "chromes": 0, "redis": 0}
    began = time.monotonic()

    def watch() -> subprocess.Popen[bytes]:
        log = (tmp_path / "start.log").open("ab")
        return subprocess.Popen(crawl, cwd=folder.path, env=folder.environ, stdout=log, stderr=log)

    watching = watch()
    try:
        until(
            lambda: (
                (folder.path / "fire.jsonl").exists() and len(lines(folder.path / "fire.jsonl")) > 5
            ),
            "the first pages",
        )
        # at so many pages done
        next_kill, redis_deaths = time.monotonic() + KILL_INTERVAL, [60, 260]
        while True:
            try:
                status = watching.wait(1.0)
            except subprocess.TimeoutExpired:
                status = None
            if status == 0:
                break
            # Redis was away for too long for the one who watches; the crawl itself goes on
            if status is not None:
                watching = watch()
            assert time.monotonic() - began < 1_200, (tmp_path / "start.log").read_text()[-2_000:]
            done = len((folder.path / "fire.jsonl").read_bytes().splitlines())
            if redis_deaths and done > redis_deaths[0]:
                redis_deaths.pop(0)
                assert redis.process is not None
                redis.process.kill()
                redis.process.wait()
                redis.start()
                kills["redis"] += 1
            if time.monotonic() > next_kill:
                next_kill = time.monotonic() + KILL_INTERVAL
                victim = workers.pop(chance.randrange(WORKERS))
                victim.kill()
                workers.append(hire())
                kills["workers"] += 1
            elif chance.random() < 0.15:
                shells = [one for one in psutil.process_iter() if is_chrome_of(one, tmp_path)]
                if shells:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        chance.choice(shells).kill()
                        kills["chromes"] += 1
    finally:
        watching.kill()
        for worker in workers:
            worker.kill()
    frontier = Frontier(client(redis), "fire")
    seen = frontier.snapshot()
    audit = audit_keys(frontier)
    redis.stop()
    sys.stderr.write(
        f"{seen.done} pages under fire in {time.monotonic() - began:.0f} s: {kills},"
        f" {dict(seen.counts)}\n"
    )
    expected = {line["url"] for line in lines(folder.path / "calm.jsonl")}
    got = [line["url"] for line in lines(folder.path / "fire.jsonl")]
    assert set(got) == expected
    assert len(got) == len(expected)
    assert seen.done == len(expected)
    assert audit == []
    assert kills["redis"] == 2
    assert kills["workers"] > 0


def client(redis: PrivateRedis) -> redis_py.Redis:

    return redis_py.Redis.from_url(redis.url)


def is_chrome_of(process: psutil.Process, folder: Path) -> bool:
    """Whether this is the main process of a Chrome that a worker with state in ``folder``
    started.
    """
    try:
        command = process.cmdline()
        return (
            bool(command)
            and "chrom" in command[0]
            and not any(word.startswith("--type=") for word in command)
            and (process.environ().get("CRAWLER_STATE_DIR") == str(folder / "state"))
        )
    except psutil.Error:
        return False
