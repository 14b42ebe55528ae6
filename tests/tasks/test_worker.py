"""Workers as processes: what they survive beside their pages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import redis as redis_py
from celery import Celery
from kombu import Message

from crawler.config import celery as celery_config
from crawler.config import settings as configuration
from crawler.config.settings import environment
from crawler.local.embedded import PrivateRedis, worker_command
from crawler.tasks.transport import QoS
from tests.support.folder import until
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.slow


def test_a_worker_that_holds_a_wake_up_for_later_outlives_its_broker(tmp_path):
    frontier = PrivateRedis(tmp_path / "frontier").start()
    broker = PrivateRedis(tmp_path / "broker").start()
    settings = configuration.load(
        redis_url=frontier.url,
        broker_url=broker.broker_url,
        state_dir=tmp_path / "state",
        heartbeat_file=tmp_path / "alive",
    )
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_config.celery_settings(settings))
    log = tmp_path / "worker.log"
    messages = redis_py.Redis(unix_socket_path=str(broker.socket), db=1)

    def logs(words: str) -> bool:
        return words in log.read_text()

    environ = os.environ | environment(settings)
    with (
        log.open("wb") as out,
        subprocess.Popen(
            worker_command(settings, 1), env=environ, stdout=out, stderr=out
        ) as worker,
    ):
        try:
            until(lambda: logs("ready."), worker)
            app.send_task("crawler.tick", queue=settings.queue, countdown=60)
            until(lambda: messages.hlen("unacked") == 1, worker)
            assert broker.process is not None
            broker.process.kill()
            broker.process.wait()
            until(lambda: logs("Connection to broker lost") or logs("Cannot connect"), worker)
            broker.start()
            until(lambda: sends(app, settings.queue), worker)
            until(lambda: logs("crawler.tick") and logs("succeeded"), worker)
            assert worker.poll() is None
            assert settings.heartbeat_file is not None
            assert settings.heartbeat_file.exists()
        finally:
            worker.kill()
            frontier.stop()
            broker.stop()


@pytest.mark.parametrize(("end", "left"), [("close", 1), ("requeue", 1), ("ack", 0), ("reject", 0)])
def test_a_wake_up_is_noted_nowhere_and_put_back_if_not_begun(tmp_path, end, left):
    with PrivateRedis(tmp_path) as broker:
        settings = configuration.load(redis_url=broker.url, broker_url=broker.broker_url)
        app = Celery("test", set_as_current=False)
        app.conf.update(celery_config.celery_settings(settings))
        messages = redis_py.Redis(unix_socket_path=str(broker.socket), db=1)
        app.send_task("crawler.run", ("shop", "ticket-1"), queue=settings.queue)
        taken: list[Message] = []
        with app.connection() as connection:
            app.amqp.TaskConsumer(connection.channel(), on_message=taken.append).consume()
            connection.drain_events(timeout=PATIENCE)
            assert isinstance(taken[0].channel.qos, QoS)
            assert messages.llen(settings.queue) == 0
            assert messages.exists("unacked", "unacked_index") == 0
            if end != "close":
                getattr(taken[0], end)()
        assert messages.llen(settings.queue) == left
        assert messages.exists("unacked", "unacked_index") == 0


def sends(app: Celery, queue: str) -> bool:
    """Whether a message could be sent."""
    try:
        app.send_task("crawler.tick", queue=queue)
    except Exception:  # the broker is on its way
        return False
    return True


def test_a_project_that_finds_our_tasks_gets_their_names_and_the_tick():
    code = (
        "from celery import Celery; app = Celery('project', broker='memory://');"
        " app.autodiscover_tasks(['crawler']); app.loader.import_default_modules();"
        " print(sorted(name for name in app.tasks if name.startswith('crawler.'))); from celery"
        " import signals; print(len(signals.celeryd_init.receivers))"
    )
    names, receivers = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert names == "['crawler.echo', 'crawler.run', 'crawler.start', 'crawler.tick']"
    assert int(receivers) > 0


def test_a_project_s_worker_ticks_if_it_takes_our_queue():
    code = (
        "import sys; from celery import Celery; app = Celery('project', broker='memory://');"
        " app.autodiscover_tasks(['crawler']); worker = app.Worker(queues=sys.argv[1],"
        " pool='solo'); print([type(step).__name__ for step in worker.steps])"
    )
    steps = [
        subprocess.check_output([sys.executable, "-c", code, queue], text=True)
        for queue in ("crawler,celery", "celery")
    ]
    assert ["Ticker" in names for names in steps] == [True, False]
