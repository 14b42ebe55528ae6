"""Figures of measurements: percentiles, trends, and how sure a growth is. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean

#: Values that a series must have, so that its growth says anything.
SERIES_MIN = 8
#: Degrees of freedom of a series whose values hang together, at least; and squares that are none.
FREEDOM_MIN, NOTHING = 3.0, 1e-9


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the least value that ``percent`` of ``values`` do not exceed; None: there are none."""
    if not values:
        return None
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None: there are no values."""
    return fmean(values) if values else None


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return by how much y grows for each x, by least squares; None: that cannot be said."""
    if len(points) < 2:
        return None
    middle, level = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    if not spread:
        return None
    return sum((x - middle) * (y - level) for x, y in points) / spread


@dataclass(frozen=True, slots=True)
class Growth:
    """How much something grows in a second: ``rate``, which at the confidence that was asked for
    lies at or above ``low``, and, as surely, at or below ``high``.
    """

    rate: float
    low: float
    high: float


def growth(points: Sequence[tuple[float, float]], confidence: float) -> Growth | None:
    """Return the growth of a series of times and values: the slope of the line through them, and
    how sure it is, by Student's t.

    A value depends on the one before it, so the series tells less than as many independent values
    would: it counts as ``n (1 - r) / (1 + r)`` of them, where ``r`` is the correlation of what
    follows each other (Santer et al. 2000). None: the series is too short to say.
    """
    rate = slope(points)
    if rate is None or len(points) < SERIES_MIN:
        return None
    middle, level = fmean(x for x, _ in points), fmean(y for _, y in points)
    rest = [y - level - rate * (x - middle) for x, y in points]
    squares = sum(one * one for one in rest)
    if squares < NOTHING:  # all of them lie on the line
        return Growth(rate, rate, rate)
    follow = max(0.0, sum(one * other for one, other in pairwise(rest)) / squares)
    freedom = max(len(points) * (1 - follow) / (1 + follow) - 2, FREEDOM_MIN)
    spread = sum((x - middle) ** 2 for x, _ in points)
    margin = student(confidence, freedom) * math.sqrt(squares / freedom / spread)
    return Growth(rate, rate - margin, rate + margin)


def student(confidence: float, freedom: float) -> float:
    """Return the one-sided quantile of Student's t for ``freedom`` degrees of freedom, by the
    series of Abramowitz and Stegun (26.7.5): within 2 % from 5 degrees on, up to 99 %.
    """
    z = NormalDist().inv_cdf(confidence)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
