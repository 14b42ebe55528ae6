"""Locust's user of any Celery app: locust, a worker and Redis as processes of their own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis as redis_py

from crawler.local.processes import die_with_parent
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.redis_kinds import Certificates, Server

BIN = Path(sys.executable).parent

#: A project that knows nothing of Locust.
PROJECT = """
import os, time
from celery import Celery

app = Celery("project", broker=os.environ["URL"], backend=os.environ["URL"])
app.conf.broker_connection_retry_on_startup = True

@app.task(name="add")
def add(a, b): return a + b

@app.task(name="boom")
def boom(): raise ValueError("boom")

@app.task(name="silent", ignore_result=True)
def silent(): pass

@app.task(name="wait_for")
def wait_for(name):
    while not os.path.exists(name): time.sleep(0.02)
    return "x" * 100

@app.task(name="forever")
def forever():
    while True: time.sleep(0.1)
"""

#: One user, who tries everything in turn; what it sees goes into files.
LOCUSTFILE = """
from crawler.contrib.locust import CeleryUser, TaskTimeout
from locust import constant, tag, task
import json, os, time
from pathlib import Path
import gevent

def until(condition):
    while not condition(): gevent.sleep(0.02)

class Everything(CeleryUser):
    wait_time = constant(0)

    @task
    def all_of_it(self):
        send, seen = self.client.send_task, {}
        # a call that takes long holds no other up
        long = gevent.spawn(send, "wait_for", ["long"], timeout=PATIENCE)
        seen["sums"] = [send("add", (1,), {"b": n}).value for n in range(10)]
        seen["long is under way"] = not long.ready()
        Path("long").touch()
        seen["long"] = len(long.get().value)

        seen["boom"] = repr(send("boom").error)
        seen["silent"] = send("silent").ok
        late = send("wait_for", ["late"], timeout=0.5)
        seen["late"] = [type(late.error).__name__, late.seconds >= 0.5, late.ok]
        Path("late").touch()

        # one that is killed while it runs
        revoked = gevent.spawn(send, "forever", timeout=PATIENCE)
        until(lambda: self.running("forever"))
        self.client.app.control.revoke(self.running("forever"), terminate=True)
        seen["revoked"] = repr(revoked.get().error)
        seen["elsewhere"] = type(send("add", (1, 1), queue="nobody", timeout=0.3).error).__name__
        expired = send("add", (1, 1), expires=-1, timeout=PATIENCE)
        seen["expired"] = type(expired.error).__name__
        Path("seen.json").write_text(json.dumps(seen))

        Path("ask.broker").touch()
        until(Path("broker").exists)
        until(lambda: not send("add", (1, 1), timeout=1).ok)
        Path("ask.back").touch()
        until(lambda: send("add", (1, 1), timeout=2).ok)
        self.environment.runner.quit()

    def running(self, name):
        calls = self.client.hub.calls.values()
        return [one.id for one in calls if one.name == name and one.started and not one.meta]

    @tag("other")
    @task
    def another(self):
        self.client.send_task("boom")
