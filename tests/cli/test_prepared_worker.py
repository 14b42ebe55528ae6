"""The worker that is prepared while `crawler start` reads its definition."""

from __future__ import annotations

import sys

import psutil
import pytest

from crawler.local import prepared_worker


def waiting() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [one for one in children if prepared_worker.WAIT in one.cmdline()]


@pytest.fixture(autouse=True)
def none_left():
    yield
    prepared_worker.discard()


def test_a_prepared_worker_ends_when_it_is_not_needed(tmp_path, monkeypatch):
    monkeypatch.delenv("CRAWLER_REDIS_URL", raising=False)
    prepared_worker.prepare()
    assert len(waiting()) == 1
    # another program is started as usual
    assert prepared_worker.take([sys.executable, "-m", "celery"], tmp_path / "log", env={}) is None
    assert waiting() == []


def test_a_start_that_is_refused_leaves_no_prepared_worker(folder):
    assert folder.here("start", "missing.toml").exit_code == 2
    assert waiting() == []
