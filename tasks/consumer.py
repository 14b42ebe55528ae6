"""Celery's consumer, with three differences: it sends events in batches, and sees at once when a
thread is free, and when its worker is to end.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from celery.concurrency import thread
from celery.worker import consumer

from ..observe.logs import logger
from .messages import refusals

log = logger(__name__)

#: Seconds for which events are gathered before they are sent. Celery itself sends them two or three
#: times in a run.
EVENTS_INTERVAL = 0.25


# Celery has no types: what is derived from it is Any.
class Consumer(consumer.Consumer):  # type: ignore[misc, unused-ignore]
    """The consumer of the stand-alone app.

    Events are up to a quarter of a second late in Flower, and cost less. Two dozen events are sent
    at once in any case.

    In a pool of threads (``-P threads``) the next message is taken as soon as a thread is free.
    Celery's own consumer fetches no message that no thread can begin yet, and looks again when its
    next timer is due: after as much as a second. So does an order to end.
    """

    # The time, by the monotonic clock, until which an event starts no further timer. A lost
    # connection may take the timer along.
    _flush_due = 0.0
    _waker: LoopWaker | None = None

    def register_with_event_loop(self, hub: Any) -> None:
        """Prepare the event loop. A lost connection ends the loop, and the next loop is prepared
        again.
        """
        super().register_with_event_loop(hub)
        if self._waker is None:
            self._waker = LoopWaker()
            if isinstance(self.pool, thread.TaskPool):
                self.pool.on_apply = self._waker.wake_after(self.pool.on_apply)
        hub.add_reader(self._waker, self._waker.drain)

    def wake(self) -> None:
        """Wake the event loop, if there is one, from any thread or signal."""
        if self._waker is not None:
            self._waker.wake()

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Refuse a message for a task that nobody has defined here."""
        refusals.add("of tasks", f"there is no task {exc}")
        message.ack_log_error(log, self.connection_errors)

    def on_send_event_buffered(self) -> None:
        """Note that an event is buffered: it is sent with those that follow it."""
        now = time.monotonic()
        if self.hub and now >= self._flush_due:
            self._flush_due = now + EVENTS_INTERVAL
            self.hub.call_later(EVENTS_INTERVAL, self._flush_events)

    def shutdown(self) -> None:
        """Send the buffered events, then end."""
        self._flush_events()
        super().shutdown()


class LoopWaker:
    """Wakes an event loop from any thread. The loop reads it like a socket."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def fileno(self) -> int:
        """Return the file descriptor that the loop watches."""
        return self._receiver.fileno()

    def drain(self) -> None:
        """Read what woke the loop, so that it may sleep again."""
        with suppress(BlockingIOError):
            self._receiver.recv(4_096)

    def wake(self, *_: Any) -> None:
        """Wake the loop."""
        with suppress(BlockingIOError):  # the socket is full: the loop is about to wake
            self._sender.send(b"!")

    def wake_after(self, apply: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``apply``, which hands a task to a thread, such that the end of the task wakes the
        loop.
        """

        @wraps(apply)
        def apply_and_wake(*args: Any, **options: Any) -> Any:
            result = apply(*args, **options)
            result.f.add_done_callback(self.wake)
            return result

        return apply_and_wake
