"""Whether a worker lives, what a probe is told, and what a worker leaves behind when it is told to
end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crawler.cli import main
from crawler.client.workers import Worker as Announcement
from crawler.config.settings import environment
from crawler.frontier.listing import Listing
from crawler.local.heartbeat_file import (
    IDLE_MAX,
    SILENCE_MAX,
    TICK_AGE_MAX,
    WAIT_MIN,
    Heartbeat,
    Idleness,
)
from tests.support.folder import CRAWLER
from tests.support.ground import Ground, Worker, ended_well, shop
from tests.support.patience import PATIENCE
from tests.support.webdriver import Doc


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    yield there
    there.close()


def beat(**given: object) -> Heartbeat:
    """The heartbeat of a worker that is well at the time 1,000."""
    return Heartbeat(
        **{
            "worker": "w@here",
            "tick": 999.0,
            "broker_reply": 999.5,
            "running": 0,
            "interval": 10.0,
            "longest": 230.0,
        }
        | given
    )  # type: ignore[arg-type]


def test_a_worker_is_well_while_it_ticks_and_hears():
    assert beat().restart_reason(1_000) is None
    assert beat(tick=1_000 - TICK_AGE_MAX).restart_reason(1_000) is None
    assert "no tick" in (beat(tick=1_000 - TICK_AGE_MAX - 1).restart_reason(1_000) or "")
    assert beat(tick=800.0, interval=60.0).restart_reason(1_000) is None  # it ticks less often


def test_a_deaf_worker_is_ill_unless_all_its_slots_are_busy():
    deaf = 1_000 - SILENCE_MAX - 1
    assert "hears" in (beat(broker_reply=deaf).restart_reason(1_000) or "")
    assert beat(broker_reply=deaf, running=4).restart_reason(1_000) is None
    assert "hears" in (beat(broker_reply=deaf - 230, running=4).restart_reason(1_000) or "")
    assert beat(broker_reply=None).restart_reason(1_000) is None  # another broker: nobody knows


def test_a_free_worker_that_gets_nothing_while_work_waits_is_told():
    idleness = Idleness()

    def note(now: float, waits: float | None, taken: int = 3, free: bool = True) -> float:
        return idleness.note(now, taken=taken, free=free, waits=waits)

    assert [note(0, 60), note(10, 70), note(IDLE_MAX + 10.5, None)] == [0, 0, IDLE_MAX + 0.5]
    assert note(50, WAIT_MIN + 1) == 40  # the wake-up was lost, and another follows
    assert note(60, 60, taken=4) == 0  # it took one
    assert [note(70, 60, taken=4), note(80, 60, taken=4, free=False)] == [0, 0]
    assert [note(90, 1, taken=4), note(900, 1, taken=4)] == [0, 0]  # others take them
    assert [note(910, 60, taken=4), note(950, None, taken=4), note(960, None, taken=4)] == [
        *(0, 40, 0)  # nothing waits any more
    ]


class Probe:
    """``crawler health`` beside a worker, with the worker's own settings."""

    def __init__(self, ground: Ground) -> None:
        self.file = ground.folder / "alive"
        self.environ = {
            "PATH": "/usr/bin:/bin",
            **environment(ground.settings(heartbeat_file=self.file)),
        }

    def ask(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CRAWLER, "health", *words],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def here(self, *words: str) -> Result:
        """A command in this process, which is cheaper."""
        gone = {name: None for name in os.environ if name.startswith("CRAWLER_")}
        return CliRunner().invoke(main, words, env={**gone, **self.environ})


def test_a_probe_finds_a_working_worker_and_costs_little(ground: Ground):
    ground.chrome_on({"/": Doc()})
    probe = Probe(ground)
    assert "no worker has written" in probe.here("health", "--only", "worker").stdout
    ground.worker(heartbeat_file=probe.file)
    ground.until_end(ground.crawl(shop()))
    ground.until(lambda: probe.file.exists() and Heartbeat.read(probe.file).broker_reply)
    done = probe.ask("--json", PYTHONPROFILEIMPORTTIME="1")
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"], sorted(said["parts"])) == (
        0,
        True,
        ["broker", "chrome", "redis", "worker"],
    ), done
    assert "heard" in said["parts"]["worker"]["said"]
    # a probe runs every few seconds: it loads none of the libraries that take a second
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"kombu", "redis", "crawler.cli.broker_check"} <= loaded
    assert loaded.isdisjoint({"celery", "selenium", "rich", "crawler.services"})


