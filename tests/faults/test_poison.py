"""Messages that no part of this project sends: none of them ends a worker's main process, none
comes back, and the next wake-up is answered.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis as redis_py
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.ground import Ground, Worker, ended_well, shop
from tests.support.webdriver import Doc

pytestmark = pytest.mark.slow


def encoded(body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def message(arguments: Any = ("before", "poison"), **headers: Any) -> dict[str, Any]:
    """A wake-up as a sender of this project writes it."""
    body = [list(arguments), {}, {"callbacks": None, "errbacks": None, "chain": None}]
    return {
        "body": encoded(body),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": "crawler.run",
            "id": "0b0f7b6e-0000-4000-8000-000000000000",
            "root_id": "0b0f7b6e-0000-4000-8000-000000000000",
            "parent_id": None,
            "group": None,
            "eta": None,
            "expires": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": "('before', '…')",
            "kwargsrepr": "{}",
            "origin": "gen1@host",
            "ignore_result": True,
            **headers,
        },
        "properties": {
            "correlation_id": "0b0f7b6e-0000-4000-8000-000000000000",
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "crawler"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "6b2b0c5e-0000-4000-8000-000000000000",
        },
    }


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    """A wake-up, changed, as it stands in Redis."""
    one = message()
    change(one)
    return json.dumps(one)


def with_body(body: Any, **parts: Any) -> str:
    return json.dumps({**message(), "body": body, **parts})


DEEP = "[" * 100_000 + "]" * 100_000
FAR = (datetime.now(UTC) + timedelta(days=400)).isoformat()
SIGNATURE = {"task": "crawler.start", "args": ["other"], "kwargs": {}, "options": {}}

#: Texts that are no wake-ups, by what is wrong with them.
POISON: dict[str, str | bytes] = {
    "nothing": "",
    "no JSON": "{",
    "a number": "7",
    "null": "null",
    "a list": "[]",
    "a text": '"crawler.run"',
    "an empty object": "{}",
    "bytes": b"\xff\xfe\x00",
    "deep": DEEP,
    "a huge number": "1" * 10_000,
    "huge": json.dumps({**message(), "more": "x" * 3_000_000}),
    "NaN": with_body(base64.b64encode(b'[["before", NaN], {}, {}]').decode()),
    "no headers": changed(lambda one: one.pop("headers")),
    "headers null": changed(lambda one: one.update(headers=None)),
    "headers a list": changed(lambda one: one.update(headers=[])),
    "no properties": changed(lambda one: one.pop("properties")),
    "properties a text": changed(lambda one: one.update(properties="x")),
    "encoding unknown": changed(lambda one: one["properties"].update(body_encoding="rot13")),
    "no body": changed(lambda one: one.pop("body")),
    "body null": with_body(None),
    "body a number": with_body(7),
    "body no base64": with_body("%%%"),
    "body no UTF-8": with_body(base64.b64encode(b"\xff\xfe").decode()),
    "body no JSON": with_body(base64.b64encode(b"{").decode()),
    "body deep": with_body(base64.b64encode(DEEP[:40_000].encode()).decode()),
    "body half a character": with_body(base64.b64encode(b'[["\\ud83d"], {}, {}]').decode()),
    "body of two": with_body(encoded([["before"], {}])),
    "body a number in JSON": with_body(encoded(5)),
    "arguments a text": with_body(encoded(["before", {}, {}])),
    "keywords a list": with_body(encoded([["before"], [], {}])),
    "too many": with_body(encoded([["before", "t", 1, 2, 3], {}, {}])),
    "unknown keyword": with_body(encoded([["before"], {"self": 1}, {}])),
    "twice": with_body(encoded([["before"], {"crawl": "before"}, {}])),
    "no crawl": with_body(encoded([[], {}, {}])),
    "crawl an object": with_body(encoded([[{"before": 1}, "t"], {}, {}])),
    "crawl a path": with_body(encoded([["../etc", "t"], {}, {}])),
    "ticket a number": with_body(encoded([["before", 7], {}, {}])),
    "pickle": with_body(
        base64.b64encode(b"cos\nsystem\n(S'true'\ntR.").decode(),
        **{"content-type": "application/x-python-serialize", "content-encoding": "binary"},
    ),
    "yaml": with_body(encoded([["before"], {}, {}]), **{"content-type": "application/x-yaml"}),
    "msgpack": with_body(
        encoded([["before"], {}, {}]), **{"content-type": "application/x-msgpack"}
    ),
    "content null": with_body(encoded([["before"], {}, {}]), **{"content-type": None}),
    "content a list": with_body(encoded([["before"], {}, {}]), **{"content-type": []}),
    "charset unknown": with_body(encoded([["before"], {}, {}]), **{"content-encoding": "utf-99"}),
    "charset a number": with_body(encoded([["before"], {}, {}]), **{"content-encoding": 8}),
    "protocol 1": json.dumps(
        {
            **message(),
            "headers": {},
            "body": encoded({"task": "crawler.run", "id": "1", "args": ["before"], "kwargs": {}}),
        }
    ),
    "a type of kombu": json.dumps({**message(), "x": {"__type__": "datetime", "__value__": 5}}),
    "compressed": json.dumps(message(compression="application/x-gzip")),
    "task null": json.dumps(message(task=None)),
    "task a list": json.dumps(message(task=["crawler.run"])),
    "task unknown": json.dumps(message(task="crawler.none")),
    "task of nobody": json.dumps(message(task="nobody.knows")),
    "task of Celery": json.dumps(message(task="celery.map")),
    "task for ever": json.dumps(message(task="celery.chord_unlock")),
    "id null": json.dumps(message(id=None)),
    "id an object": json.dumps(message(id={})),
    "id huge": json.dumps(message(id="x" * 10_000)),
    "eta a number": json.dumps(message(eta=7)),
    "eta no time": json.dumps(message(eta="tomorrow")),
    "eta far": json.dumps(message(eta=FAR)),
    "eta the last": json.dumps(message(eta="9999-12-31T23:59:59-23:59")),
    "eta the first": json.dumps(message(eta="0001-01-01T00:00:00+23:59")),
    "expires a list": json.dumps(message(expires=[1])),
    "expires no time": json.dumps(message(expires="x")),
    "expires the last": json.dumps(message(expires="9999-12-31T23:59:59-23:59")),
    "root a list": json.dumps(message(root_id=[])),
    "parent a number": json.dumps(message(parent_id=5)),
    "origin an object": json.dumps(message(origin={})),
}
#: Wake-ups of which only the harmless part counts: they are answered.
HARMLESS = {
    "no tag": changed(lambda one: one["properties"].pop("delivery_tag")),
    "tag a list": changed(lambda one: one["properties"].update(delivery_tag=[1])),
    "no delivery_info": changed(lambda one: one["properties"].pop("delivery_info")),
    "delivery_info a text": changed(lambda one: one["properties"].update(delivery_info="x")),
    "priority a text": changed(lambda one: one["properties"].update(priority="high")),
    "embedded a list": with_body(encoded([["before"], {}, []])),
    "retries a text": json.dumps(message(retries="many")),
    "retries huge": json.dumps(message(retries=1e300)),
    "time limits": json.dumps(message(timelimit=["a", {}])),
    "a short limit": json.dumps(message(timelimit=[0.0001, 0.0001])),
    "lang a list": json.dumps(message(lang=[])),
    "shown as a list": json.dumps(message(argsrepr=[], kwargsrepr=7)),
    "results wanted": json.dumps(message(ignore_result=False)),
    "a group": json.dumps(message(group=["x"], group_index="y")),
    "stamps": json.dumps(message(stamped_headers=7, stamps="x")),
    "a shadow": json.dumps(message(shadow={"x": 1})),
}
CHAINED = [["before", "poison"], {}, {
    "callbacks": [SIGNATURE], "errbacks": [SIGNATURE], "chain": [SIGNATURE], "chord": SIGNATURE,
}]  # fmt: skip

COMMANDS: list[str | bytes] = [
    "{", "7", "null", "[]", DEEP, b"\xff",
    json.dumps({**message(), "body": encoded([])}),
    json.dumps({**message(), "body": encoded({})}),
    json.dumps({**message(), "body": encoded({"method": "no_such", "arguments": {}})}),
    json.dumps({**message(), "body": encoded({"method": "rate_limit", "arguments": {"x": 1}})}),
    json.dumps({**message(), "body": encoded({"method": "ping", "destination": 7})}),
    json.dumps({**message(), "body": encoded({"method": "ping", "reply_to": "x"})}),
    json.dumps({**message(), "body": encoded(
        {"method": "ping", "matcher": "pcre", "pattern": "(a+)+$"})}),
    json.dumps({**message(), "body": encoded({"method": {}, "arguments": []})}),
    json.dumps({**message(), "properties": None}),
    json.dumps({**message(), "headers": {"expires": "x"}, "body": encoded({"method": "ping"})}),
]  # fmt: skip


#: Those that Celery itself does not know, or refuses, are not counted.
COMMANDS_REFUSED = 11


class Broker:
    """The broker of a ground, and its worker, which must live."""

    def __init__(self, ground: Ground, worker: Worker) -> None:
        self.ground, self.worker = ground, worker
        self.redis = redis_py.Redis(unix_socket_path=str(ground.redis.socket), db=1)

    def send(self, *items: str | bytes) -> None:
        self.redis.lpush("crawler", *items)

    def is_empty(self) -> bool:
        assert self.worker.process.poll() is None, self.worker.said()[-3_000:]
        left = ("crawler", "crawler\x06\x163", "crawler\x06\x166", "crawler\x06\x169")
        return not any(map(self.redis.llen, left)) and not self.redis.hlen("unacked")

    def until_empty(self) -> None:
        """Wait until each message has left the queue, and none waits to be acknowledged."""
        self.ground.until(self.is_empty)

    def refused(self) -> int:
        return int(self.ground.client.get("refused_messages") or 0)


def crawled(ground: Ground, name: str) -> None:
    """A crawl that comes after them is done."""
    frontier = ground.crawl(shop(name=name))
    ground.until_end(frontier)
    ended_well(frontier, ["/"], log=ground.redis)


def test_poison_is_refused_counted_and_never_comes_back(ground: Ground):
    # Given a worker
    ground.chrome_on({"/": Doc()})
    worker = ground.worker()
    broker = Broker(ground, worker)
    crawled(ground, "before")
    main = worker.process.pid
    # When all kinds of messages come that nobody sends
    broker.send(*POISON.values())
    # Then each is refused, and counted, and none of them is left
    broker.until_empty()
    ground.until(lambda: broker.refused() == len(POISON))
    # And some are said in a line each, the others in one
    ground.until(lambda: "more messages were refused" in worker.said())
    assert "Traceback" not in worker.said()
    # And what else a wake-up holds is left out
    broker.send(*HARMLESS.values())
    broker.send(with_body(encoded(CHAINED)))
    broker.until_empty()
    # And remote control that is none changes nothing
    refused = broker.refused()
    for command in COMMANDS:
        assert broker.redis.publish("/1.celery.pidbox", command) == 1
    ground.until(lambda: broker.refused() == refused + COMMANDS_REFUSED)
    crawled(ground, "after")
    assert worker.process.pid == main
    assert worker.process.poll() is None
    assert "Task crawler.start" not in worker.said()


def test_threads_and_solo_live_through_poison(ground: Ground):
    ground.chrome_on({"/": Doc()})
    refused = 0
    for pool in ("threads", "solo"):
        # Given garbage among the messages that were not acknowledged in time
        worker = ground.worker(pool=pool)
        broker = Broker(ground, worker)
        broker.redis.hset("unacked", mapping={"a": "{", "b": "[1, 2]", "c": "[[], {}, []]"})
        broker.redis.zadd("unacked_index", {"a": 1, "b": 2, "c": 3})
        # When poison comes
        broker.send(*POISON.values())
        broker.until_empty()
        # Then all of it is refused
        refused += len(POISON) + 2  # and what kombu says itself
        ground.until(lambda: broker.refused() == refused)  # noqa: B023
        crawled(ground, pool)
        worker.end()


# -- at random

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "crawler.run", "2026-01-01", FAR, "application/json", "utf-8"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to each part of a message."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [
        place
        for key, part in parts
        if isinstance(part, dict | list)
        for place in places(part, (*path, key))
    ]
    return [*(((*path, key)) for key, _ in (
        value.items() if isinstance(value, dict) else enumerate(value)
    )), *inner]  # fmt: skip


@st.composite
def mutations(draw: Any) -> bytes:
    """A wake-up in which a few parts are others, are missing or are broken."""
    body = copy.deepcopy([["before", "poison"], {}, {"callbacks": None, "chain": None}])
    whole: dict[str, Any] = {**message(), "body": body}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(whole)))
        target = whole
        for key in path[:-1]:
            target = target[key]
        match draw(st.integers(0, 3)):
            case 0:
                del target[path[-1]]
            case 1 if isinstance(target, dict):
                target[draw(st.text(max_size=12))] = draw(JSON)
            case _:
                target[path[-1]] = draw(JSON)
        if not places(whole):
            break
    if isinstance(whole.get("body"), list) and draw(st.booleans()):
        whole["body"] = encoded(whole["body"])
    raw = json.dumps(whole).encode()
    if draw(st.integers(0, 9)) == 0:  # cut, or with a byte that is another
        at = draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + draw(st.binary(max_size=3))
    return raw


def shower(ground: Ground, batches: int) -> None:
    """Send random mutations of a wake-up to one worker, and see it live."""
    ground.chrome_on({"/": Doc()})
    worker = ground.worker()
    broker = Broker(ground, worker)
    crawled(ground, "before")

    @settings(
        max_examples=batches, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(mutations(), min_size=20, max_size=40))
    def send(batch: list[bytes]) -> None:
        broker.send(*batch)
        broker.until_empty()

    send()
    crawled(ground, "after")
    assert worker.process.poll() is None


def test_random_mutations_of_wake_ups_harm_no_worker(ground: Ground):
    shower(ground, 4)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thousands_of_mutations_of_wake_ups_harm_no_worker(ground: Ground):
    shower(ground, 400)
