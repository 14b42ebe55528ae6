"""Sessions: kept, replaced, lost, shared by no one, and never left behind."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from selenium.common.exceptions import TimeoutException

from crawler.browser import pool
from crawler.browser.browser import Browser
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.local import find_chrome, find_driver, make_folder, sweep
from crawler.browser.chrome.shared.seats import close_group, open_group
from crawler.browser.pool import Chrome
from crawler.browser.transport import devtools
from crawler.errors import BrowserLost, BrowserUnavailable, PageError
from crawler.model import Page
from crawler.profile import Profile
from tests.site.server import Server
from tests.support.chromedriver import running_driver
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

TESTS = Profile("tests")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A folder for Chromes. In the end nothing is in it, and no process uses it."""
    folder = tmp_path / "state"
    yield folder
    assert not folder.exists() or list(folder.iterdir()) == []
    assert users(folder) == []


@pytest.fixture(params=[1, 4], ids=["own", "shared"])
def shared(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many sessions are in a Chrome. Whoever has one need not know."""
    if request.param > 1:
        open_group()  # as a worker does
    yield request.param
    close_group()


@pytest.fixture
def local(state: Path, shared: int) -> Callable[..., Endpoint]:
    """Return Chromes of this machine, with other limits where a test says so."""
    return partial(Endpoint, state=state, shared=shared)


@pytest.fixture
def chrome(local: Callable[..., Endpoint]) -> Iterator[Chrome]:
    with Chrome(local(page_load_timeout=10, script_timeout=5)) as chrome:
        yield chrome


def users(folder: Path) -> list[psutil.Process]:
    """Return the living processes of the Chromes in ``folder``; dying ones have a moment to do
    so.
    """
    end = time.monotonic() + PATIENCE
    while (
        found := [process for process in psutil.process_iter() if str(folder) in words(process)]
    ) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def words(process: psutil.Process) -> str:
    try:
        return (
            " ".join([*process.cmdline(), *process.environ().values()])
            if "chrom" in process.name()
            else ""
        )
    except psutil.Error:
        return ""


def get(browser: Browser, site: Server, path: str = "/ok") -> str:
    return browser.request(Page(site.url(path))).title


def session_of(chrome: Chrome, profile: Profile = TESTS) -> str:
    with chrome.session(profile) as browser:
        return browser.session_id


def chromes_of(browser: Browser, chrome: Chrome) -> list[psutil.Process]:
    """Return the browser processes (no renderers and the like) of a local session."""
    (session,) = (session for session in chrome._sessions if session.browser is browser)
    return [
        one
        for one in session.local.processes()
        if "chrom" in words(one) and "--type=" not in words(one)
    ]


# Kept


def test_nothing_is_started_before_it_is_needed_and_closing_may_be_repeated(state):
    chrome = Chrome(Endpoint(state=state))
    chrome.close()
    assert not chrome.warm
    assert not state.exists()
    session_of(chrome)
    assert chrome.warm
    chrome.close()
    chrome.close()
    assert not chrome.warm


def test_a_session_serves_page_after_page(chrome, site):
    sessions = {session_of(chrome) for _ in range(3)}
    with chrome.session(TESTS) as browser:
        assert [get(browser, site, path) for path in ("/a", "/b", "/a")] == ["A", "B", "A"]
    assert sessions == {browser.session_id}


def test_after_close_a_new_session_can_be_had(chrome, site):
    first = session_of(chrome)
    chrome.close()
    with chrome.session(TESTS) as browser:
        assert get(browser, site) == "OK"
        assert browser.session_id != first


def test_another_profile_gets_another_session_without_the_cookies_of_the_first(chrome, site):
    with chrome.session(Profile("one")) as browser:
        get(browser, site, "/login")
    with chrome.session(Profile("two")) as browser:
        assert text_of(browser, site, "/me") == ["nobody", "none"]


def test_a_profile_chooses_agent_language_and_window(chrome, site):
    with chrome.session(
        Profile("me", user_agent="Spider/1", language="fr-CH,fr", window=(800, 500))
    ) as browser:
        page = Page(site.url("/agent"))
        live = browser.live(page, browser.request(page))
        assert live.text("h1") == "Spider/1"
        assert live.text("h2").startswith("fr-CH,fr")
        assert live.evaluate("[outerWidth, outerHeight]") == [800, 500]


def test_eager_does_not_wait_for_images(chrome, site):
    with chrome.session(Profile("eager", load_strategy="eager")) as browser:
        response = browser.request(Page(site.url("/slow-image")))
        assert (response.title, len(response.links)) == ("Slow image", 1)
        assert response.timing["total"] < 5_000


def test_pages_without_images_do_not_wait_for_them(chrome, site):
    with chrome.session(Profile("plain", images=False)) as browser:
        assert browser.request(Page(site.url("/slow-image"))).timing["total"] < 5_000


def test_each_thread_has_a_session_of_its_own(chrome, site):
    seen = []

    def work() -> None:
        with chrome.session(TESTS) as browser:
            seen.append((browser.session_id, get(browser, site)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [title for _, title in seen] == ["OK", "OK"]
    assert len({session for session, _ in seen} | {session_of(chrome)}) == 3


def test_a_forked_process_does_not_touch_the_session_of_its_parent(chrome, site):
    mine = session_of(chrome)

    def work(answers) -> None:
        assert not chrome.warm
        with chrome.session(TESTS) as browser:
            answers.send((browser.session_id, get(browser, site)))
        chrome.close()

    here, there = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(target=work, args=(there,))
    child.start()
    session, title = here.recv()
    child.join()
    assert (title, session != mine) == ("OK", True)
    with chrome.session(TESTS) as browser:
        assert (browser.session_id, get(browser, site)) == (mine, "OK")


def test_four_processes_may_start_at_once(local, site):
    def work(answers) -> None:
        with Chrome(local()) as chrome, chrome.session(TESTS) as browser:
            answers.send(get(browser, site))

    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    children = [fork.Process(target=work, args=(there,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(PATIENCE)
    assert [child.exitcode for child in children] == [0] * 4
    assert [here.recv() for _ in children] == ["OK"] * 4


def test_a_session_that_rests_shows_no_page(chrome, site):
    with chrome.session(TESTS) as browser:
        get(browser, site)
    session_of(chrome)  # a run that found nothing to do
    assert browser.driver.current_url == "about:blank"
    with chrome.session(TESTS) as browser:
        with pytest.raises(PageError, match="no_content"):
            get(browser, site, "/204")
        assert get(browser, site) == "OK"


# Replaced


@pytest.mark.parametrize(("endpoint", "profile"), [(2, None), (500, 2), (2, 100)])
def test_a_session_is_replaced_after_the_pages_of_its_endpoint_or_crawl(
    local, site, endpoint, profile
):
    with Chrome(local(recycle_pages=endpoint)) as chrome:
        seen = []
        for _ in range(4):
            with chrome.session(Profile("tests", pages=profile)) as browser:
                get(browser, site)
                seen.append(browser.session_id)
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_a_session_is_replaced_when_it_is_old(local):
    with Chrome(local(recycle_age=0.2)) as chrome:
        first = session_of(chrome)
        time.sleep(0.3)
        assert session_of(chrome) != first


def test_a_session_is_replaced_when_it_has_grown(local, site):
    with Chrome(local(recycle_memory=1 << 20)) as chrome:
        first = session_of(chrome)
        with chrome.session(TESTS) as browser:
            for _ in range(10):
                get(browser, site)
        assert session_of(chrome) != first


def test_a_session_in_doubt_is_replaced(chrome):
    with chrome.session(TESTS) as browser:
        first = browser.session_id
        browser.health.distrust("a hook says so")
    assert session_of(chrome) != first


def test_an_error_of_a_hook_is_no_reason_to_replace_a_session(chrome):
    with pytest.raises(ZeroDivisionError), chrome.session(TESTS) as browser:
        1 / 0  # noqa: B018
    assert session_of(chrome) == browser.session_id


def test_a_session_in_which_a_hooks_script_never_ended_is_replaced(local, site):
    with Chrome(local(script_timeout=1, command_timeout=3)) as chrome:
        with lost(chrome, site, hung=True) as browser:
            browser.driver.execute_script("while (true);")
        with pytest.raises(TimeoutException), chrome.session(TESTS) as browser:
            browser.driver.execute_script("return new Promise(() => {})")
        with chrome.session(TESTS) as other:
            assert other.session_id != browser.session_id
            assert get(other, site) == "OK"


def test_a_session_interrupted_in_the_midst_of_a_command_is_replaced(chrome, site):
    class SoftLimitError(Exception):
        pass

    def raise_(*_: object) -> None:
        raise SoftLimitError

    first = session_of(chrome)
    before = signal.signal(signal.SIGALRM, raise_)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(SoftLimitError), chrome.session(TESTS) as browser:
            get(browser, site, "/silence")
    finally:
        signal.signal(signal.SIGALRM, before)
    with chrome.session(TESTS) as browser:
        assert browser.session_id != first
        assert get(browser, site) == "OK"


# Lost


@contextmanager
def lost(chrome: Chrome, site: Server, hung: bool) -> Iterator[Browser]:
    """Expect that this block loses the session; the next one is another, and works."""
    with pytest.raises(BrowserLost) as caught, chrome.session(TESTS) as browser:  # noqa: PT012
        get(browser, site)
        yield browser
    assert caught.value.hung is hung
    with chrome.session(TESTS) as other:
        assert other.session_id != browser.session_id
        assert get(other, site) == "OK"


def test_a_tab_that_crashes_is_lost(chrome, site):
    with lost(chrome, site, hung=False) as browser:
        browser.driver.get("chrome://crash")


def test_a_hook_that_meets_a_dead_session_gets_the_same_error(chrome, site):
    with lost(chrome, site, hung=False) as browser:
        page = Page(site.url("/book"))
        live = browser.live(page, browser.request(page))
        for process in chromes_of(browser, chrome):
            process.kill()
        live.text("h1")


def test_a_chrome_that_was_killed_is_lost(chrome, site):
    with lost(chrome, site, hung=False) as browser:
        for process in chromes_of(browser, chrome):
            process.kill()
        get(browser, site)


def test_a_driver_that_was_killed_is_lost(chrome, site):
    with lost(chrome, site, hung=False) as browser:
        (session,) = chrome._sessions
        assert browser.driver.title == "OK"  # where there was none, it is started for that
        session.local.process.kill()
        get(browser, site)  # it comes all the same where others have the Chrome as well
        assert browser.driver.title


def test_an_idle_session_that_died_costs_no_page(chrome, site, monkeypatch):
    monkeypatch.setattr("crawler.browser.pool.PROBE_AFTER", 0.0)
    with chrome.session(TESTS) as browser:
        processes = chromes_of(browser, chrome)
    for process in processes:
        process.kill()
    with chrome.session(TESTS) as browser:
        assert get(browser, site) == "OK"


@pytest.mark.parametrize("path", ["/endless", "/endless-late"])
def test_a_page_that_never_ends_its_script_is_lost_within_bounds(local, site, path):
    with Chrome(local(page_load_timeout=1.5, script_timeout=1.5, command_timeout=3)) as chrome:
        began = time.monotonic()
        with lost(chrome, site, hung=True) as browser:
            get(browser, site, path)
        assert time.monotonic() - began < PATIENCE


def test_a_page_that_asks_for_ever_is_given_up_within_bounds(local, site):
    with Chrome(local(page_load_timeout=2, script_timeout=2)) as chrome:
        began = time.monotonic()
        with pytest.raises((BrowserLost, PageError)), chrome.session(TESTS) as browser:
            get(browser, site, "/alert-loop")
        assert time.monotonic() - began < PATIENCE
        with chrome.session(TESTS) as other:
            assert other.session_id != browser.session_id
            assert get(other, site) == "OK"


def test_a_page_that_closes_its_window_does_not_harm_the_next(chrome, site):
    with chrome.session(TESTS) as browser:
        try:
            assert get(browser, site, "/closes") == "Closes"
        except BrowserLost as error:
            assert not error.hung  # noqa: PT017
    with chrome.session(TESTS) as browser:
        assert get(browser, site) == "OK"


def test_a_session_can_be_abandoned_from_another_thread(chrome, site):
    began = time.monotonic()
    with lost(chrome, site, hung=False) as browser:
        threading.Timer(0.5, browser.abandon).start()
        get(browser, site, "/silence")
    assert time.monotonic() - began < PATIENCE


def test_a_remote_session_can_be_abandoned_from_another_thread(remote, site):
    with Chrome(Endpoint(url=remote, flags=("--no-sandbox",), page_load_timeout=2)) as chrome:
        began = time.monotonic()
        with lost(chrome, site, hung=False) as browser:
            threading.Timer(0.5, browser.abandon).start()
            get(browser, site, "/silence")
        assert time.monotonic() - began < PATIENCE


# Unavailable


def test_without_anything_to_start_the_error_says_so(state):
    with Chrome(Endpoint(state=state, driver="/nowhere/chromedriver")) as chrome:
        with pytest.raises(BrowserUnavailable, match="does not start"):
            session_of(chrome)
        assert not chrome.warm


@pytest.mark.parametrize("words", ["", "it lacks a library"])
def test_a_chrome_that_ends_at_once_is_unavailable_within_seconds(local, tmp_path, words):
    began = time.monotonic()
    with (
        Chrome(local(binary=program(tmp_path, f"echo '{words}' >&2"))) as chrome,
        pytest.raises(BrowserUnavailable, match=f"chrome does not start.*{words}"),
    ):
        session_of(chrome)
    assert time.monotonic() - began < PATIENCE


def test_a_chrome_without_a_working_sandbox_runs_without_and_says_so_once(
    local, tmp_path, caplog, monkeypatch
):
    # Given a Chrome that ends as it does where the kernel lets nobody make a sandbox, and a user
    # who is not root
    binary = program(
        tmp_path,
        f"""
        case " $* " in *" --no-sandbox "*) exec {find_chrome()} "$@";; esac
        echo "[FATAL:zygote_host_impl_linux.cc(127)] No usable sandbox!" >&2
        exit 1
        """,
    )
    monkeypatch.setattr("crawler.browser.chrome.launch._unsandboxed", threading.Event())
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    # When sessions are asked for, then they work, and there is one warning
    for _ in range(2):
        with Chrome(local(binary=binary)) as chrome:
            session_of(chrome)
    assert [record.message for record in caplog.records if "without its sandbox" in record.message][
        1:
    ] == []
    assert "without its sandbox: Chrome cannot use it" in caplog.text


def program(folder: Path, script: str) -> str:
    """Write a program in the place of Chrome; return its path."""
    path = folder / "chrome"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_driver_that_ends_at_once_is_unavailable(state):
    with (
        Chrome(Endpoint(state=state, driver="/bin/false")) as chrome,
        pytest.raises(BrowserUnavailable, match="does not start"),
    ):
        session_of(chrome)


def test_an_endpoint_that_is_not_there_is_unavailable_and_keeps_its_password():
    with (
        Chrome(Endpoint(url="http://me:canary@127.0.0.1:8", session_timeout=2)) as chrome,
        pytest.raises(
            BrowserUnavailable, match=r"http://127\.0\.0\.1:8 cannot be reached"
        ) as caught,
    ):
        session_of(chrome)
    assert "canary" not in repr(caught.value)


def test_an_endpoint_that_is_silent_is_unavailable_in_time(site):
    began = time.monotonic()
    with (
        Chrome(Endpoint(url=site.url("/silence"), session_timeout=1)) as chrome,
        pytest.raises(BrowserUnavailable),
    ):
        session_of(chrome)
    assert time.monotonic() - began < PATIENCE


# Elsewhere


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a ChromeDriver that is not ours to end."""
    with running_driver(tmp_path_factory.mktemp("r")) as address:
        yield address


