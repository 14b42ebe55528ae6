"""A worker's event loop is woken when a thread has done its task."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from celery.concurrency.thread import TaskPool
from kombu.asynchronous import Hub

from crawler.tasks.consumer import LoopWaker
from tests.support.patience import PATIENCE


@pytest.fixture
def waker() -> LoopWaker:
    return LoopWaker()


@pytest.fixture
def awake(waker: LoopWaker) -> Iterator[threading.Event]:
    """Set when ``waker`` has woken an event loop, which runs in a thread of its own."""
    hub, awake, over = Hub(), threading.Event(), threading.Event()

    def on_wake() -> None:
        waker.drain()
        awake.set()

    def loop() -> None:
        while not over.is_set():
            next(hub.loop)

    hub.add_reader(waker, on_wake)
    thread = threading.Thread(target=loop)
    thread.start()
    yield awake
    over.set()
    waker.wake()
    thread.join()
    hub.close()


def test_the_loop_is_woken_when_a_thread_has_done_its_task(waker, awake):
    pool = TaskPool(1)
    pool.on_apply = waker.wake_after(pool.on_apply)
    began, done = threading.Event(), threading.Event()

    def task() -> None:
        began.set()
        done.wait()

    pool.on_apply(task, (), {}, callback=lambda *_: None)
    assert began.wait(PATIENCE)
    assert not awake.is_set()
    done.set()
    assert awake.wait(PATIENCE)
    pool.on_stop()


def test_a_loop_that_is_busy_holds_up_no_thread_that_wakes_it(waker, request):
    for _ in range(10_000):  # more than a socket takes
        waker.wake()
    assert request.getfixturevalue("awake").wait(PATIENCE)
