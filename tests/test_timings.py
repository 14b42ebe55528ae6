"""How long steps took: in powers of two, exactly as many as there were."""

from __future__ import annotations

import pytest

from crawler.timings import POWERS, bucket, tallies


@pytest.mark.parametrize(
    ("ms", "power"),
    [(0, 0), (1, 0), (1.5, 1), (2, 1), (2.5, 2), (4, 2), (64, 6), (65, 7), (65_536, 16), (65_537, 17), (1e9, POWERS)],
)
def test_a_bucket_is_the_power_of_two_that_a_time_does_not_exceed(ms, power):
    assert bucket(ms / 1_000) == power


def test_what_is_no_step_of_a_run_is_not_counted():
    assert tallies([("", 1.0), ("execute", 1.0), ("request", 0.1)]) == {"step:request:7": 1, "step:request:us": 100_000}
