"""What is measured in a load test: the times of jobs by the system's clock, samples of the system,
requests as Locust timed them; and a stage, which has all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .figures import mean, percentile, slope
from .scenario import Scenario

#: The share of a stage that counts as its beginning, whose numbers are not those of the rest.
BEGINNING = 0.2


@dataclass(slots=True)
class JobTimes:
    """One job: epoch seconds, None for what is yet to come. ``state`` is new, running, done, failed
    or stopped.
    """

    id: str
    ordered: float
    began: float | None = None
    ended: float | None = None
    state: str = "new"

    def waiting(self, now: float) -> float:
        """Return the seconds from its order to its first page, or those so far."""
        end = self.ended if self.began is None and self.ended is not None else self.began
        return max(0.0, (now if end is None else end) - self.ordered)

    def processing(self, now: float) -> float | None:
        """Return the seconds from its first page to its end, or those so far; None: it waits."""
        if self.began is None:
            return None
        return max(0.0, (now if self.ended is None else self.ended) - self.began)

    def total(self, now: float) -> float:
        """Return the seconds from its order to its end, or those so far."""
        return max(0.0, (now if self.ended is None else self.ended) - self.ordered)


@dataclass(frozen=True, slots=True)
class Sample:
    """The system at one instant, ``at`` so many seconds after the first order could come."""

    at: float
    ordered: int
    waiting: int
    running: int
    done: int
    failed: int
    #: Seconds for which the oldest job that waits has waited.
    oldest: float
    #: Jobs that ended in a second, lately.
    completed: float
    #: Of all processors of this machine, in percent.
    cpu: float
    #: Processes of live workers that run pages.
    slots: int

    def record(self) -> dict[str, float]:
        """Return the sample as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RequestTime:
    """A request, or another thing that Locust timed: when it ended, in epoch seconds; ``took`` is
    in seconds; ``error`` is the kind of its error, None if it succeeded.
    """

    ended: float
    type: str
    name: str
    took: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """What happened in a stage. ``began`` is in epoch seconds by Redis's clock, ``offset`` that of
    this machine minus that; ``seconds`` is how long orders came.
    """

    scenario: Scenario
    factor: float
    began: float
    offset: float
    seconds: float
    ended: float
    samples: Sequence[Sample]
    jobs: Sequence[JobTimes]
    requests: Sequence[RequestTime]
    is_interrupted: bool = False

    @property
    def rate(self) -> float | None:
        """The jobs a second that were to be ordered; None: users wait for theirs."""
        rate = self.scenario.rate
        return None if rate is None else rate * self.factor

    @property
    def orders(self) -> list[RequestTime]:
        """The orders that were made, as Locust timed them."""
        return [one for one in self.requests if (one.type, one.name) == ("POST", "/jobs")]

    @property
    def refused(self) -> int:
        """Orders that were not taken."""
        return sum(one.error is not None for one in self.orders)

    @property
    def lost(self) -> int:
        """Jobs that the server took an order for, and the system does not know."""
        taken = len(self.orders) - self.refused
        return max(0, taken - len(self.jobs))

    def count(self, *states: str) -> int:
        """Return the number of jobs in these states."""
        return sum(job.state in states for job in self.jobs)

    def times(self, name: str) -> list[float]:
        """Return the times of all jobs, in seconds: ``waiting``, ``processing`` or ``total``. One
        that has not come so far counts with its time so far.
        """
        if name == "waiting":
            return [job.waiting(self.ended) for job in self.jobs]
        if name == "total":
            return [job.total(self.ended) for job in self.jobs]
        took = (job.processing(self.ended) for job in self.jobs)
        return [seconds for seconds in took if seconds is not None]

    def steady(self) -> list[Sample]:
        """Return the samples while orders came, without those of the beginning."""
        return [
            sample
            for sample in self.samples
            if BEGINNING * self.seconds <= sample.at <= self.seconds
        ]

    def growth(self) -> float | None:
        """Return by how many jobs the queue grew in a second."""
        return slope([(sample.at, sample.waiting) for sample in self.steady()])

    def rate_of(self, name: str) -> float | None:
        """Return how many jobs a second were ``ordered`` or ``ended``, without the beginning."""
        begin = self.began + BEGINNING * self.seconds
        end = self.began + self.seconds
        moments = [getattr(job, name) for job in self.jobs]
        count = sum(1 for moment in moments if moment is not None and begin < moment <= end)
        return count / (end - begin) if end > begin else None

    def record(self) -> dict[str, Any]:
        """Return the stage as JSON, for the report and for programs."""
        times = {
            name: {
                figure: _rounded(percentile(self.times(name), percent))
                for figure, percent in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
            }
            for name in ("waiting", "processing", "total")
        }
        return {
            "times": self.factor,
            "rate": self.rate,
            "seconds": round(self.seconds, 1),
            "ordered": len(self.jobs),
            "done": self.count("done"),
            "failed": self.count("failed"),
            "stopped": self.count("stopped"),
            "unfinished": self.count("new", "running"),
            "refused": self.refused,
            "lost": self.lost,
            "ordered_per_second": _rounded(self.rate_of("ordered")),
            "completed_per_second": _rounded(self.rate_of("ended")),
            "queue_growth": _rounded(self.growth()),
            **times,
            "locust": table(self.requests, self.seconds),
        }

    def course(self) -> dict[str, Any]:
        """Return what the charts of the report show: columns over time."""
        samples = [sample.record() for sample in self.samples]
        columns = {name: [_rounded(one[name]) for one in samples] for name in SAMPLE_COLUMNS}
        return {"samples": columns, "requests": self._requests_by_second(), "jobs": self._dots()}

    def _requests_by_second(self) -> dict[str, list[Any]]:
        """Return what Locust saw in each second: its requests, and how long they took in ms."""
        buckets: dict[int, list[RequestTime]] = {}
        for one in self.requests:
            if one.type != "JOB":
                at = int(one.ended - self.offset - self.began)
                buckets.setdefault(at, []).append(one)
        seconds = sorted(buckets)
        took = [[one.took * 1_000 for one in buckets[at]] for at in seconds]
        return {
            "at": seconds,
            "rate": [len(some) for some in took],
            "median": [_rounded(percentile(some, 50)) for some in took],
            "p95": [_rounded(percentile(some, 95)) for some in took],
            "fails": [sum(one.error is not None for one in buckets[at]) for at in seconds],
        }

    def _dots(self) -> dict[str, list[Any]]:
        """Return for each job when it was ordered, and how long it took, or has taken so far; the
        oldest first.
        """
        jobs = sorted(self.jobs, key=lambda job: job.ordered)
        return {
            "at": [_rounded(job.ordered - self.began) for job in jobs],
            "total": [None if job.ended is None else _rounded(job.total(0)) for job in jobs],
            "open": [
                _rounded(job.total(self.ended)) if job.ended is None else None for job in jobs
            ],
        }


#: The columns of samples.
SAMPLE_COLUMNS = (
    *("at", "ordered", "waiting", "running", "done", "failed"),
    *("oldest", "completed", "cpu", "slots"),
)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def table(requests: Sequence[RequestTime], seconds: float) -> list[dict[str, Any]]:
    """Return Locust's table of ``requests``, which took ``seconds`` in all: a row for each type and
    name. Times are in milliseconds.
    """
    kinds: dict[tuple[str, str], list[RequestTime]] = {}
    for one in requests:
        kinds.setdefault((one.type, one.name), []).append(one)
    rows = []
    for (kind, name), some in sorted(kinds.items()):
        took = [one.took * 1_000 for one in some]
        rows.append(
            {
                "type": kind,
                "name": name,
                "requests": len(some),
                "fails": sum(one.error is not None for one in some),
                "median": percentile(took, 50),
                "p95": percentile(took, 95),
                "mean": mean(took),
                "max": max(took),
                "rate": len(some) / seconds if seconds else 0.0,
            }
        )
    return rows
