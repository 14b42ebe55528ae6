"""A heart beats while a page is worked on, from a thread that is kept; what it finds lost is ended
once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from crawler.run.lease import LeaseRenewal, lease_renewal

#: Seconds that an event may take to come.
PATIENCE = 10.0
SOON, LATER = 0.005, 3_600.0


class Beats:
    """Counts beats, and says when there are some."""

    def __init__(self, ours: bool = True) -> None:
        self.ours, self.count, self.threads = ours, 0, set[int]()
        self.come = threading.Semaphore(0)

    def __call__(self) -> bool:
        self.count += 1
        self.threads.add(threading.get_ident())
        self.come.release()
        return self.ours

    def wait(self, beats: int) -> None:
        for _ in range(beats):
            assert self.come.acquire(timeout=PATIENCE)


@pytest.fixture
def heart() -> LeaseRenewal:
    return lease_renewal()


@pytest.fixture
def never() -> Iterator[Callable[[], None]]:
    """What must not be called."""
    calls: list[bool] = []
    yield lambda: calls.append(True)
    assert calls == []


def test_it_beats_as_long_as_a_page_is_worked_on(heart, never):
    first, second = Beats(), Beats()
    with heart.beating(first, never, SOON):
        first.wait(3)
    before = first.count
    with heart.beating(second, never, SOON):
        second.wait(3)
    assert first.count == before


def test_the_next_page_has_the_same_thread(heart, never):
    pages = [Beats() for _ in range(3)]
    for beats in pages:
        with heart.beating(beats, never, SOON):
            beats.wait(1)
    assert len(set.union(*(beats.threads for beats in pages))) == 1


def test_a_page_that_is_due_sooner_need_not_wait_for_the_one_before(heart, never):
    with heart.beating(Beats(), never, LATER):
        pass
    beats = Beats()
    with heart.beating(beats, never, SOON):
        beats.wait(2)


def test_what_is_lost_is_ended_once_and_not_asked_for_again(heart, never):
    lost, ended = Beats(ours=False), threading.Semaphore(0)
    with heart.beating(lost, ended.release, SOON):
        assert ended.acquire(timeout=PATIENCE)
    other = Beats()
    with heart.beating(other, never, SOON):
        other.wait(3)
    assert (lost.count, ended.acquire(blocking=False)) == (1, False)


def test_a_page_that_is_done_is_not_lost_however_late_the_answer_is(heart, never):
    # Given a beat whose answer takes longer than the page
    asked, answer = threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        answer.wait(PATIENCE)
        return False

    with heart.beating(slow, never, SOON):
        assert asked.wait(PATIENCE)
    # When it comes, in the midst of the next page
    beats = Beats()
    with heart.beating(beats, never, SOON):
        answer.set()
        # Then that one goes on
        beats.wait(3)


def test_each_thread_that_does_runs_has_a_heart_of_its_own(heart):
    found: list[LeaseRenewal] = []
    other = threading.Thread(target=lambda: found.append(lease_renewal()))
    other.start()
    other.join()
    assert found[0] is not heart


def test_a_process_that_was_frozen_for_long_goes_on_to_renew_its_page(heart, never, monkeypatch):
    # Given that the time after which an idle thread ends has passed by the first beat, as it has
    # after a long sleep
    monkeypatch.setattr("crawler.run.lease.IDLE", 0.0)
    beats = Beats()
    with heart.beating(beats, never, SOON):
        beats.wait(3)
