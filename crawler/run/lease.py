"""A heart that beats while a page is worked on: a thread for each thread that does runs, kept from
one page to the next.

Most pages are done long before the first beat, so starting a thread for each of them would be for
nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds without a page, after which the thread ends.
IDLE = 60.0

_here = threading.local()


def lease_renewal() -> LeaseRenewal:
    """The pulse of the calling thread. A fork has its own."""
    found: LeaseRenewal | None = getattr(_here, "pulse", None)
    if found is None or found.process != os.getpid():
        found = _here.pulse = LeaseRenewal()
    return found


class LeaseRenewal:
    """Renews one thing at a time, now and then."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._renew: Callable[[], bool] | None = None
        self._lost: Callable[[], None] = lambda: None
        self._interval = 0.0
        # when the next beat is, and when the thread looks next, by the monotonic clock
        self._due = 0.0
        self._looks = 0.0

    @contextmanager
    def beating(
        self, renew: Callable[[], bool], lost: Callable[[], None], interval: float
    ) -> Iterator[None]:
        """In this block call ``renew`` each ``interval`` seconds; once it says False, call
        ``lost``, and no more.

        Both are called from another thread. ``lost`` is over when the block is left, and not called
        after.
        """
        with self._change:
            self._renew, self._lost, self._interval = renew, lost, interval
            self._due = time.monotonic() + interval
            if self._thread is None or not self._thread.is_alive():
                self._looks = self._due
                self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)
                self._thread.start()
            elif self._due < self._looks:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._renew = None

    def _loop(self) -> None:
        with self._change:
            while (now := time.monotonic()) < self._due + IDLE or self._renew is not None:
                # a page that begins meanwhile is due later, and need not wake us
                if self._renew is None or now < self._due:
                    self._looks = self._due if now < self._due else self._due + IDLE
                    self._change.wait(self._looks - now)
                else:
                    self._beat(self._renew)
            self._thread = None

    def _beat(self, renew: Callable[[], bool]) -> None:
        self._change.release()  # it may take seconds, which the page need not wait for
        try:
            ours = renew()
        finally:
            self._change.acquire()
        if self._renew is not renew:
            return
        self._due = time.monotonic() + self._interval
        if not ours:
            self._renew = None
            self._lost()
