"""The profile ``load`` of docker-compose.yml: its command lines, as local processes with other
addresses; Locust's web page shows the queue, and the report is written when it is stopped.
"""

# ruff: noqa: S310 - the addresses are our own
from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml

from tests.support.ground import Ground, until
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.webdriver import Doc

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    there.chrome_on(lambda _: Doc())
    yield there
    there.close()


class Profile:
    """The services of the profile."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        file = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self.services = {
            name: service
            for name, service in file["services"].items()
            if service.get("profiles") == ["load"]
        }
        tokens = ground.folder / "tokens"
        tokens.write_text("a-long-random-text\n")
        usual = ("8000", "8765", "8089")
        self.ports = dict(zip(usual, map(str, free_ports(len(usual))), strict=True))
        #: What is written in the file, and what it is here.
        self.places = {
            "0.0.0.0": "127.0.0.1",
            "load-api:": "127.0.0.1:",
            "load-site:": "127.0.0.1:",
            "/home/crawler/results": str(ground.folder),
            "/run/secrets/api_tokens": str(tokens),
            **self.ports,
        }
        settings = ground.settings(state_dir=ground.folder / "state")
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")
        } | {
            "CRAWLER_REDIS_URL": settings.redis_url or "",
            "CRAWLER_CHROME_URL": settings.chrome_url or "",
            "CRAWLER_STATE_DIR": str(settings.state_dir),
            "CRAWLER_BROKER_URL": settings.broker_url or "",
            "PYTHONUNBUFFERED": "1",
        }

    def here(self, text: str) -> str:
        """What stands for ``text`` on this machine."""
        written = re.compile("|".join(map(re.escape, self.places)))
        return written.sub(lambda found: self.places[found[0]], text)

    @contextlib.contextmanager
    def running(self, *names: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """Run services, by their names."""
        given = set(self.environ)  # of Redis and the Grid, and where the state is
        processes = {}
        try:
            for name in names:
                own = {
                    key: self.here(re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)))
                    for key, value in self.services[name]["environment"].items()
                    if key not in given and not key.endswith("PASSWORD_FILE") and value != ""
                }
                words = [self.here(word) for word in self.services[name]["command"]]
                program = Path(sys.executable).parent / words[0]
                with (self.ground.folder / f"{name}.out").open("wb") as out:
                    processes[name] = subprocess.Popen(
                        [str(program), *words[1:]],
                        env=self.environ | own,
                        cwd=self.ground.folder,
                        stdout=out,
                        stderr=out,
                    )
            yield processes
        finally:
            for process in processes.values():
                process.kill()
                process.wait()


def ask(url: str, **form: object) -> bytes:
    """What a page answers; b"" while nobody does."""
    try:
        data = urlencode(form).encode() if form else None
        with urllib.request.urlopen(url, data, timeout=PATIENCE) as answer:
            return answer.read()
    except OSError:
        return b""


def test_the_profile_runs_a_load_test_whose_page_shows_the_queue(ground: Ground):
    profile = Profile(ground)
    assert set(profile.services) == {"load", "load-api", "load-worker", "load-site"}
    with profile.running("load-site", "load-worker", "load-api", "load") as processes:
        locust = f"http://127.0.0.1:{profile.ports['8089']}"

        said: list[dict] = []

        def log() -> str:
            ended = {name: one.poll() for name, one in processes.items()}
            return f"{ended} {(ground.folder / 'load.out').read_text()[-600:]} {said}"

        until(lambda: ask(f"{locust}/"), log)
        for name in processes:
            assert processes[name].poll() is None, name
        host = f"http://127.0.0.1:{profile.ports['8000']}"
        begun = ask(f"{locust}/swarm", user_count=5, spawn_rate=5, host=host)
        assert json.loads(begun)["success"], begun

        def rows() -> list[dict]:
            stats = json.loads(ask(f"{locust}/stats/requests") or "{}")
            said[:] = [stats]
            (tab,) = stats.get("extended_stats", [{"data": []}])
            return [row for row in tab["data"] if row["ordered"] > row["done"] > 0]

        until(rows, log)  # five a second come, and one goes
        assert b"Job queue" in ask(f"{locust}/")
        processes["load"].terminate()  # as `docker compose stop` does
        assert processes["load"].wait(PATIENCE) == 0, log()
        assert "POST" in (ground.folder / "load.html").read_text()
        # and no key of another installation was written
        names = [key.decode() for key in ground.client.scan_iter()]
        assert [name for name in names if not name.startswith("load:")] == []
