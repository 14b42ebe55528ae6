"""The pool of processes: a worker loses nothing that they wrote, though they end at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
from celery import Celery

from crawler.config import celery as celery_config
from crawler.config.settings import Settings
from crawler.local.embedded import PrivateRedis
from crawler.tasks import prefork
from crawler.tasks.prefork import wait_until_read
from tests.support.ground import Worker, until
from tests.support.patience import PATIENCE


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        os.close(end)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not say what is in a pipe")
def test_a_process_waits_until_its_worker_has_read_what_it_wrote(pipe, monkeypatch):
    monkeypatch.setattr(prefork, "READ_TIMEOUT", PATIENCE)
    reader, writer = pipe
    os.write(writer, b"result")
    waiting = threading.Thread(target=wait_until_read, args=[writer])
    waiting.start()
    assert os.read(reader, 3) == b"res"
    assert waiting.is_alive()
    assert os.read(reader, 100) == b"ult"
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_a_worker_that_stopped_reading_holds_no_process_up(pipe, monkeypatch):
    monkeypatch.setattr(prefork, "READ_TIMEOUT", 0.01)
    os.write(pipe[1], b"result")
    wait_until_read(pipe[1])
    assert os.read(pipe[0], 100) == b"result"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("queue", "pool", "module"),
    [
        ("crawler,celery", "prefork", "crawler.tasks.prefork"),
        ("celery", "prefork", "celery.concurrency.prefork"),
        ("crawler,celery", "threads", "celery.concurrency.thread"),
    ],
)
def test_a_worker_that_takes_our_tasks_in_processes_has_our_pool(queue, pool, module):
    code = (
        "import sys; from celery import Celery; app = Celery('project', broker='memory://');"
        " app.autodiscover_tasks(['crawler']); worker = app.Worker(queues=sys.argv[1],"
        " pool=sys.argv[2]); print(type(worker.pool).__module__)"
    )
    out = subprocess.check_output([sys.executable, "-c", code, queue, pool], text=True)
    assert out.strip() == module


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_logs_its_last_tasks(tmp_path):
    with ExitStack() as ending:
        redis = ending.enter_context(PrivateRedis(tmp_path))
        settings = Settings(redis_url=redis.url, broker_url=redis.broker_url, state_dir=tmp_path)
        worker = Worker(settings, 4, tmp_path / "worker.log")
        ending.callback(worker.end)
        app = Celery("sender", set_as_current=False)
        app.conf.update(celery_config.celery_settings(settings))
        for _ in range(4):
            app.send_task("crawler.tick")
        until(lambda: worker.said().count("received") == 4, worker.said)
        worker.process.terminate()
        assert worker.process.wait(PATIENCE) == 0
        assert worker.said().count("succeeded in") == 4
