"""A lease is renewed while a page is worked on, from a thread that is kept; the end of a lost page
is called once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from crawler.run import lease
from crawler.run.lease import LeaseRenewal, lease_renewal
from tests.support.patience import PATIENCE

SOON, LATER = 0.005, 3_600.0


class Renewals:
    """Counts renewals, and says when there are some."""

    def __init__(self, ours: bool = True) -> None:
        self.ours, self.count, self.threads = ours, 0, set[int]()
        self.come = threading.Semaphore(0)

    def __call__(self) -> bool:
        self.count += 1
        self.threads.add(threading.get_ident())
        self.come.release()
        return self.ours

    def wait(self, renewals: int) -> None:
        for _ in range(renewals):
            assert self.come.acquire(timeout=PATIENCE)


@pytest.fixture
def renewal() -> LeaseRenewal:
    return lease_renewal()


@pytest.fixture
def never() -> Iterator[Callable[[], None]]:
    """What must not be called."""
    calls: list[bool] = []
    yield lambda: calls.append(True)
    assert calls == []


def test_it_renews_as_long_as_a_page_is_worked_on(renewal, never):
    first, second = Renewals(), Renewals()
    with renewal.renewing(first, never, SOON):
        first.wait(3)
    before = first.count
    with renewal.renewing(second, never, SOON):
        second.wait(3)
    assert first.count == before


def test_the_first_renewals_come_soon_whatever_the_interval(renewal, never, monkeypatch):
    monkeypatch.setattr(lease, "FIRST", SOON)
    early = Renewals()
    with renewal.renewing(early, never, LATER):
        early.wait(3)


def test_the_next_page_has_the_same_thread(renewal, never):
    pages = [Renewals() for _ in range(3)]
    for renewals in pages:
        with renewal.renewing(renewals, never, SOON):
            renewals.wait(1)
    assert len(set.union(*(renewals.threads for renewals in pages))) == 1


def test_a_page_that_is_due_sooner_is_renewed_sooner(renewal, never):
    with renewal.renewing(Renewals(), never, LATER):
        pass
    renewals = Renewals()
    with renewal.renewing(renewals, never, SOON):
        renewals.wait(2)


def test_what_is_lost_is_ended_once_and_not_asked_for_again(renewal, never):
    lost, ended = Renewals(ours=False), threading.Semaphore(0)
    with renewal.renewing(lost, ended.release, SOON):
        assert ended.acquire(timeout=PATIENCE)
    other = Renewals()
    with renewal.renewing(other, never, SOON):
        other.wait(3)
    assert (lost.count, ended.acquire(blocking=False)) == (1, False)


def test_a_done_page_is_not_lost_after_a_late_answer(renewal, never):
    # Given a beat whose answer takes longer than the page
    asked, answer = threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        answer.wait(PATIENCE)
        return False

    with renewal.renewing(slow, never, SOON):
        assert asked.wait(PATIENCE)
    # When it comes, in the midst of the next page
    renewals = Renewals()
    with renewal.renewing(renewals, never, SOON):
        answer.set()
        # Then that one goes on
        renewals.wait(3)


def test_each_thread_that_does_runs_has_a_renewal_of_its_own(renewal):
    found: list[LeaseRenewal] = []
    other = threading.Thread(target=lambda: found.append(lease_renewal()))
    other.start()
    other.join()
    assert found[0] is not renewal


def test_a_process_that_was_frozen_goes_on_to_renew_its_page(renewal, never, monkeypatch):
    # Given that the time after which an idle thread ends has passed by the first beat, as it has
    # after a long sleep
    monkeypatch.setattr("crawler.run.lease.IDLE", 0.0)
    renewals = Renewals()
    with renewal.renewing(renewals, never, SOON):
        renewals.wait(3)
