"""Follow a run through its steps: time them for the crawl's tallies, and trace them."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..observe.logs import logger
from ..redaction import masked
from .timings import COUNT, StepTime, drain, example_of, tallies

if TYPE_CHECKING:
    from ..model import Page
    from ..urls.scope import Chosen

log = logger(__name__)


class Observer(Protocol):
    """Follows one run through its steps. ``explain`` asks for the reason of each dropped link."""

    explain: bool
    #: The step that the run is at; "": not known.
    at: str

    def step(self, name: str, page: Page | None = None) -> None:
        """Note that the run begins the step ``name``, which ends the step before it."""

    def choice(self, chosen: Chosen) -> None:
        """Note the links that may become pages, and those that may not."""

    def count(self, name: str, example: str = "", number: int = 1) -> None:
        """Note that the crawl's count ``name`` goes up by ``number``, perhaps with an example."""

    def sums(self) -> dict[str, int]:
        """Return the times that the frontier does not have yet, as tallies; see ``timings``."""

    def clear(self) -> None:
        """Drop the times so far: the frontier has them."""

    def defer(self) -> None:
        """Leave the times so far to the next run of this process."""


class Silent:
    """An observer that notes nothing."""

    explain, at = False, ""

    def step(self, name: str, page: Page | None = None) -> None:
        """Note nothing."""

    def choice(self, chosen: Chosen) -> None:
        """Note nothing."""

    def count(self, name: str, example: str = "", number: int = 1) -> None:
        """Note nothing."""

    def sums(self) -> dict[str, int]:
        """Return no times."""
        return {}

    def clear(self) -> None:
        """Drop nothing."""

    def defer(self) -> None:
        """Leave nothing."""


class Trace(Protocol):
    """Makes a span of each step of a run."""

    def __call__(self, step: str, page: Page | None) -> None:
        """Begin the span of ``step``, and end that of the step before."""


class RunObserver:
    """An observer that times and logs each step of one run of ``crawl``.

    ``pending_timings`` holds the times of earlier runs of this process that the frontier does not
    have yet; several threads may share it. ``trace`` is called at each step, too.
    """

    explain = False

    def __init__(
        self, crawl: str, pending_timings: deque[StepTime] | None = None, trace: Trace | None = None
    ) -> None:
        self._crawl = crawl
        self._pending = deque[StepTime]() if pending_timings is None else pending_timings
        self._trace = trace
        self._times: list[StepTime] = []
        self.at, self._since = "", time.monotonic()
        #: This run ended its crawl.
        self.ended_crawl = False

    def step(self, name: str, page: Page | None = None) -> None:
        """Note the time of the step before, and that the run begins the step ``name``."""
        now = time.monotonic()
        self._times.append((self.at, now - self._since))
        self.at, self._since = name, now
        if name == "after_all":
            self.ended_crawl = True
        if self._trace:
            self._trace(name, page)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s%s", self._crawl, name, f" {masked(page.url)}" if page else "")

    def choice(self, chosen: Chosen) -> None:
        """Note nothing: the frontier counts what is dropped."""

    def count(self, name: str, example: str = "", number: int = 1) -> None:
        """Note it among the times, which go to the frontier with the report."""
        self._times.append((COUNT + name, float(number)))
        if example:
            self._times.append((example_of(name, masked(example)), 1.0))

    def sums(self) -> dict[str, int]:
        """Return the times of this run, and those that earlier runs left, as tallies."""
        self._times.extend(drain(self._pending))
        return tallies(self._times)

    def clear(self) -> None:
        """Drop the times so far."""
        self._times.clear()

    def defer(self) -> None:
        """Leave the times so far to the next run."""
        self._pending.extend(self._times)
