"""The memory of a worker that its processes share."""

from __future__ import annotations

import gc

from celery import signals

import crawler.tasks.worker  # noqa: F401


def test_processes_leave_the_objects_of_their_worker_alone():
    # Given nothing that is kept from the collector
    gc.unfreeze()
    try:
        # When a worker is about to start a process
        signals.worker_before_create_process.send(sender=None)
        # Then what it has by now is not looked at by the process, which would copy it
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
