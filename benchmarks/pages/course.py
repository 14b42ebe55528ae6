"""How a long crawl goes: in each tenth of it, how fast it was, and what it took and held."""

from __future__ import annotations

import json
import time
from collections import Counter
from statistics import fmean, median
from typing import Any

from .usage import Watch

#: Seconds between two looks at the memory. Sessions grow until they are replaced, each twenty
#: seconds or so: what a tenth held is the mean of ten looks, as one alone would tell how long ago
#: that was.
INTERVAL = 4.0
#: Work that is always the same: the processor time that it takes tells how fast the machine is at
#: that moment.
YARDSTICK = json.dumps(
    [{"number": number, "name": f"page {number}", "links": [*range(20)]} for number in range(40)]
)
TIMES = 20


class Course:
    """The use of the machine in the course of a crawl of ``pages`` pages, as its caller looks."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.stamps: list[float] = []  # when each page was done, by the epoch; filled in at the end
        self._parts: list[dict[str, Any]] = []
        self._looks: list[dict[str, list[int]]] = []
        self._yards: list[float] = []
        self._due = 0.0
        self._done, self._spent = 0, Counter[str]()

    def look(self, done: int, watch: Watch, client: Any) -> None:
        """``done`` pages are done now."""
        if not self._spent:
            self._done, self._spent = done, watch.look()
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + INTERVAL
            self._looks.append(watch.memory())
            self._yards.append(yard())
        if done * 10 >= self.pages * (len(self._parts) + 1):
            spent, pages = watch.look(), max(1, done - self._done)
            kinds = sorted({kind for look in self._looks for kind in look})
            self._parts.append(
                {
                    "cpu_ms": {
                        kind: round((spent[kind] - self._spent[kind]) * 1_000 / pages, 2)
                        for kind in sorted(spent)
                    },
                    "yardstick_ms": round(median(self._yards), 2),
                    "mb": {
                        kind: megabytes(sum(look.get(kind, ())) for look in self._looks)
                        for kind in kinds
                    }
                    | {"redis data": megabytes([client.info("memory")["used_memory"]])},
                    "most_mb": {
                        kind: megabytes([max(max(look.get(kind, (0,))) for look in self._looks)])
                        for kind in kinds
                    },
                    "processes": {
                        kind: round(fmean(len(look.get(kind, ())) for look in self._looks), 1)
                        for kind in kinds
                    },
                }
            )
            self._done, self._spent, self._looks, self._yards = done, spent, [], []
            self._due = 0.0

    def rows(self) -> list[dict[str, Any]]:
        """Of each tenth: pages per second; processor time per page by kind of process; memory, on
        average and of the largest.
        """
        part = len(self.stamps) // 10
        parts = (self.stamps[at * part : (at + 1) * part] for at in range(10))
        return [
            {"pages_per_s": speed(some)} | rest
            for some, rest in zip(parts, self._parts, strict=False)
        ]


def yard() -> float:
    """Processor milliseconds that the yardstick takes now."""
    began = time.thread_time()
    for _ in range(TIMES):
        json.loads(YARDSTICK)
    return (time.thread_time() - began) * 1_000


def megabytes(sizes: Any) -> float:
    """The mean of so many bytes."""
    return round(fmean(sizes) / 2**20, 1)


def speed(stamps: list[float]) -> float:
    """Pages per second from the first of these moments to the last."""
    return round((len(stamps) - 1) / max(0.001, stamps[-1] - stamps[0]), 2)
