"""What workers tell by messages: the events of tasks, and results of the backend ``rpc://``."""

from __future__ import annotations

from locust.env import Environment  # noqa: F401, first: it makes the standard library cooperate

# isort: split
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
from celery import Celery
from celery.events.event import get_exchange
from gevent.event import Event
from kombu import Consumer, Exchange, Queue

from .task_results import Outage

#: Seconds between two calls to workers to send events: some may have come since.
ENABLE_INTERVAL = 5.0
#: Seconds for which their answers are waited for.
ANSWER_WAIT = 1.0
#: Seconds after which the queues of a process that is gone are deleted, where the broker can.
QUEUE_LIFE = 60.0


class Mailbox:
    """Receives messages of workers by one connection: their events, if ``on_event`` is given, and
    replies with results, if ``on_reply`` is.
    """

    def __init__(
        self,
        app: Celery,
        name: str,
        on_event: Callable[[dict[str, Any]], None] | None,
        on_reply: Callable[[Any], None] | None,
    ) -> None:
        self.app, self.name, self.on_event, self.on_reply = app, name, on_event, on_reply
        self.ready = Event()

    def run(self) -> None:
        """Receive until the greenlet is killed; a lost connection is made again."""
        outage = Outage("events", self.ready)
        while True:
            try:
                with self.app.connection_for_read() as connection:
                    self._receive(connection)
            except Exception as error:  # whatever kombu's transports and the network raise
                outage.wait(error)

    def _receive(self, connection: Any) -> None:
        channel = connection.default_channel
        consumers = []
        if self.on_event:
            conf = self.app.conf
            queue = Queue(
                f"{conf.event_queue_prefix}.{self.name}",
                get_exchange(connection, name=conf.event_exchange),
                routing_key="task.#",
                durable=False,
                auto_delete=True,
                expires=QUEUE_LIFE,
            )
            accept = {conf.event_serializer, "json"}
            options = {"callbacks": [self._events], "no_ack": True, "accept": accept}
            consumers.append(Consumer(channel, [queue], **options))
        if self.on_reply:
            queue = reply_queue(self.name)
            accept = self.app.conf.result_accept_content or self.app.conf.accept_content
            options = {"callbacks": [self._reply], "no_ack": True, "accept": accept}
            consumers.append(Consumer(channel, [queue], **options))
        for consumer in consumers:
            consumer.consume()
        self.ready.set()
        while True:
            with suppress(TimeoutError):
                connection.drain_events(timeout=1.0)

    def _events(self, body: Any, _: Any) -> None:
        for event in body if isinstance(body, list) else [body]:
            if self.on_event and isinstance(event, dict):
                self.on_event(event)

    def _reply(self, body: Any, _: Any) -> None:
        if self.on_reply:
            self.on_reply(body)


def reply_queue(name: str) -> Queue:
    """Return the queue for results of the backend ``rpc://``."""
    return Queue(
        name, Exchange(""), routing_key=name, durable=False, auto_delete=True, expires=QUEUE_LIFE
    )


class EventSwitch:
    """Asks workers for the events of tasks while a test runs, and takes that back at its end."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.switched: set[str] = set()
        self.ready = Event()

    def run(self) -> None:
        """Ask again and again, until the greenlet is killed."""
        while True:
            with suppress(Exception):  # the broker is away: the users say so
                self._ask("enable_events", "task events enabled")
                self.ready.set()
            gevent.sleep(ENABLE_INTERVAL)

    def _ask(self, what: str, done: str) -> None:
        answers = self.app.control.broadcast(what, reply=True, timeout=ANSWER_WAIT)
        for answer in answers or ():
            self.switched |= {host for host, said in answer.items() if said.get("ok") == done}

    def undo(self) -> None:
        """Have the workers send no events that sent none before."""
        if self.switched:
            with suppress(Exception):
                self.app.control.broadcast("disable_events", destination=sorted(self.switched))
