"""The times of the steps of runs: histograms in powers of two, in the crawl's hash ``tallies``.

============================ ==================================================================
name                         counts
============================ ==================================================================
``step:request:7``           steps ``request`` that took at most 2**7 ms, and more than 2**6
``step:request:us``          microseconds of all steps ``request`` together
``wakeup:4``, ``wakeup:us``  wake-ups in the same way, from their grant to the claim that
                             answers them
``attempt:5xx:timeout``      attempts at a page that ended with this class of HTTP status, and
                             for this reason
``count:cookies_cleared``    no tally: the frontier adds it to the crawl's counts
``example:hint_late=URL``    no tally: the frontier keeps the first one as an example of that count
============================ ==================================================================
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote

#: Steps of a run that are timed, in their order. ``start``, the last step, sends the sums. Without
#: a hook ``after``, the step ``queue.deregister`` sends them, and the next run of the process sends
#: the times of later steps. (If this process gets no other run, those times of its last run are
#: lost.)
STEPS = (
    "browser",
    "queue.register",
    "before_all",
    "before",
    "request",
    "extract",
    "filter",
    "queue.deregister",
    "after",
)
#: The last bucket of the histograms: all times of more than 2**16 ms (66 s).
POWERS = 17

#: Begins the name of a sum that the frontier adds to the crawl's counts.
COUNT = "count:"
#: Begins the name of an example of a count; ``=`` and the quoted example follow.
EXAMPLE = "example:"
#: Characters of an example that are kept.
EXAMPLE_MAX = 300

#: A step of a run, and the seconds that it took; or :data:`COUNT` or :data:`EXAMPLE` with a name,
#: and a number.
StepTime = tuple[str, float]


def bucket(seconds: float) -> int:
    """Return the least exponent n for which ``seconds`` are at most 2**n ms."""
    return min(POWERS, max(0, math.ceil(seconds * 1_000) - 1).bit_length())


def tallies(times: Iterable[StepTime]) -> dict[str, int]:
    """Return the sums that ``times`` add to the tallies of a crawl."""
    sums: dict[str, int] = {}
    for step, seconds in times:
        if step.startswith(COUNT):
            sums[step] = sums.get(step, 0) + int(seconds)
        elif step.startswith(EXAMPLE):
            sums[step] = 1
        elif step in STEPS:
            for name, amount in (
                (f"step:{step}:{bucket(seconds)}", 1),
                (f"step:{step}:us", int(seconds * 1_000_000)),
            ):
                sums[name] = sums.get(name, 0) + amount
    return sums


def example_of(name: str, text: str) -> str:
    """Return the name of the sum that keeps ``text`` as an example of the count ``name``."""
    return f"{EXAMPLE}{name}={quote(text[:EXAMPLE_MAX], safe=':/?&=#,;@+', errors='replace')}"


def drain(pending: deque[StepTime]) -> Iterator[StepTime]:
    """Take the times out of ``pending``. Several threads may do so: each is taken once."""
    with suppress(IndexError):
        while True:
            yield pending.popleft()
