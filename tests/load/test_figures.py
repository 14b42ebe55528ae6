"""Percentiles, trends and how sure a growth is, by numbers that anybody can check."""

from __future__ import annotations

import random

import pytest

from crawler.loadtest.figures import growth, percentile, slope, student


def test_a_percentile_is_one_of_the_values():
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert percentile([3.0], 99) == percentile([3.0], 1) == 3.0
    assert percentile([], 50) is None


def test_a_slope_is_that_of_the_line_through_the_points():
    assert slope([(x, 4 * x + 7) for x in range(10)]) == pytest.approx(4)
    assert slope([(1.0, 2.0)]) is None
    assert slope([(1.0, 2.0), (1.0, 3.0)]) is None


@pytest.mark.parametrize(
    ("confidence", "freedom", "known"),
    [(0.95, 9, 1.833), (0.99, 9, 2.821), (0.95, 5, 2.015), (0.9, 30, 1.310)],
)
def test_students_t_is_that_of_the_tables(confidence, freedom, known):
    assert student(confidence, freedom) == pytest.approx(known, rel=0.02)


def test_a_queue_that_grows_is_told_from_one_that_wavers():
    rand = random.Random(7)
    wavers = [(float(at), 3 + rand.choice([-1, 0, 1])) for at in range(40)]
    grows = [(float(at), 0.5 * at + rand.choice([-1, 0, 1])) for at in range(40)]
    found, steady = growth(grows, 0.95), growth(wavers, 0.95)
    assert found.low > 0.4
    assert found.high < 0.6
    assert steady.low < 0 < steady.high
    assert growth(grows, 0.99).low < found.low  # to be surer costs precision
    assert growth(grows[:7], 0.95) is None
    assert growth([(float(at), 2.0 * at) for at in range(9)], 0.95).low == pytest.approx(2)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_a_confidence_is_kept(memory):
    """Of queues that waver and do not grow, about as many as it allows are said to grow; also where
    each length hangs on the one before it.
    """
    rand = random.Random(11)
    wrong = 0
    for _ in range(400):
        level, points = 0.0, []
        for at in range(60):
            level = memory * level + rand.gauss(0, 1)
            points.append((float(at), level))
        wrong += growth(points, 0.95).low > 0
    assert wrong <= 400 * 0.05 * 1.6
