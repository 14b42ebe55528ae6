"""When a task started and ended: by its worker's events, else as it was seen, else unknown."""

from __future__ import annotations

import pytest

from crawler.contrib.locust.task_record import QUEUE, RUN, SKEW_MAX, TaskRecord


@pytest.fixture
def record() -> TaskRecord:
    """A task that was sent at 100 s, when the clock of this process showed 7 s."""
    return TaskRecord("1", "add", sent=100.0, sent_at=7.0)


def test_events_tell_queueing_and_running_once_each(record):
    record.note_started(100.5)
    assert list(record.new_times(final=False)) == [(QUEUE, pytest.approx(0.5))]
    record.note_finished(102.6, None)
    assert list(record.new_times(final=False)) == [(RUN, pytest.approx(2.1))]
    assert list(record.new_times(final=True)) == []
    assert record.is_complete


def test_the_workers_own_measure_goes_before_the_times_of_events(record):
    record.note_started(100.5)
    record.note_finished(102.6, 2.0)
    assert dict(record.new_times(final=False))[RUN] == 2.0


def test_a_task_that_is_retried_runs_from_its_first_start(record):
    record.note_started(100.5)
    record.note_started(110.0)
    record.note_finished(111.0, 1.0)
    times = dict(record.new_times(final=False))
    assert times == {QUEUE: pytest.approx(0.5), RUN: pytest.approx(10.5)}


def test_without_events_a_start_counts_as_it_was_seen(record):
    record.seen_started, record.ended = 7.25, 8.0
    assert list(record.new_times(final=False)) == []  # an event may follow
    assert dict(record.new_times(final=True)) == {QUEUE: 0.25, RUN: 0.75}


def test_no_time_is_made_up(record):
    record.ended = 8.0
    assert list(record.new_times(final=True)) == []
    assert not record.is_complete


def test_a_worker_whose_clock_is_behind_tells_no_queueing(record):
    record.note_started(100.0 - SKEW_MAX - 1)
    record.note_finished(101.0, 1.5)
    assert dict(record.new_times(final=True)) == {RUN: 1.5}
    assert record.skewed


def test_clocks_that_differ_by_a_trifle_make_no_negative_time(record):
    record.note_started(100.0 - SKEW_MAX / 2)
    assert list(record.new_times(final=False)) == [(QUEUE, 0.0)]
