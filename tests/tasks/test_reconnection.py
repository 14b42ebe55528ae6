"""The patience of a worker with its broker."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.exceptions import WorkerShutdown

from crawler.config import celery as celery_config
from crawler.config import settings as configuration
from crawler.local.embedded import PrivateRedis
from crawler.tasks import reconnection

#: Attempts after which Celery's own consumer gives up.
CELERYS_ATTEMPTS = 100


def consumer_of(app: Celery) -> SimpleNamespace:
    """What a patience asks of a consumer."""
    return SimpleNamespace(
        app=app,
        connect=app.connection_for_read,
        ensure_connected=None,
        on_connection_error_after_connected=None,
        first_connection_attempt=True,
    )


def test_a_worker_connects_again_after_any_number_of_attempts(tmp_path, monkeypatch, caplog):
    # Given a broker that is away for more attempts than a worker of Celery's makes in 46 minutes
    attempts = 0
    broker = PrivateRedis(tmp_path)
    settings = configuration.load(redis_url=broker.url, broker_url=broker.broker_url)
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_config.celery_settings(settings))
    with ExitStack() as ending:

        def look() -> None:
            nonlocal attempts
            attempts += 1
            if attempts == 2 * CELERYS_ATTEMPTS:
                ending.enter_context(broker)

        monkeypatch.setattr(reconnection, "RETRY_MAX", 0.001)
        monkeypatch.setattr(reconnection, "RETRY_STEP", 0.001)
        monkeypatch.setattr(reconnection.state, "maybe_shutdown", look)
        consumer = consumer_of(app)
        connection = app.connection_for_read()
        # When the consumer connects, then it does so in the end, and fills no log meanwhile
        assert reconnection.Patience(consumer).ensure_connected(connection).connected
        connection.release()
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("connection")]
    assert len(lines) == reconnection.LINES + 1
    assert f"at attempt {attempts + 1}" in lines[-1]


def test_a_worker_whose_broker_goes_as_it_comes_up_still_ends(tmp_path, monkeypatch):
    # Given a consumer that was connected, whose broker is gone before its first step asks for more
    broker = PrivateRedis(tmp_path)
    settings = configuration.load(redis_url=broker.url, broker_url=broker.broker_url)
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_config.celery_settings(settings))
    consumer = consumer_of(app)
    with broker:
        connection = reconnection.Patience(consumer).connect()
        connection.ensure_connection()
        connection.release()
    # When the worker is told to end, then that step does not wait for the broker
    monkeypatch.setattr(reconnection.state, "should_stop", 0)
    with pytest.raises(WorkerShutdown):
        connection.default_channel  # noqa: B018, to ask for it is what a step does
    connection.release()


@pytest.mark.parametrize(
    "setting", ["broker_connection_retry", "broker_connection_retry_on_startup"]
)
def test_an_app_that_wants_no_retry_keeps_celerys_way(setting):
    app = Celery("test", set_as_current=False)
    app.conf[setting] = False
    consumer = SimpleNamespace(
        app=app,
        connect=None,
        ensure_connected=str.upper,
        on_connection_error_after_connected=None,
        first_connection_attempt=True,
    )
    assert reconnection.Patience(consumer).ensure_connected("celery's") == "CELERY'S"


def test_of_many_equal_lines_the_first_are_logged_then_one_a_minute(monkeypatch):
    now = 1_000.0
    monkeypatch.setattr(reconnection.time, "monotonic", lambda: now)
    lines, due = reconnection.Lines(), []
    for now in range(1_000, 1_200):
        due += [now - 1_000] * lines.due("away" if now < 1_150 else "refuses")
    assert due == [0, 1, 2, 62, 122, 150, 151, 152]
