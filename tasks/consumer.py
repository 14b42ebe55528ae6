"""Celery's consumer, which tells of runs more seldom, and of more of them at once, and hears when a
thread is free.
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

#: Seconds for which events are gathered before they are sent. Celery itself sends them two or three
#: times in a run.
EVENTS_INTERVAL = 0.25


# Celery has no types: what is derived from it is Any.
class Consumer(consumer.Consumer):  # type: ignore[misc, unused-ignore]
    """What Flower sees of a run is up to a quarter of a second late, and costs less. Two dozen
    events are sent in any case.

    And in a pool of threads (``-P threads``) the next message is taken as soon as a thread is free.
    Celery's own consumer, which fetches no message that nobody can begin yet, sees that when its
    next timer is due: after as much as a second.
    """

    # when what is gathered is sent, by the monotonic clock. A lost connection may take the timer
    # along.
    _due = 0.0
    _bell: LoopWaker | None = None

    def register_with_event_loop(self, hub: Any) -> None:
        """Prepare the loop, which a lost connection ends; the next one is prepared again."""
        super().register_with_event_loop(hub)
        if isinstance(self.pool, thread.TaskPool):
            if self._bell is None:
                self._bell = LoopWaker()
                self.pool.on_apply = self._bell.after(self.pool.on_apply)
            hub.add_reader(self._bell, self._bell.heard)

    def on_send_event_buffered(self) -> None:
        """An event waits: send it with those that come after it."""
        now = time.monotonic()
        if self.hub and now >= self._due:
            self._due = now + EVENTS_INTERVAL
            self.hub.call_later(EVENTS_INTERVAL, self._flush_events)

    def shutdown(self) -> None:
        """Send what was gathered, then end."""
        self._flush_events()
        super().shutdown()


class LoopWaker:
    """Rung in any thread, it wakes the event loop that listens to it."""

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)

    def fileno(self) -> int:
        """What the loop listens to."""
        return self._here.fileno()

    def heard(self) -> None:
        """Be quiet again."""
        with suppress(BlockingIOError):
            self._here.recv(4_096)

    def ring(self, *_: Any) -> None:
        """Wake the loop."""
        with suppress(BlockingIOError):  # it has been rung often enough
            self._there.send(b"!")

    def after(self, apply: Callable[..., Any]) -> Callable[..., Any]:
        """``apply``, which hands a task to a thread, and the bell rung when that is done."""

        @wraps(apply)
        def applied(*args: Any, **options: Any) -> Any:
            made = apply(*args, **options)
            made.f.add_done_callback(self.ring)
            return made

        return applied
