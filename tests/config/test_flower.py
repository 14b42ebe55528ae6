"""Flower beside real workers: what it shows of each run, and what it must never show."""

# ruff: noqa: S310 - the addresses are our own
from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crawler import Crawl
from crawler.config.settings import environment
from tests.support.ground import Ground, shop
from tests.support.patience import PATIENCE
from tests.support.webdriver import Doc

pytest.importorskip("flower", reason="the extra `flower` is not installed")

CANARY = "CANARY-4711"


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    yield there
    there.close()


class Flower:
    """A Flower as `crawler flower` starts it."""

    def __init__(self, ground: Ground, **settings: str | None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (ground.folder / "password").write_text("a-long-password\n")
        bare = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRAWLER_", "FLOWER_"))
        }
        environ = (
            bare
            | environment(ground.settings(**settings))
            | {"FLOWER_PASSWORD_FILE": str(ground.folder / "password")}
        )
        program = str(Path(sys.executable).with_name("crawler"))
        command = [program, "flower", f"--port={self.port}"]
        self.log = ground.folder / "flower.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ground.folder, env=environ, stdout=log, stderr=log
            )

    def ask(self, path: str, user: str | None = "flower:a-long-password") -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if user:
            request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("/healthcheck") == "OK"
        except OSError:
            return False

    def tasks(self) -> list[dict]:
        return list(json.loads(self.ask("/api/tasks")).values())


def test_flower_shows_what_became_of_each_run_and_no_secret(ground: Ground):
    # Given a Redis, and a page, that ask for a password (that of the page never becomes part of its
    # URL)
    ground.client.acl_setuser(
        "me", enabled=True, passwords=[f"+{CANARY}"], keys=["*"], channels=["*"], commands=["+@all"]
    )
    urls = {
        "redis_url": ground.redis.url.replace("unix://", f"unix://me:{CANARY}@"),
        "broker_url": ground.redis.broker_url.replace(
            "redis+socket://", f"redis+socket://me:{CANARY}@"
        ),
    }
    entry = f"http://me:{CANARY}@127.0.0.1/?token={CANARY}"
    ground.chrome_on(
        {
            f"http://127.0.0.1/?token={CANARY}": Doc(links=["/gone", "/later"]),
            "/gone": Doc(status=404),
            "/later": [Doc(status=503), Doc(status=200)],
        }
    )
    # When a worker crawls beside a Flower
    flower = Flower(ground, **urls)
    try:
        ground.until(flower.up)
        ground.worker(events=True, **urls)
        frontier = ground.crawl(Crawl(**shop().raw | {"url": entry}))
        ground.until_end(frontier)
        ground.until(
            lambda: sum(task["state"] in ("SUCCESS", "FAILURE") for task in flower.tasks()) >= 4
        )
        runs = flower.tasks()
        # Then every run says its crawl, URL, depth, status and time
        assert {(run["name"], run["args"]) for run in runs} == {("crawler.run", "('shop',)")}
        shown = {run["result"] for run in runs}
        first = (
            r"{'url': 'http://127.0.0.1/\?token=\*\*\*', 'status': 200, 'depth': 0, 'links': 2,"
            r" 'ms': \d+}"
        )
        assert [one for one in shown if re.fullmatch(first, one or "")], shown
        assert all(run["runtime"] is not None for run in runs if run["state"] == "SUCCESS")
        # and what is no error shows as a success, what is one as a failure with its reason in a
        # line
        retried = [run for run in runs if "RETRY" in (run["result"] or "")]
        assert [run["state"] for run in retried] == ["SUCCESS"]
        assert "'reason': 'http_503'" in retried[0]["result"]
        (failure,) = [run for run in runs if run["state"] == "FAILURE"]
        assert failure["exception"] == "http_404 at http://127.0.0.1/gone"
        table = flower.ask(
            "/tasks/datatable?draw=1&start=0&length=50&search[value]=&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"
        )
        rows = {
            (row["args"], re.sub(r"\d+ ms", "N ms", row["result"] or ""))
            for row in json.loads(table)["data"]
        }
        assert rows >= {
            ("shop", "200, depth 0, N ms, http://127.0.0.1/?token=***"),
            ("shop", "http_404 at http://127.0.0.1/gone"),
            ("shop", "tried again: http_503, attempt 1, http://127.0.0.1/later"),
            ("shop", "200, depth 1, N ms, http://127.0.0.1/later"),
        }
        # and nobody learns a password, wherever he looks
        ground.until(lambda: json.loads(flower.ask("/api/workers?refresh=1")))
        (worker,) = json.loads(flower.ask("/api/workers"))
        pages = [
            "/",
            "/workers",
            "/tasks",
            "/broker",
            "/metrics",
            "/api/workers?refresh=1",
            "/api/tasks",
            f"/worker/{worker}",
        ]
        pages += [f"/task/{run['uuid']}" for run in runs]
        found = {page: flower.ask(page) for page in pages}
        assert [page for page, text in found.items() if CANARY in text] == []
        assert CANARY not in flower.log.read_text()
        assert CANARY not in ground.workers[0].said()
        assert "flower_task_runtime_seconds_bucket" in found["/metrics"]
        # and it listens on loopback alone
        addresses = {
            one.laddr.ip
            for one in psutil.Process(flower.process.pid).net_connections()
            if one.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}
        # and without the log-in nobody sees any but /metrics and /healthcheck, which name tasks and
        # workers
        for page in ("/", "/tasks", "/api/tasks", "/broker", f"/worker/{worker}"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                flower.ask(page, user=None)
            with pytest.raises(urllib.error.HTTPError, match="401"):
                flower.ask(page, user="flower:guessed")
    finally:
        flower.process.kill()
        flower.process.wait()