def test_a_remote_driver_serves_as_a_local_one_does(remote, site):
    with Chrome(Endpoint(url=remote, flags=("--no-sandbox",), page_load_timeout=10)) as chrome:
        with chrome.session(TESTS) as browser:
            assert get(browser, site) == "OK"
            for path, reason in (
                ("/204", "no_content"),
                ("/download", "download"),
                ("/loop", "redirect_loop"),
                ("/404-empty", "http_404"),
            ):
                with pytest.raises(PageError, match=reason):
                    get(browser, site, path)
            assert get(browser, site) == "OK"
        with lost(chrome, site, hung=False) as browser:
            browser.driver.get("chrome://crash")
    with (
        Chrome(Endpoint(url=remote, binary=find_chrome(), flags=("--no-sandbox",))) as chrome,
        chrome.session(TESTS) as browser,
    ):
        assert get(browser, site) == "OK"
        assert get(browser, site, "/popup") == "Popup"


@pytest.mark.parametrize(("where", "pages"), [("here", 10), ("elsewhere", 20)])
def test_pages_with_much_script_leave_no_memory_behind(where, pages, remote, local, site):
    endpoint = (
        local()
        if where == "here"
        else Endpoint(url=remote, binary=find_chrome(), flags=("--no-sandbox",))
    )
    with Chrome(endpoint) as chrome:
        for _ in range(pages):
            with chrome.session(TESTS) as browser:
                get(browser, site, "/many-objects")
        with chrome.session(TESTS) as browser:
            used = browser.driver.cdp("Runtime.getHeapUsage")["usedSize"]
    assert used < 30_000_000  # those of two pages