""".replace("PATIENCE", str(PATIENCE))


def until(condition: Callable[[], object], process: subprocess.Popen | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        assert process is None or process.poll() is None
        time.sleep(0.05)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    return tmp_path


@pytest.fixture
def broker(project: Path) -> Iterator[Server]:
    server = Server(project / "redis", port=free_port())
    yield server
    server.process.kill()


def url_of(broker: Server) -> str:
    return f"redis://127.0.0.1:{broker.port}/0"


def worker(project: Path, url: str, *options: str) -> subprocess.Popen:
    command = [str(BIN / "celery"), "-A", "project", "worker", "-c", "2", "-l", "INFO", *options]
    with (project / "worker.log").open("a") as log:
        return subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"],
            cwd=project,
            env=os.environ | {"URL": url},
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(),
        )


@pytest.mark.slow
def test_celery_users_report_calls_their_queueing_and_their_running(project, broker):
    # Given a worker that sends no events by itself
    url = url_of(broker)
    workers = [worker(project, url)]
    until(lambda: " ready." in (project / "worker.log").read_text(), workers[0])
    command = [str(BIN / "locust"), "--headless", "-u", "1", "--exclude-tags", "other"]
    with (project / "locust.log").open("w") as log:
        locust = subprocess.Popen(
            [*command, "--csv", "out", "--json-file", "out", "-t", "150s"],
            cwd=project,
            env=os.environ | {"LOCUST_CELERY_BROKER": url},
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(),
        )
    try:
        until((project / "ask.broker").exists, locust)
        # Then every call came to its end, and results are forgotten
        assert json.loads((project / "seen.json").read_text()) == {
            "sums": [*range(1, 11)],
            "long is under way": True,
            "long": 100,
            "boom": "ValueError('boom')",
            "silent": True,
            "late": ["TaskTimeout", True, False],
            "elsewhere": "TaskTimeout",
            "revoked": "TaskRevokedError('terminated')",
            "expired": "TaskRevokedError",
        }
        with redis_py.Redis(port=broker.port) as redis:
            until(lambda: not redis.keys("celery-task-meta-*"))
        # When the broker dies, and comes back with nothing
        broker.process.kill()
        broker.process.wait()
        (project / "broker").touch()
        until((project / "ask.back").exists, locust)
        broker = Server(project / "redis", port=broker.port)
        while locust.poll() is None:  # a worker of Celery may end with its broker
            if workers[-1].poll() is not None:
                workers.append(worker(project, url))
            time.sleep(0.1)
    finally:
        for process in (locust, *workers):
            process.kill()
            process.wait()
    # Then users go on, and the table has every row
    text = (project / "locust.log").read_text()
    assert locust.returncode == 1, text  # some calls failed
    assert "Traceback" not in text
    rows = {
        (row["method"], row["name"]): row for row in json.loads((project / "out.json").read_text())
    }
    added = rows["celery", "add"]
    assert added["num_failures"] >= 3
    assert added["total_content_length"] == added["num_requests"] - added["num_failures"] + len("0")
    assert rows["celery", "boom"]["num_failures"] == rows["celery", "boom"]["num_requests"] == 1
    assert rows["celery", "silent"]["num_failures"] == 0
    assert rows["celery", "wait_for"]["num_failures"] == 1
    for kind in ("QUEUE", "RUN"):  # the late one, too
        assert rows[kind, "wait_for"]["num_requests"] == 2
        assert rows[kind, "boom"]["num_requests"] == 1
        assert rows[kind, "boom"]["num_failures"] == 0
    # the late one was let go half a second after it was sent, at the earliest
    assert sum(rows[kind, "wait_for"]["max_response_time"] for kind in ("QUEUE", "RUN")) >= 500
    with (project / "out_failures.csv").open() as file:
        failures = {(row["Name"], row["Error"]) for row in csv.DictReader(file)}
    assert ("boom", "ValueError('boom')") in failures
    assert ("wait_for", "TaskTimeout('no result within 0.5 s')") in failures
    assert ("add", "TaskRevokedError('expired')") in failures
    assert ("forever", "TaskRevokedError('terminated')") in failures


ADDS = """
from crawler.contrib.locust import CeleryUser
from locust import constant, task

class Adds(CeleryUser):
    wait_time = constant(0.2)

    @task
    def add(self):
        self.client.send_task("add", (1, 2))
"""


@pytest.mark.soak
def test_processes_of_one_test_put_their_rows_together(project, broker):
    url = url_of(broker)
    (project / "locustfile.py").write_text(ADDS)
    there = worker(project, url)
    until(lambda: " ready." in (project / "worker.log").read_text(), there)
    command = [str(BIN / "locust"), "--headless", "-u", "4", "--processes", "2", "-t", "10s"]
    done = subprocess.run(
        [*command, "--csv", "out", "--broker", url],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    there.terminate()  # it says what it was told
    there.wait(PATIENCE)
    assert done.returncode == 0, done.stderr
    with (project / "out_stats.csv").open() as file:
        rows = {(row["Type"], row["Name"]): row for row in csv.DictReader(file)}
    numbers = {kind: int(rows[kind, "add"]["Request Count"]) for kind in ("celery", "QUEUE", "RUN")}
    assert min(numbers.values()) > 10, numbers
    assert {int(row["Failure Count"]) for row in rows.values()} == {0}
    text = (project / "worker.log").read_text()
    assert "enabled by remote" in text
    assert "disabled by remote" in text


#: Who reaches a Redis behind rediss://, by broker and by backend.
REACHES = """
import json, sys
from crawler.contrib.locust.celery_options import CeleryOptions, make_app

url, ca, other = sys.argv[1:]

def reaches(**options):
    app = make_app(CeleryOptions(broker=url, **options))
    try:
        app.connection_for_write().ensure_connection(max_retries=1, interval_start=0)
        sent = True
    except Exception:
        sent = False
    try:
        return [sent, app.backend.client.ping()]
    except Exception as error:
        return [sent, "certificate verify failed" in str(error) and "unverified"]

print(json.dumps({
    "by itself": reaches(),
    "another authority": reaches(tls_ca=other),
    "its authority": reaches(tls_ca=ca),
    "told not to look": reaches(tls_insecure=True),
}))
"""


@pytest.mark.slow
def test_certificates_are_verified_unless_one_says_otherwise(tmp_path):
    tls = Certificates(tmp_path / "tls")
    server = Server(tmp_path / "redis", tls=tls)
    url = f"rediss://127.0.0.1:{server.port}/0"
    try:
        done = subprocess.run(
            [sys.executable, "-c", REACHES, url, str(tls.ca), str(tls.other)],
            env=os.environ | {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},  # does not win
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    finally:
        server.process.kill()
    assert json.loads(done.stdout) == {
        "by itself": [False, "unverified"],
        "another authority": [False, "unverified"],
        "its authority": [True, True],
        "told not to look": [True, True],
    }
