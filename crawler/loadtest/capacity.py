"""The capacity of workers: the highest rate of orders at which the queue does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .figures import Growth, growth, percentile
from .measurements import Stage
from .scenario import Scenario

#: The part of the rate by which a queue may seem to grow, and still counts as one that does not.
SLACK = 0.1
#: How often a step is repeated, twice as long each time, while it says nothing.
REPEATS = 2


@dataclass(frozen=True, slots=True)
class Step:
    """What a rate of orders, in jobs a second, came to. ``growth`` is in jobs a second; None: too
    few samples. ``holds`` is None where that is not sure.
    """

    rate: float
    completed: float
    growth: Growth | None
    waiting_p95: float | None
    seconds: float
    holds: bool | None

    def record(self) -> dict[str, Any]:
        """Return the step as JSON."""
        grown = self.growth
        return {
            "rate": round(self.rate, 3),
            "completed": round(self.completed, 3),
            "growth": grown and round(grown.rate, 3),
            "growth_low": grown and round(grown.low, 3),
            "growth_high": grown and round(grown.high, 3),
            "waiting_p95": self.waiting_p95 and round(self.waiting_p95, 3),
            "seconds": round(self.seconds, 1),
            "holds": self.holds,
        }


@dataclass(frozen=True, slots=True)
class Capacity:
    """Between two rates: the highest that was sustained (0: none was), and the lowest that was not
    (None: none).
    """

    low: float
    high: float | None
    confidence: float
    steps: tuple[Step, ...]

    def record(self) -> dict[str, Any]:
        """Return the capacity as JSON."""
        return {
            "low": round(self.low, 3),
            "high": None if self.high is None else round(self.high, 3),
            "confidence": self.confidence,
            "steps": [step.record() for step in self.steps],
        }


def judge_step(stage: Stage, rate: float, confidence: float) -> Step:
    """Return what a stage says of its rate.

    The queue grows if its growth is above 0 with the ``confidence``; it does not if, with the same,
    its growth is below a tenth of the rate.
    """
    points = [(one.at, float(one.waiting)) for one in stage.steady()]
    found = growth(points, confidence)
    holds: bool | None = None
    if found is not None:
        if found.low > 0 and found.rate > SLACK * rate / 2:
            holds = False
        elif found.high < SLACK * rate:
            holds = True
    return Step(
        rate,
        stage.rate_of("ended") or 0.0,
        found,
        percentile(stage.times("waiting"), 95),
        stage.seconds,
        holds,
    )


def search(
    attempt: Callable[[float, float], Step], most: float, precision: float, confidence: float
) -> Iterator[Capacity]:
    """Find the capacity by bisection, and yield what is known after each step.

    ``attempt`` tries a rate, so many times as long as usual. ``most`` is what the workers complete
    when there is always enough to do: it lies near the capacity, and no rate above it is sustained
    for long. It ends when both rates differ by less than ``precision`` of the higher one. A step
    that says nothing is repeated, twice as long; if it still says nothing, the rate counts as
    not sustained.
    """
    low, high = 0.0, None
    rate, steps = 0.8 * most, list[Step]()
    while rate > most / 32:
        holds = None
        for repeat in range(REPEATS + 1):
            step = attempt(rate, 2.0**repeat)
            steps.append(step)
            if (holds := step.holds) is not None:
                break
        if holds:
            low = rate
        else:
            high = rate
        yield Capacity(low, high, confidence, tuple(steps))
        if high is not None and high - low < precision * high:
            return
        if high is None and low >= 1.6 * most:  # that most was none
            return
        # upwards by a quarter until a rate is not sustained, downwards by halves until one is
        rate = low * 1.25 if high is None else (low + high) / 2


def flood(scenario: Scenario) -> Scenario:
    """Return a scenario whose users always keep the workers busy."""
    return scenario.model_copy(
        update={
            "publishers": 0,
            "rate": None,
            "subscribers": 0,
            "waiters": 3 * scenario.workers.concurrency + 1,
            "times": (1.0,),
            "experiment": None,
        }
    )


def steadily(scenario: Scenario, rate: float, seconds: float) -> Scenario:
    """Return a scenario whose users order at ``rate``, as strangers come, for so many seconds."""
    return scenario.model_copy(
        update={
            "publishers": max(1, scenario.publishers or min(10, round(rate) + 1)),
            "rate": rate,
            "subscribers": 0,
            "waiters": 0,
            "duration": seconds,
            "times": (1.0,),
            "experiment": None,
        }
    )
