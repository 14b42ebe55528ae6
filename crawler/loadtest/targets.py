"""Targets: whether the system kept to them while it was under load, by its own clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .figures import mean, percentile
from .measurements import Stage
from .scenario import FAILURES


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target of one stage. ``measured`` is None where no job was ordered, which meets none."""

    target: str
    limit: float
    measured: float | None

    @property
    def is_met(self) -> bool:
        """Whether it is met."""
        return self.measured is not None and self.measured <= self.limit

    def record(self) -> dict[str, Any]:
        """Return the verdict as JSON."""
        measured = None if self.measured is None else round(self.measured, 4)
        return {
            "target": self.target,
            "limit": self.limit,
            "measured": measured,
            "met": self.is_met,
        }


def judge(stage: Stage) -> list[Verdict]:
    """Return a verdict on each target of the stage's scenario.

    A job that has not ended counts with its time so far: the stage waited until that is longer than
    any target.
    """
    return [
        Verdict(name, limit, measure(stage, name)) for name, limit in stage.scenario.targets.items()
    ]


def measure(stage: Stage, target: str) -> float | None:
    """Return what a target is about; None: no job was ordered."""
    if target == FAILURES:
        wrong = stage.count("failed") + stage.refused + stage.lost
        orders = max(len(stage.jobs) + stage.refused, len(stage.orders))
        return wrong / orders if orders else None
    name, _, figure = target.partition("_")
    times = stage.times(name)
    if figure == "mean":
        return mean(times)
    return percentile(times, 100 if figure == "max" else int(figure.removeprefix("p")))


def patience(targets: dict[str, float] | Any) -> float:
    """Return for how many seconds to wait for jobs when no more are ordered: until the last one
    has met each target on times, or missed it.
    """
    times = [limit for name, limit in targets.items() if name != FAILURES]
    return max(times) + 1 if times else 0.0
