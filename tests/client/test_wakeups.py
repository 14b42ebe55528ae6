"""Wake-ups reach the broker as Celery's own messages, whichever way they are sent."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis as redis_py
from celery import signals

from crawler.client.client import Client
from crawler.client.wakeups import WAKE_UP_LIFE, WakeUps
from crawler.config import settings as configuration
from crawler.local.embedded import PrivateRedis


@pytest.fixture
def wakeups(redis_server: PrivateRedis) -> Iterator[WakeUps]:
    """A sender."""
    settings = configuration.load(redis_url=redis_server.url, broker_url=redis_server.broker_url)
    sends = Client(settings).send
    assert isinstance(sends, WakeUps)
    yield sends
    sends.app.close()


@pytest.fixture
def sent(redis_server: PrivateRedis, wakeups: WakeUps) -> Iterator[Any]:
    """What takes the oldest message off the broker, which is empty at first, with its body read."""
    client: Any = redis_py.Redis(unix_socket_path=str(redis_server.socket), db=1)
    client.flushdb()

    def take() -> dict[str, Any]:
        text = client.rpop(wakeups.settings.queue)
        assert text is not None, "there is no message"
        message: dict[str, Any] = json.loads(text)
        return message | {"body": json.loads(base64.b64decode(message["body"]))}

    yield take
    client.close()


def without_own(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what is different in each."""
    headers = {
        name: value
        for name, value in message["headers"].items()
        if name not in ("id", "root_id", "expires")
    }
    # the last is in the headers, and nobody reads it here
    repeated = ("correlation_id", "delivery_tag", "argsrepr")
    properties = {
        name: value for name, value in message["properties"].items() if name not in repeated
    }
    return message | {"headers": headers, "properties": properties}


def test_a_copy_is_what_celery_itself_would_send(wakeups, sent):
    wakeups.send("shop", "ticket-1")
    wakeups.send_copy("shop", "ticket-1")
    celerys, ours = sent(), sent()
    assert without_own(ours) == without_own(celerys)
    assert (
        ours["headers"]["id"] == ours["headers"]["root_id"] == ours["properties"]["correlation_id"]
    )
    assert ours["headers"]["id"] != celerys["headers"]["id"]
    for message in (celerys, ours):
        left = datetime.fromisoformat(message["headers"]["expires"]) - datetime.now(UTC)
        assert 0 < left.total_seconds() <= WAKE_UP_LIFE


def test_each_wake_up_names_its_crawl_a_ticket_and_an_id(wakeups, sent):
    wakeups("shop", "ticket-1")
    wakeups("books", "ticket-2")
    first, second = sent(), sent()
    assert [first["body"][0], second["body"][0]] == [["shop", "ticket-1"], ["books", "ticket-2"]]
    assert [first["headers"]["argsrepr"], second["headers"]["argsrepr"]] == [
        "('shop',)",
        "('books',)",
    ]
    assert first["headers"]["id"] != second["headers"]["id"]


def test_a_wake_up_for_later_says_when(wakeups, sent):
    wakeups("shop", "ticket-1", 30.0)
    message = sent()
    eta, expires = (datetime.fromisoformat(message["headers"][name]) for name in ("eta", "expires"))
    assert (expires - eta).total_seconds() == pytest.approx(WAKE_UP_LIFE, abs=1)
    assert 25 < (eta - datetime.now(UTC)).total_seconds() <= 30


def test_receivers_of_celery_s_signals_hear_of_each_message(wakeups, sent):
    bodies: list[Any] = []

    def hear(body: Any, **_: Any) -> None:
        bodies.append(body[0])

    signals.before_task_publish.connect(hear)
    try:
        wakeups("shop", "ticket-1")
    finally:
        signals.before_task_publish.disconnect(hear)
    wakeups("shop", "ticket-2")
    assert bodies == [("shop", "ticket-1")]
    assert [sent()["body"][0][1] for _ in range(2)] == ["ticket-1", "ticket-2"]


def test_a_process_that_only_sends_loads_no_browser(redis_server: PrivateRedis):
    code = (
        "import sys; sys.modules['selenium'] = None\n"
        "from crawler.client.wakeups import WakeUps\n"
        "from crawler.config.settings import load\n"
        f"WakeUps(load(redis_url={redis_server.url!r}, broker_url={redis_server.broker_url!r}))"
        "('shop', 'ticket')\n"
        "print('crawler.services' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout == "False\n"


def test_every_message_can_go_to_the_queue_of_a_group(wakeups, redis_server):
    client = redis_py.Redis(unix_socket_path=str(redis_server.socket), db=1)
    client.flushdb()
    group = f"{wakeups.settings.queue}.1a2b3c4d"
    wakeups("shop", "t-1", queue=group)
    wakeups.send("shop", "t-2", queue=group)
    wakeups.send_start("shop", "restart", group)
    assert client.llen(group) == 3
    assert client.llen(wakeups.settings.queue) == 0
