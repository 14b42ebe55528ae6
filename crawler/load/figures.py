"""Figures of measurements: percentiles, trends, and how sure a growth is. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, stdev

#: Parts into which a series is divided, to see how much its growth varies by itself.
PARTS = 10


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
    """Return the growth of a series of times and values, in the order of its times.

    The series is divided into parts of equal length. The growths of these vary, and by Student's t
    that says how sure the mean of them is. None: the series is too short to say.
    """
    if len(points) < PARTS + 1 or points[-1][0] <= points[0][0]:
        return None
    edges = [points[round(number * (len(points) - 1) / PARTS)] for number in range(PARTS + 1)]
    rates = [
        (after[1] - before[1]) / (after[0] - before[0])
        for before, after in pairwise(edges)
        if after[0] > before[0]
    ]
    if len(rates) < 2:
        return None
    rate = (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])
    margin = student(confidence, len(rates) - 1) * stdev(rates) / math.sqrt(len(rates))
    return Growth(rate, rate - margin, rate + margin)


def student(confidence: float, freedom: int) -> float:
    """Return the one-sided quantile of Student's t for ``freedom`` degrees of freedom, by the
    series of Abramowitz and Stegun (26.7.5): within 2 % from 5 degrees on, up to 99 %.
    """
    z = NormalDist().inv_cdf(confidence)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
