"""Wake-ups as messages to the workers: each is a permit to run one page of a crawl.

Celery is imported with the first message: most commands send none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol
from uuid import uuid4

from ..config.settings import Settings
from ..errors import CrawlerError
from ..observe import tracing
from ..redaction import masked

#: The task that a wake-up asks for.
TASK = "crawler.run"
#: Seconds after which a wake-up that nobody took is dropped by the broker: the life of its ticket.
WAKE_UP_LIFE = 60.0


class BrokerUnavailable(CrawlerError):
    """The broker did not take a message in time. What was written to the frontier stays; a worker's
    tick starts it.
    """


class Sender(Protocol):
    """Sends the wake-up ``ticket`` for one run of the crawl ``name``, to arrive after ``delay``
    seconds.
    """

    def __call__(self, name: str, ticket: str, delay: float = 0.0) -> None:
        """Send it."""


class WakeUps:
    """A sender, through a Celery app of its own that serves nothing else.

    Each run sends one, and Celery's making of a message is a quarter of all that a run costs beside
    the page itself. They differ in a few words only, so Celery makes one, and what is sent are
    copies of it.

    Raises BrokerUnavailable after a few seconds, however silent the broker is.
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

    def __call__(self, name: str, ticket: str, delay: float = 0.0) -> None:
        """Send the wake-up ``ticket`` for one run of the crawl ``name``, to arrive after ``delay``
        seconds.
        """
        from kombu.exceptions import OperationalError

        try:
            if delay or is_watched():
                self.send(name, ticket, delay)
            else:
                self.send_copy(name, ticket)
        except OperationalError as error:
            url = masked(self.settings.broker_url or "")
            raise BrokerUnavailable(
                f"the broker {url} took no message: {masked(str(error))}"
            ) from error

    def send(self, name: str, ticket: str, delay: float = 0.0) -> None:
        """Let Celery do it."""
        self.app.send_task(
            TASK,
            (name, ticket),
            queue=self.settings.queue,
            declare=(),  # the worker does, and there is nothing to it on a Redis
            countdown=delay or None,
            expires=delay + WAKE_UP_LIFE,
            headers=tracing.headers(),
            **self._options(name),
        )

    def send_copy(self, name: str, ticket: str) -> None:
        """The same for a wake-up for now, which nobody in this process wants to hear of."""
        made, own, parent = self.pattern, str(uuid4()), self.app.current_worker_task
        headers = {
            **made.headers,
            "id": own,
            "root_id": (parent.request.root_id or parent.request.id) if parent else own,
            "parent_id": parent.request.id if parent else None,
            "argsrepr": shown(name),
            "expires": (datetime.now(UTC) + timedelta(seconds=WAKE_UP_LIFE)).isoformat(),
            **tracing.headers(),
        }
        conf, (_, keywords, embedded) = self.app.conf, made.body
        with self.app.producer_pool.acquire(block=True) as producer:
            producer.publish(
                ((name, ticket), keywords, embedded),
                headers=headers,
                routing_key=self.settings.queue,
                serializer=conf.task_serializer,
                delivery_mode=conf.task_default_delivery_mode,
                retry=True,
                retry_policy=conf.task_publish_retry_policy,
                expiration=WAKE_UP_LIFE,
                **{**made.properties, "correlation_id": own},
            )

    @cached_property
    def pattern(self) -> Any:
        """A message that Celery made: its headers, properties and body."""
        return self.app.amqp.create_task_message(
            "", TASK, ("", ""), reply_to=self.app.thread_oid, **self._options("")
        )

    def _options(self, name: str) -> dict[str, Any]:
        return {
            "ignore_result": True,
            # a worker of somebody else's app has none of its own
            "soft_time_limit": self.settings.run_timeout,
            "time_limit": self.settings.hard_timeout,
            "argsrepr": shown(name),
        }


def shown(name: str) -> str:
    """The arguments of a run as Flower and logs show them: without the ticket."""
    return f"({name!r},)"


def is_watched() -> bool:
    """Whether somebody in this process, say a monitor of errors, wants to hear of each message that
    Celery sends.
    """
    from celery import signals

    return any(
        signal.receivers
        for signal in (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    )