def test_a_script_that_never_ends_when_memory_is_collected_harms_no_page(chrome, site, monkeypatch):
    monkeypatch.setattr(pool, "COLLECT_PAGES", 1)
    monkeypatch.setattr(devtools, "IDLE_TIMEOUT", 0.5)
    with chrome.session(TESTS) as browser:
        get(browser, site)
        before = site.hits["/b"]
        browser.driver.execute_script(
            "fetch('/app-read').then(() => {"
            " const last = new XMLHttpRequest(); last.open('GET', '/b', false); last.send();"
            " for (;;); })"
        )
        site.read.set()  # only now: the script that begins it has returned
        end = time.monotonic() + PATIENCE
        while site.hits["/b"] == before and time.monotonic() < end:
            time.sleep(0.01)
    site.read.clear()
    with chrome.session(TESTS) as again:
        assert get(again, site) == "OK"
    assert again.session_id != browser.session_id


def test_a_remote_session_that_was_ended_is_lost(remote, site):
    with (
        Chrome(Endpoint(url=remote, flags=("--no-sandbox",))) as chrome,
        lost(chrome, site, hung=False) as browser,
    ):
        browser.driver.delete()
        get(browser, site)


# Left behind


OWNER = """
import sys, time
from pathlib import Path
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser import pool
from crawler.browser.pool import Chrome
from crawler.browser.transport import devtools
from crawler.profile import Profile
chrome = Chrome(Endpoint(state=Path(sys.argv[1]), devtools=sys.argv[2]))
with chrome.session(Profile("x")) as browser:
    print(browser.session_id, flush=True)
    time.sleep(60)
"""


