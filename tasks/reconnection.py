"""Keep a worker, however long its broker is away, and whatever that answers meanwhile.

Celery's own consumer ends the worker after a hundred attempts to connect, which takes 46 minutes,
and at once when a Redis answers with an error: its disk or its memory is full, it has become a
replica, its users have changed.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from celery import bootsteps
from celery.worker import state
from redis import exceptions as faults

from ..observe.logs import logger
from .startup import takes_our_tasks

log = logger(__name__)

#: Seconds between two attempts to connect: so many more after each of them, and at most.
RETRY_STEP, RETRY_MAX = 1.0, 4.0
#: Seconds that a connection must have lasted, or there is a wait before the next but one.
CONNECTION_MIN = 10.0
#: Seconds between two looks, during a wait, whether the worker is to end.
LOOK_INTERVAL = 0.2
#: Failed attempts of which each has a line in the log; then there is one every so many seconds.
LINES, LINE_INTERVAL = 3, 60.0
#: Errors after which a connection to Redis is made again.
REDIS_ERRORS = (faults.RedisError, faults.RedisClusterException)

#: It is set when the consumer of this process has its broker again.
reconnected = threading.Event()


class Reconnection(bootsteps.Step):  # type: ignore[misc, unused-ignore]
    """Lets the consumer of a worker, of any Celery app, connect again for as long as it lives.

    A worker of a project's other queues keeps Celery's own way. So does one whose app has set
    ``broker_connection_retry``, or ``broker_connection_retry_on_startup``, to False.
    """

    def include_if(self, parent: Any) -> bool:
        """Whether this worker takes our tasks."""
        return takes_our_tasks(parent)

    def create(self, parent: Any) -> None:
        """Give the consumer ``parent`` its patience. Nothing of Celery's classes is changed."""
        if parent.conninfo.transport.driver_type == "redis":
            parent.connection_errors = (*parent.connection_errors, *REDIS_ERRORS)
        patience = Patience(parent)
        parent.connect = patience.connect
        parent.ensure_connected = patience.ensure_connected
        parent.on_connection_error_before_connected = patience.note_refusal
        parent.on_connection_error_after_connected = patience.note_error


class Patience:
    """The connections of one ``consumer``, and the waits before them."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._connect, self._ensure = consumer.connect, consumer.ensure_connected
        self._note_error = consumer.on_connection_error_after_connected
        self._connected_at: float | None = None  # by the monotonic clock
        self._short = 0  # connections in a row that did not last
        self._lines = Lines()

    def connect(self) -> Any:
        """Return a connection to consume from. A wait comes first, if connections do not last: a
        server may take each of them, and answer with an error.
        """
        again = self._connected_at is not None
        if self._connected_at is not None:
            lasted = time.monotonic() - self._connected_at >= CONNECTION_MIN
            self._short = 0 if lasted else self._short + 1
            wait(min(RETRY_STEP * (self._short - 1), RETRY_MAX))
        try:
            connection = self._connect()
        finally:
            self._connected_at = time.monotonic()
        # what the consumer's steps ask of it waits for the broker, too, once that has gone again
        options = connection.transport_options or {}
        connection.transport_options = {**options, "callback": state.maybe_shutdown}
        if again:
            reconnected.set()
        return connection

    def ensure_connected(self, connection: Any) -> Any:
        """Return ``connection``, connected, if that takes hours.

        Raises:
            SystemExit: the worker is told to end meanwhile.
        """
        consumer, conf = self._consumer, self._consumer.app.conf
        first = consumer.first_connection_attempt
        if (conf.broker_connection_retry_on_startup if first else True) is False or (
            not conf.broker_connection_retry
        ):
            return self._ensure(connection)
        began, failed = time.monotonic(), 0

        def explain(error: Exception, _interval: float) -> None:
            nonlocal failed
            failed += 1
            if self._lines.due(str(error)):
                url, seconds = connection.as_uri(), time.monotonic() - began
                words = "Cannot connect to %s: %s. Trying again; attempt %d, %d s so far"
                log.error(words, url, error, failed, seconds)

        connected = connection.ensure_connection(
            explain, None, RETRY_STEP, RETRY_STEP, RETRY_MAX, state.maybe_shutdown
        )
        consumer.first_connection_attempt = False
        if failed:
            words = "Connected to the broker again after %d s, at attempt %d"
            log.warning(words, time.monotonic() - began, failed + 1)
        return connected

    def note_refusal(self, error: Exception) -> None:
        """Log the ``error`` that a broker answered which took the connection."""
        if self._lines.due(str(error)):
            log.error("The broker refuses: %s", error)

    def note_error(self, error: Exception) -> None:
        """Note the ``error`` that ended a connection, and close what is left of it.

        Celery's own line does not have the words of a Redis that answers. And kombu's own transport
        closes the connection twice, the second time with an AttributeError, if the worker holds a
        message: the connection is gone all the same.
        """
        if isinstance(error, faults.ResponseError):
            self.note_refusal(error)
        try:
            self._note_error(error)
        except Exception as fault:
            log.debug("the connection that broke could not be closed: %s", fault, exc_info=True)


class Lines:
    """Decides which of many equal lines are logged: the first ones, then one in a minute."""

    def __init__(self) -> None:
        self._text, self._count, self._last = "", 0, 0.0

    def due(self, text: str) -> bool:
        """Whether a line with ``text`` is logged now. After another text, or a quiet time, it is
        the first one.
        """
        now, last = time.monotonic(), self._last
        if text != self._text or now - last > 2 * LINE_INTERVAL:
            self._text, self._count = text, 0
        if self._count >= LINES and now - last < LINE_INTERVAL:
            return False
        self._count, self._last = self._count + 1, now
        return True


def wait(seconds: float) -> None:
    """Wait, unless the worker is told to end meanwhile. Raises SystemExit then."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        state.maybe_shutdown()
        time.sleep(min(left, LOOK_INTERVAL))
