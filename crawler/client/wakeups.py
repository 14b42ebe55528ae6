"""Wake-ups: messages to the workers, each of which permits one run of a crawl.

Celery is imported with the first message, because most commands send none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol
from uuid import uuid4

from ..config.settings import Settings
from ..errors import CrawlerError
from ..observe import tracing
from ..redaction import masked

#: The task that a wake-up asks for, and that which starts a crawl.
TASK, START_TASK = "crawler.run", "crawler.start"
#: The task that only says that its message arrived.
ECHO_TASK = "crawler.echo"
#: Seconds after which the broker drops such a message.
ECHO_LIFE = 30.0
#: Seconds after which the broker drops a wake-up that no worker took: the life of its ticket.
WAKE_UP_LIFE = 60.0


class BrokerUnavailable(CrawlerError):
    """The broker did not take a message in time.

    The pages are in the frontier all the same, and a worker's tick starts them.
    """


class Sender(Protocol):
    """Sends wake-ups."""

    def __call__(
        self, name: str, ticket: str, delay: float = 0.0, *, queue: str | None = None
    ) -> None:
        """Send the wake-up ``ticket`` for one run of the crawl ``name``.

        It arrives after ``delay`` seconds. ``queue``: None is that of all workers.
        """


class WakeUps:
    """A sender with a Celery app of its own, which serves nothing else.

    Each run sends a wake-up. To make a message takes Celery a quarter of all that a run costs
    beside the page itself. The messages differ in a few words only, so Celery makes one, and the
    sender sends copies of it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def app(self) -> Any:
        """The Celery app that sends."""
        from celery import Celery

        from ..config.celery import sender_settings

        app = Celery("crawler.client", set_as_current=False)
        app.conf.update(sender_settings(self.settings))
        return app

    def prepare(self) -> None:
        """Import Celery and make all that a message needs, without a connection.

        A server calls it as it starts: it takes most of a second, and the first request has no time
        for it.
        """
        _ = self.template, self.app.producer_pool

    def __call__(
        self, name: str, ticket: str, delay: float = 0.0, *, queue: str | None = None
    ) -> None:
        """Send the wake-up ``ticket`` for one run of the crawl ``name``.

        It arrives after ``delay`` seconds. ``queue``: None is that of all workers.

        Raises:
            BrokerUnavailable: the broker took no message within a few seconds.
        """
        with self._broker_errors():
            if delay or has_receivers():
                self.send(name, ticket, delay, queue)
            else:
                self.send_copy(name, ticket, queue)

    def send_start(self, name: str, if_exists: str | None, queue: str) -> None:
        """Ask the workers of ``queue`` to start the crawl ``name``; see the task ``crawler.start``.

        Raises:
            BrokerUnavailable: the broker took no message within a few seconds.
        """
        with self._broker_errors():
            self.app.send_task(
                START_TASK, (name, if_exists), queue=named(queue), declare=(), ignore_result=True
            )

    @contextmanager
    def _broker_errors(self) -> Iterator[None]:
        """Turn an error of the broker into BrokerUnavailable."""
        from kombu.exceptions import OperationalError

        try:
            yield
        except OperationalError as error:
            url = masked(self.settings.broker_url or "")
            raise BrokerUnavailable(
                f"the broker {url} took no message: {masked(str(error))}"
            ) from error

    def send(self, name: str, ticket: str, delay: float = 0.0, queue: str | None = None) -> None:
        """Send a wake-up through Celery."""
        self.app.send_task(
            TASK,
            (name, ticket),
            queue=named(queue) if queue else self.settings.queue,
            declare=(),  # the worker declares the queue, and a Redis needs no declaration
            countdown=delay or None,
            expires=delay + WAKE_UP_LIFE,
            headers=tracing.headers(),
            **self._options(name),
        )

    def echo(self, token: str) -> None:
        """Send a message that the worker who takes it answers in the frontier's Redis.

        Raises:
            BrokerUnavailable: the broker took no message within a few seconds.
        """
        with self._broker_errors():
            self.app.send_task(
                ECHO_TASK,
                (token,),
                queue=self.settings.queue,
                declare=(),
                expires=ECHO_LIFE,
                ignore_result=True,
            )

    def send_copy(self, name: str, ticket: str, queue: str | None = None) -> None:
        """Send a wake-up for now as a copy of :attr:`template`. No signal of Celery is sent."""
        template, own, parent = self.template, str(uuid4()), self.app.current_worker_task
        headers = {
            **template.headers,
            "id": own,
            "root_id": (parent.request.root_id or parent.request.id) if parent else own,
            "parent_id": parent.request.id if parent else None,
            "argsrepr": shown_arguments(name),
            "expires": (datetime.now(UTC) + timedelta(seconds=WAKE_UP_LIFE)).isoformat(),
            **tracing.headers(),
        }
        _, keywords, embedded = template.body
        with self.app.producer_pool.acquire(block=True) as producer:
            producer.publish(
                json.dumps(((name, ticket), keywords, embedded)),
                headers=headers,
                routing_key=queue or self.settings.queue,
                correlation_id=own,
                **self._publishing,
            )

    @cached_property
    def _publishing(self) -> dict[str, Any]:
        """How copies of :attr:`template` are published: looked up once, for Celery's configuration
        is slow to read.
        """
        conf = self.app.conf
        properties = {
            name: value
            for name, value in self.template.properties.items()
            if name != "correlation_id"
        }
        return {
            **properties,
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "delivery_mode": conf.task_default_delivery_mode,
            "retry": True,
            "retry_policy": dict(conf.task_publish_retry_policy),
            "expiration": WAKE_UP_LIFE,
        }

    @cached_property
    def template(self) -> Any:
        """A wake-up as Celery makes it: its headers, properties and body."""
        return self.app.amqp.create_task_message(
            "", TASK, ("", ""), reply_to=self.app.thread_oid, **self._options("")
        )

    def _options(self, name: str) -> dict[str, Any]:
        return {
            "ignore_result": True,
            # a worker of a project's own app has no such limits
            "soft_time_limit": self.settings.run_timeout,
            "time_limit": self.settings.hard_timeout,
            "argsrepr": shown_arguments(name),
        }


def named(queue: str) -> Any:
    """Return the queue of that name: one of a group is in no configuration."""
    from kombu import Exchange, Queue

    return Queue(queue, Exchange(""), routing_key=queue)


def shown_arguments(name: str) -> str:
    """Return the arguments of a run as Flower and logs show them: without the ticket."""
    return f"({name!r},)"


def has_receivers() -> bool:
    """Whether a receiver in this process, say a monitor of errors, listens for messages that Celery
    sends.
    """
    from celery import signals

    return any(
        signal.receivers
        for signal in (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    )