def owner(state: Path, devtools: str = "local") -> subprocess.Popen[str]:
    """Start a process that has a Chrome in ``state``."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(state), devtools], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip()
    return process


@pytest.mark.parametrize(("deep", "devtools"), [(False, "local"), (True, "local"), (False, "none")])
def test_nothing_remains_of_an_owner_that_was_killed(tmp_path, deep, devtools):
    # Given two owners, each with a Chrome
    state = tmp_path / ("a-folder-with-a-long-name-" * 4 if deep else "s")
    one, other = owner(state, devtools), owner(state, devtools)
    folders = list(state.iterdir())
    assert len(folders) == 2
    assert sweep(state) == 0
    # When one is killed
    one.kill()
    one.wait()
    # Then its Chrome ends by itself, and a sweep removes what it wrote; the other goes on
    gone = next(folder for folder in folders if f"-{one.pid}-" in folder.name)
    assert users(gone.resolve()) == []
    target = gone.resolve()
    assert sweep(state) == 1
    assert not target.exists()
    assert [folder.name.split("-")[1] for folder in state.iterdir()] == [str(other.pid)]
    assert psutil.Process(other.pid).children(recursive=True)
    other.kill()
    other.wait()
    assert sweep(state) == 1
    assert list(state.iterdir()) == []


def test_a_sweep_kills_drivers_and_chromes_that_outlived_their_owner(tmp_path):
    # Given a Chrome that does not die with its owner: the folder says that its owner is a process
    # that is no more
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = tmp_path / f"chrome-{ended.pid}-1-00000000@{os.uname().nodename}"
    folder.mkdir()
    driver = subprocess.Popen(
        [find_driver(), "--port=0"], cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
    )
    # When the folder is swept, then the process is killed, and the folder is gone
    assert sweep(tmp_path) == 1
    assert driver.poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_finds_temporary_folders_whose_state_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import pathlib, sys, tempfile; tempfile.tempdir = sys.argv[1];"
        "from crawler.browser.chrome.local import make_folder;"
        "print(make_folder(pathlib.Path(sys.argv[1]) / ('x' * 60)).resolve())"
    )
    gone = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    mine = make_folder(tmp_path / ("y" * 60)).resolve()
    folder = Path(gone.stdout.strip())
    assert folder.is_dir()
    sweep(tmp_path / "other")
    assert (folder.exists(), mine.exists()) == (False, True)


def test_a_sweep_is_not_fooled_by_reused_pids_or_folders_of_others(tmp_path):
    host = os.uname().nodename
    recycled = tmp_path / f"chrome-{os.getpid()}-1-00000000@{host}"
    foreign = tmp_path / "chrome-1-1-00000000@elsewhere"
    unknown = tmp_path / "chrome-of-mine@home"
    for folder in (recycled, foreign, unknown):
        folder.mkdir()
    assert sweep(tmp_path) == 1
    assert sorted(tmp_path.iterdir()) == sorted([foreign, unknown])
    os.utime(foreign, (0, 0))
    assert sweep(tmp_path) == 1
    assert sweep(tmp_path / "nowhere") == 0


def test_that_the_sandbox_is_off_is_said_once(state, caplog, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root runs without the sandbox for sure")
    monkeypatch.setattr("crawler.browser.chrome.launch._unsandboxed", threading.Event())
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with Chrome(Endpoint(state=state)) as chrome:
                session_of(chrome)
    assert [record.message for record in caplog.records if "sandbox" in record.message][1:] == []


# Logged in


def text_of(browser: Browser, site: Server, path: str, host: str = "127.0.0.1") -> list[str | None]:
    page = Page(site.url(path, host=host))
    live = browser.live(page, browser.request(page))
    return [live.text("h1"), live.text("#token")]


def test_a_login_is_kept_and_loaded_into_another_session_once(chrome, site):
    # Given a session that has logged in
    with chrome.session(TESTS) as browser:
        get(browser, site, "/login")
        login = browser.login.keep()
        assert text_of(browser, site, "/me") == ["session=abc; seen=1", "secret"]
    chrome.close()
    # When it is loaded into another
    with chrome.session(TESTS) as browser:
        assert text_of(browser, site, "/me", host="localhost") == ["nobody", "none"]
        browser.login.load(login, 1)
        # Then that one is logged in, from its first page on, there and nowhere else
        assert text_of(browser, site, "/me") == ["session=abc; seen=1", "secret"]
        assert text_of(browser, site, "/me", host="localhost") == ["nobody", "none"]
        # And what the site makes of it later stands
        get(browser, site, "/logout")
        assert text_of(browser, site, "/me")[1] == "none"


def test_a_cookie_that_cannot_be_set_does_not_keep_out_the_others(chrome, site, caplog):
    with chrome.session(TESTS) as browser:
        get(browser, site, "/login")
        login = browser.login.keep()
    chrome.close()
    bad = {**login["cookies"][0], "name": "__Host-bad", "value": "canary", "secure": False}
    with chrome.session(TESTS) as browser:
        browser.login.load({"cookies": [bad, *login["cookies"]]}, 1)
        assert text_of(browser, site, "/me")[0] == "session=abc; seen=1"
    assert "canary" not in caplog.text


def test_a_login_is_json_and_survives_a_session_that_shows_nothing(chrome):
    import json

    with chrome.session(TESTS) as browser:
        login = browser.login.keep()
        assert json.loads(json.dumps(login)) == {"cookies": [], "storage": {}}
        browser.login.load(login, 1)
        browser.login.load({}, 1)
