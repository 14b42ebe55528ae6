"""Renew the lease of the page that is worked on: in a thread for each thread that does runs, kept from
one page to the next.

Most pages are done long before the first renewal, so to start a thread for each of them would be
for nothing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import FrontierError
from ..frontier.answers import Renewal
from ..observe.logs import inherited
from ..redaction import masked

if TYPE_CHECKING:
    from ..frontier.frontier import Frontier
    from ..model import Claim

log = logging.getLogger(__name__)

#: Seconds without a page, after which the thread ends.
IDLE = 60.0

_here = threading.local()


def lease_renewal() -> LeaseRenewal:
    """Return the lease renewal of the calling thread. A fork has its own."""
    renewal: LeaseRenewal | None = getattr(_here, "renewal", None)
    if renewal is None or renewal.process != os.getpid():
        renewal = _here.renewal = LeaseRenewal()
    return renewal


@contextmanager
def keep_lease(
    frontier: Frontier, claim: Claim, abandon: Callable[[], None], interval: float
) -> Iterator[None]:
    """Renew the lease of ``claim`` each ``interval`` seconds in this block, from another thread.

    ``abandon`` is called when the page is no longer this claim's: it ends the browser, so the
    request in flight fails, and its late report is refused.
    """

    def renew() -> bool:
        try:
            return frontier.renew(claim) is Renewal.OK
        except FrontierError:
            log.warning("could not renew the lease of %s", masked(claim.page.url))
            return True

    with lease_renewal().renewing(inherited(renew), abandon, interval):
        yield


class LeaseRenewal:
    """Renews one thing at a time, now and then."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._renew: Callable[[], bool] | None = None
        self._lost: Callable[[], None] = lambda: None
        self._interval = 0.0
        # when the next renewal is, and when the thread wakes next, by the monotonic clock
        self._due = 0.0
        self._wakes = 0.0

    @contextmanager
    def renewing(
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
                self._wakes = self._due
                self._thread = threading.Thread(
                    target=self._loop, name="crawler-lease", daemon=True
                )
                self._thread.start()
            elif self._due < self._wakes:
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
                    self._wakes = self._due if now < self._due else self._due + IDLE
                    self._change.wait(self._wakes - now)
                else:
                    self._renew_now(self._renew)
            self._thread = None

    def _renew_now(self, renew: Callable[[], bool]) -> None:
        self._change.release()  # it may take seconds, which the page need not wait for
        try:
            still_ours = renew()
        finally:
            self._change.acquire()
        if self._renew is not renew:
            return
        self._due = time.monotonic() + self._interval
        if not still_ours:
            self._renew = None
            self._lost()
