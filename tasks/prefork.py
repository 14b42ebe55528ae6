"""Celery's pool of processes, which ends as soon as its work does.

A process of Celery's pool sleeps for a second before it ends, so that its worker can read what it
wrote last; and a worker without a task sleeps for up to half a second more.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
import time
from typing import Any

from celery.concurrency import asynpool, prefork
from kombu.asynchronous import get_event_loop

from ..local.shutdown import shutdown

#: Seconds that a process waits, at most, until its worker has read what it wrote; and between two
#: looks.
READ_TIMEOUT, READ_LOOK = 1.0, 0.005


# Celery has no types: what is derived from it is Any.
class Worker(asynpool.Worker):  # type: ignore[misc, unused-ignore]
    """A process of the pool. While its worker ends, it tells nobody that it ends: the worker waits
    for that alone.
    """

    def _do_exit(self, pid: int, exitcode: int | None, exc: Exception | None = None) -> None:
        """End this process, ``pid``, after the signal that it does."""
        if not shutdown.worker_ends or sys.platform != "linux":
            super()._do_exit(pid, exitcode, exc)
        status = (1 if exc else 0) if exitcode is None else exitcode
        try:
            if self.on_exit is not None:
                self.on_exit(pid, status)
            wait_until_read(self.outq._writer.fileno())
        finally:
            os._exit(status)


def wait_until_read(pipe: int) -> None:
    """Wait until what was written to ``pipe``, its end for writing, is read (on Linux)."""
    end = time.monotonic() + READ_TIMEOUT
    left = bytearray(4)
    while time.monotonic() < end:
        fcntl.ioctl(pipe, termios.FIONREAD, left)
        if not any(left):
            return
        time.sleep(READ_LOOK)


class AsynPool(asynpool.AsynPool):  # type: ignore[misc, unused-ignore]
    """Celery's pool, with our processes."""

    Worker = Worker


class TaskPool(prefork.TaskPool):  # type: ignore[misc, unused-ignore]
    """The pool ``prefork``."""

    Pool = AsynPool
    _pool: Any

    def on_stop(self) -> None:
        """End the processes, once their tasks have ended."""
        pool, hub = self._pool, get_event_loop()
        run_callbacks = getattr(prefork, "_run_ready_callbacks", None)  # late acks of tasks
        # where a result may be half read, Celery knows how to read on
        if pool is None or pool._cache or hub is None or run_callbacks is None:
            super().on_stop()
            return
        pool.close()
        run_callbacks(hub)
        pool.join()
        self._pool = None
