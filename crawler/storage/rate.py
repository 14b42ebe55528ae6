"""A limit on the runs that all workers together complete in a second: for load tests, and for the
systems behind a crawl's hooks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .connection import RedisClient
from .scripts import Scripts

#: Seconds after which the slot of a run that died before it completed is free again.
SLOT_LIFE = 30.0
#: Longest sleep, in seconds, between two attempts to get a slot, and the shortest.
SLEEP_MAX, SLEEP_MIN = 0.5, 0.005


class Rate:
    """At most ``per_second`` completions a second, over all processes that share a Redis and
    ``prefix``.

    Each completion holds a slot, which then rests: with five slots that rest for a second there are
    at most five completions within any second, however late each of them is. A rate below one makes
    the rest longer; of one like 2.5, at most three fall into any second.
    """

    def __init__(self, redis: RedisClient, prefix: str, per_second: float) -> None:
        self._scripts = Scripts(redis, __package__)
        self._prefix = f"{prefix}completions:"
        self.slots = math.ceil(per_second)
        self.rest = self.slots / per_second

    @contextmanager
    def completion(self) -> Iterator[None]:
        """Wait for a slot, and hold it while the run is reported as complete.

        Raises:
            FrontierUnavailable: Redis is away.
        """
        slot = self._take()
        # after an error the slot is free when its life is over: the report may have arrived
        yield
        self._ask(slot)

    def _take(self) -> str:
        while True:
            slot, wait = self._ask("")
            if slot:
                return slot
            time.sleep(min(max(wait, SLEEP_MIN), SLEEP_MAX))

    def _ask(self, taken: str) -> tuple[str, float]:
        life, rest = math.ceil(SLOT_LIFE * 1_000), math.ceil(self.rest * 1_000)
        slot, wait = self._scripts.run("slot", self._prefix, self.slots, life, taken, rest)
        return slot.decode(), wait / 1_000
