"""Wait, before a cold shutdown, for the tasks that are under way, and no longer.

Celery sleeps for the whole of ``worker_soft_shutdown_timeout``, in the handler of the signal, where
it does not see that its tasks end.
"""

from __future__ import annotations

import mmap
import os
import time
from typing import Any

from celery import bootsteps, signals
from celery.worker import state

from ..observe.logs import logger
from .startup import takes_our_tasks

log = logger(__name__)

#: Seconds between two looks whether a task is under way.
LOOK_INTERVAL = 0.1
#: Bytes that a worker shares with its processes: one for each process id, by its last digits.
SLOTS = 65_536

#: Whether the process of a byte runs a task. A worker maps it before it forks.
_busy = mmap.mmap(-1, SLOTS)


@signals.task_prerun.connect
def note_begin(**_: Any) -> None:
    """Note that this process runs a task."""
    _busy[os.getpid() % SLOTS] = 1


@signals.task_postrun.connect
@signals.worker_process_init.connect
def note_end(**_: Any) -> None:
    """Note that this process runs none."""
    _busy[os.getpid() % SLOTS] = 0


class SoftShutdown(bootsteps.Step):  # type: ignore[misc, unused-ignore]
    """Lets the worker end as soon as no process of it runs a task."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: Any) -> bool:
        """Whether this worker takes our tasks."""
        return takes_our_tasks(parent)

    def create(self, parent: Any) -> None:
        """Replace the wait of the worker ``parent``; Celery's classes stay as they are."""
        parent.wait_for_soft_shutdown = lambda: wait(parent)


def wait(worker: Any) -> None:
    """Wait until no task of ``worker`` is under way, at most for the time of its settings."""
    timeout = worker.app.conf.worker_soft_shutdown_timeout
    if timeout <= 0 or not is_busy(worker):
        return
    log.warning("The tasks that are under way have %g seconds to end", timeout)
    end = time.monotonic() + timeout
    while is_busy(worker) and time.monotonic() < end:
        time.sleep(LOOK_INTERVAL)


def is_busy(worker: Any) -> bool:
    """Whether a task is under way in ``worker`` that can end while its main thread waits."""
    processes = (worker.pool.info or {}).get("processes")
    if processes is None:  # threads: their tasks leave the list by themselves
        return bool(state.active_requests)
    # without processes of its own (solo) the signal has interrupted the task
    return any(_busy[process % SLOTS] for process in processes if process != os.getpid())
