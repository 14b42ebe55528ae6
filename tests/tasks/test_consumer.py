"""A worker's event loop is woken when a thread has done its task."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from celery.concurrency.thread import TaskPool
from kombu.asynchronous import Hub

from crawler.tasks.consumer import LoopWaker


@pytest.fixture
def bell() -> LoopWaker:
    return LoopWaker()


@pytest.fixture
def heard(bell: LoopWaker) -> Iterator[threading.Event]:
    """Set when an event loop, in a thread of its own, has heard ``bell``."""
    hub, heard, over = Hub(), threading.Event(), threading.Event()

    def hear() -> None:
        bell.heard()
        heard.set()

    def loop() -> None:
        while not over.is_set():
            next(hub.loop)

    hub.add_reader(bell, hear)
    thread = threading.Thread(target=loop)
    thread.start()
    yield heard
    over.set()
    bell.ring()
    thread.join()
    hub.close()


def test_the_loop_is_woken_when_a_thread_has_done_its_task(bell, heard):
    pool = TaskPool(1)
    pool.on_apply = bell.after(pool.on_apply)
    began, done = threading.Event(), threading.Event()

    def task() -> None:
        began.set()
        done.wait()

    pool.on_apply(task, (), {}, callback=lambda *_: None)
    assert began.wait(10)
    assert not heard.is_set()
    done.set()
    assert heard.wait(10)
    pool.on_stop()


def test_a_loop_that_is_busy_holds_up_nobody_who_rings(bell, request):
    for _ in range(10_000):  # more than a socket takes
        bell.ring()
    assert request.getfixturevalue("heard").wait(10)
