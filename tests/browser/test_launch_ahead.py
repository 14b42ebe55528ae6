"""A Chrome that is started before a session asks for it."""

from __future__ import annotations

import multiprocessing

import pytest

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.shared.seats import close_group, open_group, shared_processes
from crawler.browser.pool import Chrome
from crawler.local.processes import birth
from crawler.profile import Profile
from tests.support.ground import until

pytestmark = pytest.mark.browser


@pytest.fixture
def group():
    """This process shares Chromes with those that it forks, as a worker does."""
    open_group()
    yield
    close_group()


def launch_ahead(chrome: Chrome, profile: Profile) -> None:
    """Have another process start a Chrome for ``profile``, and end."""
    process = multiprocessing.get_context("fork").Process(
        target=chrome.launch_ahead, args=[profile]
    )
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.usefixtures("group")
def test_a_session_joins_the_chrome_that_was_launched_ahead(tmp_path):
    with Chrome(Endpoint(state=tmp_path, shared=4)) as chrome:
        launch_ahead(chrome, Profile("shop"))
        ((pid, sessions),) = shared_processes(tmp_path).items()
        assert sessions == 0
        with chrome.session(Profile("shop")):
            assert shared_processes(tmp_path) == {pid: 1}
    assert until(lambda: not birth(pid), "Chrome outlives its last session")


def test_a_chrome_that_nobody_asks_for_ends_with_its_worker(tmp_path):
    open_group()
    chrome = Chrome(Endpoint(state=tmp_path, shared=4))
    launch_ahead(chrome, Profile("shop"))
    (pid,) = shared_processes(tmp_path)
    close_group()
    assert until(lambda: not birth(pid), "Chrome outlives its worker")


def test_none_is_launched_ahead_where_each_session_has_its_own(tmp_path):
    close_group()
    with Chrome(Endpoint(state=tmp_path, shared=4)) as chrome:
        launch_ahead(chrome, Profile("shop"))
    assert list(tmp_path.iterdir()) == []
