"""What real workers answer to ``celery inspect``, by each kind of way to their broker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ground import until
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.redis_kinds import Server, Watched

pytestmark = pytest.mark.slow

MASTER, SENTINELS = "Zebra-Master-77", "Yak-Sentinel-88"
#: What Flower asks of each worker, and ``celery report``, in one process.
ASK = """
import json, sys
from crawler.tasks.app import app
worker = app.control.inspect(destination=sys.argv[1:], timeout=20, limit=1)
names = ("ping", "stats", "conf", "active", "registered", "report", "active_queues", "revoked")
print(json.dumps({name: getattr(worker, name)() for name in names} | {"app": app.bugreport()}))
"""


@pytest.fixture(params=["redis", "unix", "redis+sentinel"])
def broker(request: pytest.FixtureRequest, tmp_path: Path, den: Path) -> Iterator[str]:
    """The URL of a Redis with passwords."""
    if request.param == "redis+sentinel":
        with Watched(tmp_path, password=MASTER, sentinel_password=SENTINELS) as watched:
            yield watched.url
        return
    unix = f"unixsocket {den}/redis.sock"
    with Server(tmp_path / "redis", f"requirepass {MASTER}", unix) as server:
        if request.param == "redis":
            yield f"redis://:{MASTER}@{server.address}/0"
        else:
            yield f"unix://:{MASTER}@{den}/redis.sock?db=0"


def test_every_answer_of_a_worker_is_json_without_passwords(broker, tmp_path):
    celery = [sys.executable, "-m", "celery", "-A", "crawler.tasks.app"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    environ = bare | {"CRAWLER_REDIS_URL": broker}
    node = f"crawler@{free_port()}"
    worker = [*celery, "worker", "-Q", "crawler", "-P", "threads", "-c", "1", "-n", node, "-lINFO"]
    log = tmp_path / "worker.log"

    with log.open("wb") as file:
        process = subprocess.Popen(worker, env=environ, cwd=tmp_path, stdout=file, stderr=file)
    try:
        until(lambda: "ready" in log.read_text(), lambda: log.read_text())
        done = subprocess.run(
            [sys.executable, "-c", ASK, node],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [name for name, answer in answers.items() if not answer] == []
    assert answers["stats"][node]["broker"]["transport"]
    shown = done.stdout + done.stderr + log.read_text()
    assert [word for word in (MASTER, SENTINELS) if word in shown] == []
    assert not re.search("Control command error|EncodeError|ERROR", shown)
