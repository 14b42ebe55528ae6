"""Renew the lease of the page that a run works on, in a thread.

Each thread that does runs has one such thread, and keeps it from page to page: most pages are done
long before their first renewal, so a thread for each of them would be a waste.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import FrontierError
from ..frontier.answers import Renewal
from ..observe.logs import inherited, logger
from ..redaction import masked

if TYPE_CHECKING:
    from ..frontier.frontier import Frontier
    from ..model import Claim

log = logger(__name__)

#: Renewals within the life of a lease, so that two may fail.
RENEWALS = 3
#: Seconds after which a page's lease is renewed for the first time, and after which its step can be
#: seen: most pages are done before. Each further renewal comes after twice the time, up to the
#: usual interval.
FIRST = 2.0
#: Seconds without a page, after which the thread ends.
IDLE = 60.0

_here = threading.local()


def lease_renewal() -> LeaseRenewal:
    """Return the lease renewal of the calling thread. A fork gets a new one."""
    renewal: LeaseRenewal | None = getattr(_here, "renewal", None)
    if renewal is None or renewal.process != os.getpid():
        renewal = _here.renewal = LeaseRenewal()
    return renewal


@contextmanager
def keep_lease(
    frontier: Frontier,
    claim: Claim,
    abandon: Callable[[], None],
    interval: float,
    step: Callable[[], str] = lambda: "",
) -> Iterator[None]:
    """Renew the lease of ``claim`` every ``interval`` seconds in this block, from another thread.

    ``abandon`` is called when the page is no longer this claim's. It ends the browser, so that the
    request in flight fails; the frontier refuses a late report. ``step`` says where the run is: a
    renewal tells it those who look.
    """

    def renew() -> bool:
        try:
            return frontier.renew(claim, step()) is Renewal.OK
        except FrontierError:
            log.warning("could not renew the lease of %s", masked(claim.page.url))
            return True

    with lease_renewal().renewing(inherited(renew), abandon, interval):
        yield


class LeaseRenewal:
    """Renews one lease at a time, at intervals, in a thread."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._renew: Callable[[], bool] | None = None
        self._lost: Callable[[], None] = lambda: None
        self._interval = self._next_interval = 0.0
        # the times of the next renewal and of the thread's next look, by the monotonic clock
        self._due = 0.0
        self._next_look = 0.0

    @contextmanager
    def renewing(
        self, renew: Callable[[], bool], lost: Callable[[], None], interval: float
    ) -> Iterator[None]:
        """Call ``renew`` every ``interval`` seconds in this block, from another thread; at first
        after ``FIRST`` seconds.

        When ``renew`` returns False, the thread calls ``lost``, and neither of them after that. A
        call of ``lost`` is over before the block is left.
        """
        with self._change:
            self._renew, self._lost, self._interval = renew, lost, interval
            self._next_interval = min(interval, FIRST)
            self._due = time.monotonic() + self._next_interval
            if self._thread is None or not self._thread.is_alive():
                self._next_look = self._due
                self._thread = threading.Thread(
                    target=self._loop, name="crawler-lease", daemon=True
                )
                self._thread.start()
            elif self._due < self._next_look:
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
                    self._next_look = self._due if now < self._due else self._due + IDLE
                    self._change.wait(self._next_look - now)
                else:
                    self._renew_now(self._renew)
            self._thread = None

    def _renew_now(self, renew: Callable[[], bool]) -> None:
        self._change.release()  # a renewal may take seconds, and the page must not wait for it
        try:
            still_ours = renew()
        finally:
            self._change.acquire()
        if self._renew is not renew:
            return
        self._next_interval = min(self._interval, 2 * self._next_interval)
        self._due = time.monotonic() + self._next_interval
        if not still_ours:
            self._renew = None
            self._lost()
