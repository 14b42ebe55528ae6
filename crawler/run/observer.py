"""Follow a run through its steps: their times for the crawl's tallies, spans for a tracer."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..redaction import masked
from .timings import StepTime, drain, tallies

if TYPE_CHECKING:
    from ..model import Page
    from ..urls.scope import Chosen

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Is told of each step of one run. ``explain`` asks for the reason of each link that is
    dropped.
    """

    explain: bool

    def step(self, name: str, page: Page | None = None) -> None:
        """Note that the run is at the step ``name`` now, and that the one before is over."""

    def chose(self, chosen: Chosen) -> None:
        """Note which links may become pages."""

    def sums(self) -> dict[str, int]:
        """Return the times that were not handed in yet, as tallies; see ``timings``."""

    def handed_in(self) -> None:
        """Forget the times so far: the frontier has them."""

    def defer(self) -> None:
        """Leave the times so far for the next run of this process to hand in."""


class Silent:
    """An observer that notes nothing."""

    explain = False

    def step(self, name: str, page: Page | None = None) -> None:
        """Note nothing."""

    def chose(self, chosen: Chosen) -> None:
        """Note nothing."""

    def sums(self) -> dict[str, int]:
        """Return no times."""
        return {}

    def handed_in(self) -> None:
        """Forget nothing."""

    def defer(self) -> None:
        """Leave nothing."""


class Trace(Protocol):
    """Is told of each step of a run, for spans."""

    def __call__(self, step: str, page: Page | None) -> None:
        """Begin the span of ``step``; the one before is over."""


class RunObserver:
    """An observer that times and logs each step of one run of ``crawl``.

    ``pending_timings`` holds the steps of earlier runs of this process that nothing has handed in
    yet; several threads may share it. ``trace`` is told of each step, too.
    """

    explain = False

    def __init__(
        self, crawl: str, pending_timings: deque[StepTime] | None = None, trace: Trace | None = None
    ) -> None:
        self._crawl = crawl
        self._pending = deque[StepTime]() if pending_timings is None else pending_timings
        self._trace = trace
        self._times: list[StepTime] = []
        self._step, self._since = "", time.monotonic()

    def step(self, name: str, page: Page | None = None) -> None:
        """Note how long the step before took, and that the run is at ``name`` now."""
        now = time.monotonic()
        self._times.append((self._step, now - self._since))
        self._step, self._since = name, now
        if self._trace:
            self._trace(name, page)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s%s", self._crawl, name, f" {masked(page.url)}" if page else "")

    def chose(self, chosen: Chosen) -> None:
        """Note nothing: the frontier counts what is dropped."""

    def sums(self) -> dict[str, int]:
        """Return the times of this run and those that earlier ones left, as tallies."""
        self._times.extend(drain(self._pending))
        return tallies(self._times)

    def handed_in(self) -> None:
        """Forget the times so far."""
        self._times.clear()

    def defer(self) -> None:
        """Leave the times so far for the next run."""
        self._pending.extend(self._times)
