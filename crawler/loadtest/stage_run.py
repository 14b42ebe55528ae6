"""Runs a stage of a load test: Locust's users order jobs, while the system is sampled beside
them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FrontierUnavailable
from .locust_process import LocustProcess, WebPage
from .measurements import Sample, Stage
from .scenario import Scenario

if TYPE_CHECKING:
    from .job_book import JobBook
    from .system import System

#: Seconds between two samples.
SAMPLE_INTERVAL = 1.0
#: Seconds between two looks at whether to end.
LOOK_INTERVAL = 0.1
#: Seconds in which pages in flight end when the rest of a stage is stopped.
STOP_PATIENCE = 60.0

#: Wait so many seconds, or less; return whether to end now.
Wait = Callable[[float], bool]


@dataclass
class StageRun:
    """Runs stages on ``system``, each until its time is over, or ``wait`` says to end.

    ``see`` is called with each sample. ``drain``: so many seconds for the jobs that are left when
    no more orders come; then the rest is stopped.
    """

    system: System
    wait: Wait
    see: Callable[[Sample], None] = lambda _: None
    drain: float = 0.0
    interval: float = SAMPLE_INTERVAL

    def run(self, scenario: Scenario, factor: float = 1.0, web: WebPage | None = None) -> Stage:
        """Run a stage, ``factor`` times as fast as ``scenario`` says. With ``web`` it goes on until
        ``wait`` says so.

        Raises:
            SetupError: Locust does nothing, or workers of our own die again and again.
        """
        system, samples = self.system, list[Sample]()
        book = system.book()
        offset = time.time() - book.started
        folder = system.fresh_folder()
        locust = LocustProcess(
            scenario, system.url, system.token, system.body(), folder, factor=factor, web=web
        )
        locust.start()
        try:
            interrupted = self._watch(book, locust.samples, samples, lambda: locust.running)
        finally:
            locust.end()
        requests = locust.read()
        if not requests and not interrupted:
            locust.complain()
        if not interrupted:
            end = time.monotonic() + self.drain
            left = partial(self._left, book, end)
            interrupted = self._watch(book, locust.samples, samples, left)
        ended = book.look()
        jobs = [replace(job) for job in book.times.values()]  # as they are before they are stopped
        if book.stop_all():
            end = time.monotonic() + STOP_PATIENCE
            while book.unfinished and time.monotonic() < end and not self.wait(LOOK_INTERVAL):
                self._attend(book)
        orders = [job.ordered for job in jobs]
        began = min(orders, default=book.started)
        moved = [replace(one, at=one.at - (began - book.started)) for one in samples]
        return Stage(
            scenario=scenario,
            factor=factor,
            began=began,
            offset=offset,
            seconds=max(orders, default=began) - began,
            ended=ended,
            samples=[one for one in moved if one.at >= 0] or moved,
            jobs=jobs,
            requests=requests,
            is_interrupted=interrupted,
        )

    def _left(self, book: JobBook, end: float) -> bool:
        """Whether jobs are left, and time to wait for them."""
        return bool(book.unfinished) and time.monotonic() < end

    def _watch(
        self, book: JobBook, file: Path, samples: list[Sample], goes_on: Callable[[], bool]
    ) -> bool:
        """Sample the system for as long as it ``goes_on``, also into ``file``, which the tab of
        Locust's page shows. Return whether it was interrupted.
        """
        due = time.monotonic()
        with file.open("a") as lines:
            while goes_on():
                if time.monotonic() >= due:
                    due += self.interval
                    sample = self._sample(book)
                    if sample is not None:
                        samples.append(sample)
                        lines.write(json.dumps(sample.record()) + "\n")
                        lines.flush()
                        self.see(sample)
                if self.wait(LOOK_INTERVAL):
                    return True
        return False

    def _sample(self, book: JobBook) -> Sample | None:
        """Return a sample; None: Redis is away just now."""
        try:
            self.system.attend()
            return book.sample()
        except FrontierUnavailable:
            return None

    def _attend(self, book: JobBook) -> None:
        with suppress(FrontierUnavailable):
            self.system.attend()
            book.look()
