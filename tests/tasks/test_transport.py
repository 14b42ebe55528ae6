"""Our transport to the broker: the broker's URL is shown as kombu's own shows it, an answer to
remote control is JSON without passwords, and the end of a channel waits for no message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu import Connection, Queue
from redis.backoff import NoBackoff
from redis.retry import Retry

from crawler.config.celery import celery_settings
from crawler.config.settings import load
from crawler.local.embedded import PrivateRedis
from crawler.tasks.remote_control import masked_answer

URLS = [
    "redis://db:6380/3",
    "redis://me:s3cret@db/1",
    "rediss://me:s3cret@db:6379/1?ssl_ca_certs=/ca.pem",
    "redis+socket:///run/redis.sock?virtual_host=1",
    "redis+socket://me:s3cret@/run/My%20redis.sock?virtual_host=1",
    "redis+sentinel://:s3cret@a:1,b/shop/3",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("include_password", [False, True])
def test_logs_and_flower_see_the_urls_that_kombu_shows(url, include_password):
    config = celery_settings(load(broker_url=url))
    ours = Celery(set_as_current=False, **config)
    kombus = Celery(set_as_current=False, **config)
    kombus.conf.broker_transport = None
    if url.startswith("redis+socket"):
        kombus.conf.broker_url = url
    shown = ours.connection().as_uri(include_password=include_password)
    assert shown == kombus.connection().as_uri(include_password=include_password)
    assert include_password or "s3cret" not in shown


def test_an_answer_is_json_and_masks_passwords_wherever_they_stand():
    stats = {
        "broker": {
            "hostname": "socket://me:s3cret@/run/redis.sock",
            "alternates": ["sentinel://:s3cret@b:26379/0"],
            "transport_options": {
                "sentinel_kwargs": {"password": "s3cret", "retry": Retry(NoBackoff(), 0)},
                1: {"queues"},
            },
        },
        "pid": 7,
        "clock": None,
    }
    answer = masked_answer(stats)
    assert "s3cret" not in json.dumps(answer)
    assert (answer["pid"], answer["clock"]) == (7, None)
    assert answer["broker"]["transport_options"]["1"] == ["queues"]


@pytest.fixture
def connection(tmp_path) -> Iterator[Connection]:
    """A connection to a broker that answers only when there is a message, or when it is asked to.

    A test that waits for a message in vain hangs.
    """
    with PrivateRedis(tmp_path) as redis:
        config = celery_settings(load(broker_url=redis.broker_url))
        config["broker_transport_options"] |= {"polling_interval": 3_600, "socket_timeout": None}
        with Celery(set_as_current=False, **config).connection() as connection:
            yield connection


def waiting(connection: Connection) -> list[str]:
    """Ask for a message, by a channel of its own, which waits; return where messages go."""
    taken: list[str] = []
    channel = connection.channel()
    consumer = connection.Consumer([Queue("news")], channel=channel, accept=["json"])
    consumer.register_callback(lambda body, message: (taken.append(body), message.ack()))
    consumer.consume()
    connection.Producer().publish("first", routing_key="news", serializer="json")
    while not taken:
        connection.drain_events()
    channel.client.connection.connect()
    channel._brpop_start()
    return taken


def test_the_end_of_a_channel_waits_for_no_message(connection):
    assert waiting(connection) == ["first"]
    connection.close()


def test_the_end_of_a_channel_loses_no_message_that_came_meanwhile(connection):
    taken = waiting(connection)
    connection.Producer().publish("last", routing_key="news", serializer="json")
    connection.close()
    assert taken == ["first", "last"]
