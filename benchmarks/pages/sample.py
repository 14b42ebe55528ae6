"""What one contender did on one site with so many sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import site


@dataclass(frozen=True)
class Sample:
    """Pages per second, processor milliseconds per page by kind of process, bytes of memory (PSS)
    at the most, and pages that were wrong.
    """

    pages: int
    seconds: float
    cpu_ms: dict[str, float]
    peak: int
    wrong: int
    more: dict[str, float] = field(default_factory=dict)
    began: float = 0.0  # epoch seconds

    @property
    def pages_per_s(self) -> float:
        """Of all sessions together."""
        return self.pages / self.seconds


def sample(
    seconds: float,
    before: Counter[str],
    after: Counter[str],
    peak: int,
    pages: int,
    wrong: int,
    **more: float,
) -> Sample:
    """A sample from two looks at the processor time."""
    spent = {name: round((after[name] - before[name]) * 1000 / pages, 2) for name in sorted(after)}
    return Sample(
        pages, seconds, {name: ms for name, ms in spent.items() if ms >= 0.01}, peak, wrong, more
    )


def wrong_pages(pages: int, got: Iterable[tuple[int, str, str, int]]) -> int:
    """Pages that are missing, came twice, or say something else; ``got``: number, title, word and
    count of links of each.
    """
    wrong, seen = 0, Counter[int]()
    for number, title, word, count in got:
        seen[number] += 1
        wrong += (title, word, count) != (
            site.title(number),
            site.word(number),
            len(set(site.links(number, pages))),
        )
    return (
        wrong
        + sum(seen[number] != 1 for number in range(pages))
        + sum(number >= pages for number in seen)
    )
