"""What `doctor` says of a machine: each check, where all is well and where it is not."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from crawler.browser.chrome.registry import Entry, Registry
from crawler.cli import machine_checks
from crawler.client.workers import Worker, WorkerRegistry
from crawler.local.processes import process_name
from tests.support.folder import Folder


@pytest.mark.parametrize(
    ("chrome", "driver", "fits"),
    [
        ("Chromium 156.0.8078.108", "ChromeDriver 156.0.1.2 (7304)", True),
        ("Google Chrome 156.0.8078.108 ", "ChromeDriver 154.0.8078.108", False),
    ],
)
def test_versions_of_chrome_and_its_driver_must_fit(chrome, driver, fits):
    finding = machine_checks.versions_fit(chrome, driver)
    assert (finding.remedy == "") is fits
    assert fits or "ChromeDriver 156" in finding.remedy


def test_a_sandbox_that_cannot_be_had_is_advice_and_no_fault(tmp_path):
    assert machine_checks.sandbox(root=True).advice
    assert not machine_checks.sandbox(root=True).remedy
    assert machine_checks.sandbox(root=False, proc=tmp_path).state == "can be had"
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    finding = machine_checks.sandbox(root=False, proc=tmp_path)
    assert "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in finding.advice
    assert finding.text().startswith("--  sandbox")


def test_room_and_files_are_told_with_their_mends(tmp_path, monkeypatch):
    assert machine_checks.disk(tmp_path / "not" / "yet").remedy == ""
    assert machine_checks.shared_memory(tmp_path / "none") is None
    assert machine_checks.shared_memory(tmp_path).remedy == ""
    little = shutil._ntuple_diskusage(64 << 20, 60 << 20, 4 << 20)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: little)
    assert "make room" in machine_checks.disk(tmp_path).remedy
    assert "shm_size: 2gb" in machine_checks.shared_memory(tmp_path).remedy
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1_000, hard))
        assert "ulimit -n 1024" in machine_checks.open_files().remedy
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert machine_checks.open_files().remedy == ""


def test_a_chrome_of_nobody_is_found_with_its_process(folder: Folder):
    state = Path(folder.environ["CRAWLER_STATE_DIR"])
    mine = state / f"chrome-{os.getpid()}-1-0123abcd@{platform.node()}"  # of an earlier process
    mine.mkdir(parents=True)
    program = folder.path / "chromium"
    shutil.copy(str(shutil.which("sleep")), program)
    with subprocess.Popen([program, "600"], cwd=mine) as process:
        done = folder.here("doctor", "--json")
        process.kill()
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert not found["left over"]["ok"]
    assert "1 Chromes of nobody" in found["left over"]["found"]
    assert f"kill {process.pid}" in found["left over"]["mend"]
    assert found["disk"]["ok"]
    shutil.rmtree(mine)
    assert machine_checks.left_sessions(state).remedy == ""


def test_clocks_are_compared_with_that_of_redis(redis, monkeypatch):
    registry = WorkerRegistry(redis, "clocks:")
    registry.announce(Worker("right@here"), 60)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 90)
    registry.announce(Worker("slow@there"), 60)
    monkeypatch.undo()
    finding = machine_checks.clocks(0.01, registry.workers())
    assert "slow@there is 90.0 s behind" in finding.state
    assert "right@here" not in finding.state
    assert "NTP" in finding.remedy
    assert "this machine is 7.0 s ahead" in machine_checks.clocks(7.0, []).state
    assert machine_checks.clocks(0.5, []).remedy == ""


def test_a_remote_session_whose_process_is_gone_is_named(redis):
    registry = Registry(redis, "left:")
    gone = process_name(os.getpid()).rpartition("/")[0] + "/1"
    for number, worker in enumerate((process_name(os.getpid()), gone)):
        session = f"{number}abcdef0123"
        registry.vouch([Entry(session, "http://hub:4444", worker, "shop", 0.0, 0.0, 0)])
    finding = machine_checks.left_remote(registry.orphans())
    assert "1 of processes that are gone: 1abcdef0 at http://hub:4444" in finding.state
    assert finding.remedy
    assert machine_checks.left_remote([]).remedy == ""