def test_a_probe_finds_what_is_away(ground: Ground):
    chrome = ground.chrome_on({"/": Doc()})
    probe = Probe(ground)
    Heartbeat("w@here", time.time() - 3_600, None, 0, 10.0, 230.0).write(probe.file)
    chrome.down()
    ground.redis.stop()
    done = probe.ask()
    assert done.returncode == 1
    assert [line[:2] for line in done.stdout.splitlines()] == ["!!"] * 4
    assert "no tick for more than 60 s" in done.stdout
    assert done.stderr == ""


def test_a_worker_whose_broker_is_away_is_not_to_be_restarted(ground: Ground):
    ground.chrome_on({"/": Doc()})
    probe = Probe(ground)
    Heartbeat("w@here", time.time(), time.time() - 3_600, 0, 10.0, 230.0).write(probe.file)
    assert probe.here("health", "--only", "worker").exit_code == 1
    ground.redis.stop()
    done = probe.here("health", "--only", "worker")
    assert (done.exit_code, "the broker is away" in done.stdout) == (0, True), done.output


def test_the_doctor_calls_nothing_well_that_is_away(ground: Ground, monkeypatch):
    monkeypatch.setattr("crawler.cli.doctor.ROUND_TRIP", 0.2)
    chrome = ground.chrome_on({"/": Doc()})
    probe = Probe(ground)

    def doctor() -> dict[str, str]:
        done = probe.here("doctor", "--json")
        assert done.exit_code == 1, done.output
        return {finding["what"]: finding["mend"] for finding in json.loads(done.stdout)}

    found = doctor()
    assert (found["chrome"], "crawler worker" in found["workers"]) == ("", True)
    chrome.down()
    lame = Announcement("lame", queue="q", faults=("broken.py does not import",), processes=1)
    ground.library().workers.announce(lame, life=600)
    found = doctor()
    assert "does not say how it is" in found["chrome"]
    assert "lame: broken.py does not import" in found["workers"]
    assert "none answered a message" in found["workers"]  # nobody takes it


def test_a_worker_that_lives_need_not_be_ready(ground: Ground):
    probe = Probe(ground)
    lives = beat(tick=time.time(), broker_reply=time.time())
    replace(lives, faults=("broken.py does not import: no",)).write(probe.file)
    done = probe.here("health", "--only", "worker")
    assert (done.exit_code, "broken.py does not import" in done.output) == (1, True)
    assert probe.here("health", "--live").exit_code == 0
    assert probe.here("health", "--ready").exit_code == 1
    replace(lives, tick_error="OOM").write(probe.file)
    done = probe.here("health", "--only", "worker")
    assert (done.exit_code, "its tick fails: OOM" in done.output) == (1, True)
    ground.redis.stop()  # then it waits for Redis, as it should
    assert [
        probe.here("health", *words).exit_code for words in (("--only", "worker"), ("--ready",))
    ] == [*(0, 1)]
    assert probe.here("health", "--live", "--ready").exit_code == 2


def test_a_file_that_is_no_heartbeat_is_told_in_a_line(ground: Ground):
    probe = Probe(ground)
    probe.file.write_text("{")
    done = probe.here("health", "--only", "worker")
    assert done.exit_code == 1
    assert "is not what a worker of this version writes" in done.stdout


def test_a_worker_that_is_asked_to_end_does_its_page_first(ground: Ground):
    """Warm: SIGTERM."""
    gate = threading.Event()
    chrome = ground.chrome_on({"/": Doc(links=["/a", "/b"]), "/a": Doc(gate=gate), "/b": Doc()})
    worker = ground.worker()
    frontier = ground.crawl(shop(concurrency_limit=1))
    ground.until(lambda: chrome.count("/a"))
    worker.process.send_signal(signal.SIGTERM)
    ground.until(lambda: "Warm shutdown" in worker.said())
    gate.set()
    assert worker.process.wait(PATIENCE) == 0
    seen = frontier.snapshot()
    assert (seen.done, seen.queued, seen.processing) == (2, 1, 0)
    ground.until(lambda: not chrome.sessions)  # and it closed its browser
    ground.worker()
    ground.until_end(frontier)
    ended_well(frontier, ["/", "/a", "/b"], log=ground.redis)
    assert chrome.count("/a") == 1


