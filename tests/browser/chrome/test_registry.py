"""The registry of remote sessions: who owns them, and who ends those of owners that are gone."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from crawler.browser.chrome.registry import Entry, Registry
from crawler.local.processes import machine_name, process_name

GRID = "http://grid:4444"
MINE = Entry("one", GRID, process_name(os.getpid()), "shop", started=1.0, used=2.0, pages=3)
ELSEWHERE = replace(MINE, id="far", worker="elsewhere.1/7/7")


@pytest.fixture
def registry(redis) -> Registry:
    return Registry(redis, "test:")


@pytest.fixture
def orphan() -> Entry:
    """A session of a process of this machine that has ended."""
    ended = subprocess.Popen(["sleep", "60"])
    name = process_name(ended.pid)
    ended.kill()
    ended.wait()
    return replace(MINE, id="orphan", worker=name)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what is vouched for last a moment only."""
    monkeypatch.setattr("crawler.browser.chrome.registry.VOUCH_LIFE", 0.05)


def reap(
    registry: Registry, *, works: bool = True, address: str = GRID, lease: float = 30.0
) -> list[str]:
    """Reap once; return the sessions that were to be ended."""
    ended: list[str] = []
    count = registry.reap(address, lambda session: ended.append(session) or works, lease)
    assert count == (len(ended) if works else 0)
    return sorted(ended)


def until_silent(registry: Registry) -> None:
    """Wait until no session is vouched for."""
    while any(entry.until > registry._now() for entry in registry.sessions()):
        time.sleep(0.01)


def test_sessions_are_known_with_their_owner_until_they_end(registry):
    registry.vouch([ELSEWHERE, replace(MINE, pages=4)])
    far, one = sorted(registry.sessions(), key=lambda entry: entry.id)
    assert (one.address, one.worker, one.crawl, one.pages, one.used) == (
        GRID,
        MINE.worker,
        "shop",
        4,
        2.0,
    )
    registry.leave(far.id)
    assert [entry.id for entry in registry.sessions()] == ["one"]


def test_sessions_of_living_owners_are_left_alone(registry):
    registry.vouch([MINE, ELSEWHERE])
    assert reap(registry) == []
    assert registry.reaped() == 0


def test_a_session_of_an_ended_process_is_ended_once_however_many_reap(registry, orphan):
    registry.vouch([MINE, orphan])
    ended: list[str] = []

    def work() -> None:
        registry.reap(GRID, lambda session: ended.append(session) or True, 30.0)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["orphan"]
    assert [entry.id for entry in registry.sessions()] == ["one"]
    assert registry.reaped() == 1


@pytest.mark.usefixtures("brief")
def test_a_silent_machines_session_is_ended_but_not_our_slow_process(registry):
    registry.vouch([MINE, ELSEWHERE])
    until_silent(registry)
    assert reap(registry) == ["far"]


def test_an_owner_that_speaks_up_again_keeps_its_session(registry, monkeypatch):
    monkeypatch.setattr("crawler.browser.chrome.registry.VOUCH_LIFE", 0.05)
    registry.vouch([ELSEWHERE])
    until_silent(registry)
    monkeypatch.setattr("crawler.browser.chrome.registry.VOUCH_LIFE", 35.0)
    take = registry._take

    def speak_up_first(*arguments) -> bool:
        registry.vouch([ELSEWHERE])
        return take(*arguments)

    monkeypatch.setattr(registry, "_take", speak_up_first)
    assert reap(registry) == []


@pytest.mark.usefixtures("brief")
def test_a_session_that_cannot_be_ended_is_retried_and_later_forgotten(
    registry, monkeypatch, caplog
):
    registry.disown(MINE)  # its owner, which lives, could not end it
    assert reap(registry, works=False, lease=0.2) == ["one"]
    assert reap(registry) == []  # not at once
    while not reap(registry, works=False, lease=0.1):
        time.sleep(0.02)
    assert registry.reaped() == 0
    monkeypatch.setattr("crawler.browser.chrome.registry.FORGET_AFTER", 0.0)
    assert reap(registry) == []
    assert registry.sessions() == []
    assert "session one at http://grid:4444 could not be ended, and is forgotten" in caplog.text


def test_sessions_of_another_endpoint_are_left_to_those_who_know_it(registry, orphan):
    registry.vouch([orphan])
    assert reap(registry, address="http://other:4444") == []
    assert reap(registry) == ["orphan"]


def test_a_process_id_in_use_again_is_not_taken_for_the_owner(registry):
    registry.vouch([replace(MINE, worker=f"{machine_name()}/{os.getpid()}/1")])
    assert reap(registry) == ["one"]
