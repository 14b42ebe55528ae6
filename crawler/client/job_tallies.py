"""Sums over all jobs, for metrics: how many were ordered and ended, how long they waited and were
processed.

They are in one hash, ``tallies``, beside the orders: they outlive workers, servers and the jobs
themselves, and their number is bounded. Each end is counted once, whoever tells it, and however
often: ``counted`` has the last end of each job until it is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..frontier.kinds import OTHER, kind_of
from ..model import FailureClass
from ..storage.errors import redis_errors
from ..storage.scripts import Scripts

#: Buckets of the histograms: times of at most 2**n ms, for n below it, and the longer ones; as in
#: ``lua/job_end.lua``.
POWERS = 25
#: What the histograms are of.
WAITING, PROCESSING = "waiting", "processing"


@dataclass(frozen=True, slots=True)
class JobTotals:
    """The sums of an installation. They only go up."""

    sums: Mapping[str, int]

    @property
    def ordered(self) -> int:
        """Jobs that were ordered."""
        return self.sums.get("ordered", 0)

    def ended(self, state: str) -> int:
        """Return how often jobs ended in ``state`` (done, failed, stopped)."""
        return self.sums.get(state, 0)

    @property
    def failures(self) -> dict[str, int]:
        """How often jobs failed, by kind of failure."""
        named = ((name.partition(":"), number) for name, number in self.sums.items())
        return {kind: number for (word, _, kind), number in named if word == "kind"}

    def buckets(self, name: str) -> list[int]:
        """Return how many jobs were :data:`WAITING` or :data:`PROCESSING` for at most 2**n ms and
        more than the half of that, for each n; the last number is that of the longer ones.
        """
        return [self.sums.get(f"{name}:{power}", 0) for power in range(POWERS + 1)]

    def seconds(self, name: str) -> float:
        """Return the seconds of all jobs together."""
        return self.sums.get(f"{name}:ms", 0) / 1_000


#: The reason of the last failure, in that of a crawl of which no page was done.
LAST_FAILURE = re.compile(r"\(last failure: (.*)\)\Z", re.DOTALL)


def failure_kind(reason: str) -> str:
    """Return the kind of failure in the ``reason`` of a job that failed; "other" if it has none."""
    if found := LAST_FAILURE.search(reason):
        reason = found[1]
    kind = kind_of(FailureClass.HOOK, reason)
    return OTHER if kind == FailureClass.HOOK.value and not reason.startswith(kind) else kind


class JobTallies:
    """The sums over the jobs of one installation; ``prefix`` is that of their keys."""

    def __init__(self, redis: Any, prefix: str) -> None:
        self.redis, self.prefix = redis, prefix
        self._scripts = Scripts(redis, __package__)

    def order(self, id: str, record: str, created: int, due: float) -> bool:  # noqa: A002
        """Write an order (JSON) and count it, in one step; False: there was one of this ``id``.

        ``created`` is microseconds, ``due`` seconds since the epoch.
        """
        return bool(self._scripts.run("job_order", self.prefix, id, record, created, due))

    def end(
        self,
        id: str,  # noqa: A002
        at: float,
        state: str,
        kind: str,
        times: tuple[float, float] | None,
    ) -> bool:
        """Count the end of a job ``at`` epoch seconds; False: it was counted before.

        ``kind`` is that of its failure, "" if it has not failed; ``times`` are the seconds for
        which it waited and was processed, None if it was never begun.
        """
        waiting, processing = [round(time * 1_000) for time in times] if times else ["", ""]
        told = (id, round(at * 1_000), state, kind, waiting, processing)
        return bool(self._scripts.run("job_end", self.prefix, *told))

    def forget(self, id: str) -> None:  # noqa: A002
        """Forget which end of a job was counted; the sums stay."""
        with redis_errors():
            self.redis.hdel(f"{self.prefix}counted", id)

    def totals(self) -> JobTotals:
        """Return the sums as they are now."""
        with redis_errors():
            sums = self.redis.hgetall(f"{self.prefix}tallies")
        return JobTotals({name.decode(): int(number) for name, number in sums.items()})