def test_a_worker_ended_at_once_gives_its_pages_back_first(ground: Ground):
    """Cold: SIGQUIT. No lease has to run out, no attempt is burned, and others may claim the pages
    at once.
    """
    never = threading.Event()
    chrome = ground.chrome_on(
        {
            "/": Doc(links=["/a", "/b"]),
            "/a": [Doc(gate=never), Doc()],
            "/b": [Doc(gate=never), Doc()],
        }
    )
    worker = ground.worker(2)
    frontier = ground.crawl(shop(concurrency_limit=2))
    ground.until(lambda: chrome.count("/a") and chrome.count("/b"))
    worker.process.send_signal(signal.SIGQUIT)
    ground.until(lambda: frontier.snapshot().processing == 0)
    assert worker.process.poll() is None  # they are back before it is gone
    never.set()  # it also ends its sessions, and a browser answers that only when its page does
    worker.process.wait(PATIENCE)
    seen = frontier.snapshot()
    assert (seen.queued, seen.processing, seen.held_until) == (2, 0, None), worker.said()
    assert [page.attempt for page in Listing(frontier).queued()] == [0, 0]
    ground.worker(2)
    ground.until_end(frontier)
    seen = ended_well(frontier, ["/", "/a", "/b"], log=ground.redis)
    assert seen.counts["released"] == 2
    assert "crashed" not in seen.counts


def warnings(worker: Worker) -> str:
    return "\n".join(line for line in worker.said().splitlines() if "WARNING" in line)


PROJECT = """
from celery import Celery
app = Celery("project", broker={broker!r})
app.conf.update(
    accept_content=["json", "pickle"], task_acks_late=True, task_default_queue="crawler",
    broker_transport_options={{"visibility_timeout": 60}}, worker_hijack_root_logger=True,
    broker_connection_retry_on_startup=False,
)
app.autodiscover_tasks(["crawler"], force=True)
"""


def test_a_worker_names_each_wrong_setting_of_its_project_and_the_remedy(ground: Ground):
    ground.client.config_set("maxmemory-policy", "allkeys-lru")
    settings = ground.settings(events=True)
    (ground.folder / "project.py").write_text(PROJECT.format(broker=settings.broker_url))
    log = ground.folder / "worker.log"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "project",
        "worker",
        "-P",
        "threads",
        "-c",
        "1",
        "-l",
        "INFO",
    ]
    environ = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ground.folder),
        "C_FORCE_ROOT": "yes",
        **environment(settings),
    }
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, env=environ, cwd=ground.folder, stdout=out, stderr=out
        ) as process,
    ):
        try:
            ground.until(lambda: "keys away" in log.read_text())
        finally:
            process.kill()
    said = log.read_text()
    for words in (
        "set accept_content to ['json']",
        "runs are handed out again while they run",
        "use -P prefork",
        "start it with -E",
        "start it with --disable-prefetch",
        "this worker ends if its broker is away at its start; set it to True",
        "this Redis throws keys away when it is full (maxmemory-policy allkeys-lru)",
    ):
        assert said.count(words) == 1, words


def test_our_own_worker_breaks_no_promise(ground: Ground):
    ground.chrome_on({"/": Doc()})
    worker = ground.worker(events=True)
    ground.until_end(ground.crawl(shop()))
    said = warnings(worker).splitlines()
    # which breaks one by itself
    if int(ground.client.info("server")["redis_version"].split(".")[0]) < 7:
        assert "a full server refuses a step as a whole" in said.pop()
    assert said == []


@pytest.mark.parametrize(
    ("nodes", "ok"), [([], False), (["DOWN", "DRAINING"], False), (["DOWN", "UP"], True)]
)
def test_a_grid_whose_slots_are_all_taken_is_well(monkeypatch, nodes, ok):
    # Given a Grid that says "not ready", as it does without a node and without a free slot
    said = {"ready": False, "message": "Selenium Grid not ready.", "nodes": [
        {"availability": availability} for availability in nodes
    ]}  # fmt: skip

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"value": said}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        monkeypatch.setenv("CRAWLER_CHROME_URL", f"http://127.0.0.1:{hub.server_port}")
        # When a probe asks
        result = CliRunner().invoke(main, ["health", "--only", "chrome", "--json"])
        hub.shutdown()
    # Then only one without any node that is up is ill
    part = json.loads(result.output)["parts"]["chrome"]
    assert part["ok"] is ok
    assert ("all slots taken" if ok else "Selenium Grid not ready.") in part["said"]
