"""What queueing theory says of the two experiments, beside what was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .figures import mean, percentile, slope
from .measurements import BEGINNING, Stage

#: By how much of what theory says a measurement may differ, and still agree.
TOLERANCE = 0.2
#: Milliseconds that an order may take, at the median, to count as quick.
QUICK = 250.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the table: ``theory`` and ``measured`` in ``unit``, None where there is nothing
    to say; ``agrees`` is None where theory says nothing.
    """

    what: str
    theory: float | None
    measured: float | None
    unit: str
    because: str
    agrees: bool | None

    def record(self) -> dict[str, Any]:
        """Return the line as JSON."""
        return {
            "what": self.what,
            "theory": self.theory,
            "measured": None if self.measured is None else round(self.measured, 3),
            "unit": self.unit,
            "because": self.because,
            "agrees": self.agrees,
        }


def compare(stage: Stage, rate: float | None) -> list[Comparison]:
    """Return the table of an experiment; ``rate`` is that of the workers, None: unlimited."""
    if rate is None:
        return []
    if stage.scenario.experiment == 1:
        return closed(stage, rate)
    return open_(stage, rate)


def closed(stage: Stage, rate: float) -> list[Comparison]:
    """Return the table of users who wait for their jobs."""
    users = stage.scenario.waiters
    took = _steady(stage, "JOB", "RECEIVED")
    pace, wait = stage.rate_of("ended"), mean(took)
    inside = mean([sample.waiting + sample.running for sample in stage.steady()])
    product = None if pace is None or wait is None else pace * wait
    return [
        _line("jobs done", rate, pace, "per second", "the workers' rate: they are never idle"),
        _line(
            "a job takes, as its user sees it", users / rate, wait, "s",
            f"Little's law: {users} users / {rate:g} per second",
        ),
        _line("jobs in the system", float(users), inside, "", "each user has one there"),
        _line(
            "jobs done, times the time of a job", float(users), product, "",
            "Little's law: it is the number of users",
        ),
        _quick(stage),
    ]  # fmt: skip


def open_(stage: Stage, rate: float) -> list[Comparison]:
    """Return the table of users who wait for nothing."""
    orders = stage.rate or 0.0
    surplus = max(0.0, orders - rate)
    steady = stage.steady()
    oldest = slope([(sample.at, sample.oldest) for sample in steady])
    done = [
        (job.ordered - stage.began, job.total(0)) for job in stage.jobs if job.ended is not None
    ]
    why = f"what comes is more than what goes: {orders:g} - {rate:g}"
    return [
        _line("jobs ordered", orders, stage.rate_of("ordered"), "per second", "nobody waits"),
        _line(
            "jobs done", min(orders, rate), stage.rate_of("ended"), "per second",
            "the workers' rate",
        ),
        _line("the queue grows by", surplus, stage.growth(), "jobs per second", why),
        _line(
            "the oldest job that waits has waited longer by", surplus / orders, oldest,
            "s each second", f"1 - {rate:g} / {orders:g}",
        ),
        _line(
            "a job that is ordered a second later takes longer by", orders / rate - 1, slope(done),
            "s", f"{orders:g} / {rate:g} - 1: all that came before is done first",
        ),
        _quick(stage),
    ]  # fmt: skip


def _steady(stage: Stage, kind: str, name: str) -> list[float]:
    """Return the times of requests, in seconds, without those of the beginning."""
    begin = stage.began + stage.offset + BEGINNING * stage.seconds
    return [
        one.took
        for one in stage.requests
        if (one.type, one.name) == (kind, name) and one.error is None and one.ended > begin
    ]


def _line(what: str, theory: float, measured: float | None, unit: str, because: str) -> Comparison:
    near = measured is not None and abs(measured - theory) <= TOLERANCE * max(theory, 0.5)
    return Comparison(what, theory, measured, unit, because, near)


def _quick(stage: Stage) -> Comparison:
    """Return the line that Locust's table has, too: it looks well in both experiments."""
    took = percentile([1_000 * seconds for seconds in _steady(stage, "POST", "/jobs")], 50)
    because = "milliseconds: an order is only written down"
    agrees = took is not None and took < QUICK
    return Comparison("an order takes, at the median", None, took, "ms", because, agrees)


def disagreements(lines: Sequence[Comparison]) -> list[str]:
    """Return what differs from theory, a line for each."""
    return [f"{line.what}: {_said(line)}" for line in lines if line.agrees is False]


def _said(line: Comparison) -> str:
    measured = "nothing" if line.measured is None else f"{line.measured:.2f} {line.unit}".strip()
    theory = "milliseconds" if line.theory is None else f"{line.theory:g}"
    return f"{measured}, where theory says {theory}"
