"""The pace of a crawl, now and over time, and how much of it is left as far as one can know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from ..model import Policy, Snapshot

if TYPE_CHECKING:
    from ..frontier.answers import Sample

#: Seconds that the pace of this moment looks back, and that on which an estimate is built.
NOW, STEADY = 10.0, 60.0
#: Seconds without a sample after which a crawl was interrupted: its pace begins again.
GAP = 60.0
#: Samples that are kept: of older ones, each other one goes.
SAMPLES_MAX = 600
#: Seconds below which two samples say nothing.
SPAN_MIN = 1.0


def pages_left(snapshot: Snapshot, policy: Policy | None) -> int:
    """Return how many pages that are known now are still to be done; links may add more, unless
    ``page_limit`` allows no more.
    """
    left = snapshot.queued + snapshot.delayed + snapshot.processing
    if policy is None or policy.page_limit is None:
        return left
    count = snapshot.done if policy.page_limit_counts == "done" else 0
    begun = count or snapshot.counts.get("started", 0) - snapshot.processing
    return min(left, max(0, policy.page_limit - begun))


@dataclass
class Pace:
    """The course of the number of pages that are done or failed. Times are epoch seconds."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    def seed(self, history: Iterable[Sample]) -> None:
        """Begin with what ticks wrote down."""
        for sample in history:
            self.add(sample.at, sample.done + sample.failed)

    def add(self, at: float, count: int) -> None:
        """Take the number of pages at the time ``at``. A smaller one than before, or a long time
        without any: the crawl began again.
        """
        if self.samples and (count < self.samples[-1][1] or at - self.samples[-1][0] > GAP):
            self.samples.clear()
        if self.samples and at <= self.samples[-1][0]:
            return
        self.samples.append((at, count))
        if len(self.samples) > SAMPLES_MAX:
            old = len(self.samples) // 2
            self.samples[:old] = self.samples[:old:2]

    def rate(self, seconds: float = NOW) -> float | None:
        """Return pages per second over the last ``seconds``; None: not known yet."""
        if not self.samples:
            return None
        end, last = self.samples[-1]
        # the newest that is old enough, so that a pause between two samples counts
        start, first = next(
            (one for one in reversed(self.samples) if end - one[0] >= seconds), self.samples[0]
        )
        return (last - first) / (end - start) if end - start >= SPAN_MIN else None

    def rates(self, parts: int) -> tuple[float, ...]:
        """Return pages per second in each of ``parts`` equal spans since the first sample, fewer if
        they would be shorter than a second.
        """
        if len(self.samples) < 2:
            return ()
        start, end = self.samples[0][0], self.samples[-1][0]
        parts = min(parts, int((end - start) / SPAN_MIN))
        if parts < 1:
            return ()
        span, place, counts = (end - start) / parts, 0, []
        for number in range(parts + 1):
            at = start + number * span
            while place < len(self.samples) - 2 and self.samples[place + 1][0] < at:
                place += 1
            (before, low), (after, high) = self.samples[place], self.samples[place + 1]
            counts.append(low + (high - low) * min(1.0, (at - before) / (after - before)))
        return tuple(max(0.0, (high - low) / span) for low, high in pairwise(counts))

    @property
    def span(self) -> float:
        """The seconds from the first sample to the last."""
        return self.samples[-1][0] - self.samples[0][0] if self.samples else 0.0
