"""How the ends of tasks arrive from a result backend: pushed by Redis, as replies through the
broker, or asked for.
"""

from __future__ import annotations

from locust.env import Environment  # noqa: F401, first: it makes the standard library cooperate

# isort: split
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import gevent
from celery import Celery
from celery.backends.base import DisabledBackend
from celery.backends.redis import RedisBackend
from celery.backends.rpc import RPCBackend
from gevent.event import Event

from ...observe.logs import logger

log = logger(__name__)

#: Seconds between two questions about a task, where the backend tells nothing by itself.
POLL_INTERVAL = 0.1
#: Seconds after which Redis is asked for results that it should have pushed.
CATCH_UP = 5.0
#: Keys that are asked for at once.
STEP = 200
#: Seconds before a lost connection is tried again, at first and at most.
PAUSE, PAUSE_MAX = 0.1, 2.0

#: A task's state as the backend keeps it: ``task_id``, ``status``, ``result`` …
Meta = Mapping[str, Any]
#: Takes a state, and whether it was pushed: then it came at once.
Take = Callable[[Meta, bool], None]
#: Returns the ids of tasks whose end is waited for.
Waiting = Callable[[], Iterable[str]]


class Outage:
    """Waits between attempts at a connection, ever longer, and says once that it was lost.

    ``ready`` is set when the connection was made.
    """

    def __init__(self, what: str, ready: Event) -> None:
        self.what, self.ready, self.pause = what, ready, 0.0

    def wait(self, error: Exception) -> None:
        """Wait after an ``error``."""
        if self.ready.is_set() or not self.pause:
            self.ready.clear()
            self.pause = PAUSE
            log.warning("%s do not arrive, trying again: %s", self.what, error)
        gevent.sleep(self.pause)
        self.pause = min(PAUSE_MAX, self.pause * 2)


class ResultSource:
    """The base of all: one that is handed its states by somebody else, as replies are."""

    def __init__(self, backend: Any, prefix: str, take: Take, waiting: Waiting) -> None:
        self.backend, self.prefix, self.take, self.waiting = backend, prefix, take, waiting
        self.ready = Event()

    def run(self) -> None:
        """Receive until the greenlet is killed."""
        self.ready.set()

    def forget(self, ids: Sequence[str]) -> None:
        """Delete the results of tasks."""

    def decode(self, payload: Any) -> Meta:
        """Return the state in ``payload``, its error as an exception."""
        return dict(self.backend.meta_from_decoded(payload))


class NoResults(ResultSource):
    """The app has no result backend."""


class Replies(ResultSource):
    """Results come as messages, to a queue of this process; see :mod:`task_events`."""


class PushedResults(ResultSource):
    """Redis sends each state of our tasks at once: one subscription for all of them, since their
    ids begin alike.
    """

    def run(self) -> None:
        """Receive until the greenlet is killed; a lost connection is made again."""
        outage = Outage("results", self.ready)
        while True:
            subscription = self.backend.client.pubsub()
            try:
                subscription.psubscribe(self._key(self.prefix) + b"*")
                self._receive(subscription)
            except Exception as error:  # whatever redis-py and the network raise
                outage.wait(error)
            finally:
                subscription.close()

    def _receive(self, subscription: Any) -> None:
        looked = time.monotonic()
        while True:
            message = subscription.get_message(timeout=1.0)
            kind = message and message["type"]
            if kind == "psubscribe":
                self._catch_up()  # what ended while nobody listened
                self.ready.set()
            elif kind == "pmessage":
                self.take(self.decode(self.backend.decode(message["data"])), True)
            if time.monotonic() - looked > CATCH_UP:
                looked = time.monotonic()
                self._catch_up()

    def _catch_up(self) -> None:
        ids = list(self.waiting())
        for start in range(0, len(ids), STEP):
            keys = [self._key(id_) for id_ in ids[start : start + STEP]]
            for value in self.backend.client.mget(keys):
                if value is not None:
                    self.take(self.decode(self.backend.decode(value)), False)

    def _key(self, id: str) -> bytes:  # noqa: A002
        key = self.backend.get_key_for_task(id)
        return key if isinstance(key, bytes) else str(key).encode()

    def forget(self, ids: Sequence[str]) -> None:
        """Delete the results of tasks."""
        with self.backend.client.pipeline(transaction=False) as pipeline:
            for id_ in ids:
                pipeline.unlink(self._key(id_))
            pipeline.execute()


class PolledResults(ResultSource):
    """Any other backend is asked for each task in turn: ends are seen some :data:`POLL_INTERVAL`
    late.
    """

    def run(self) -> None:
        """Ask until the greenlet is killed."""
        outage = Outage("results", self.ready)
        while True:
            gevent.sleep(POLL_INTERVAL)
            try:
                self.ready.set()
                for id_ in list(self.waiting()):
                    meta = self.backend.get_task_meta(id_, cache=False)
                    if meta["status"] != "PENDING":
                        self.take({"task_id": id_, **meta}, False)
                    gevent.sleep(0)
            except Exception as error:  # whatever a backend and the network raise
                outage.wait(error)

    def forget(self, ids: Sequence[str]) -> None:
        """Delete the results of tasks, where the backend can."""
        with suppress(NotImplementedError):
            for id_ in ids:
                self.backend.forget(id_)


def source_of(app: Celery, prefix: str, take: Take, waiting: Waiting) -> ResultSource:
    """Return how the results of ``app`` arrive, for tasks whose ids begin with ``prefix``."""
    made: Any = app
    backend = made.backend
    # Celery would make one per greenlet, each of which would subscribe to its tasks by itself
    backend.thread_safe = True
    backend.on_task_call = lambda *_: None
    made._backend = backend
    kinds = (
        (DisabledBackend, NoResults),
        (RPCBackend, Replies),
        (RedisBackend, PushedResults),
        (object, PolledResults),
    )
    for kind, source in kinds:
        if isinstance(backend, kind):
            return source(backend, prefix, take, waiting)
    raise AssertionError(backend)
