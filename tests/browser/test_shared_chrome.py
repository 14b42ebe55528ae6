"""One Chrome for several sessions: what they have in common, and what they do not."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from crawler.browser.browser import Browser
from crawler.browser.chrome.chrome_memory import browser_memory
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.local import sweep
from crawler.browser.chrome.shared.seats import (
    close_group,
    new_folder,
    open_group,
    shared_processes,
    sweep_group,
)
from crawler.browser.pool import Chrome
from crawler.errors import BrowserError, BrowserLost, BrowserUnavailable, PageError
from crawler.local.processes import birth
from crawler.model import Page
from crawler.profile import Profile
from tests.site.proxies import ProxyServer
from tests.site.server import Request, Server, route
from tests.support.ground import until
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser


in_a_group = pytest.mark.usefixtures("group")


@pytest.fixture
def group() -> Iterator[None]:
    """This process shares Chromes, as a worker does."""
    open_group()
    yield
    close_group()


class Lent:
    """A session of ``chrome``, lent to a thread of its own, which does what it is told."""

    def __init__(self, chrome: Chrome, profile: Profile) -> None:
        self._chrome, self._profile = chrome, profile
        self._over, self._there = threading.Event(), threading.Event()
        self.browser: Browser
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._there.wait(PATIENCE)

    def _hold(self) -> None:
        with self._chrome.session(self._profile) as self.browser:
            self._there.set()
            self._over.wait(PATIENCE)

    def end(self) -> None:
        self._over.set()
        self._thread.join(PATIENCE)


def endpoint(folder: Path) -> Endpoint:
    return Endpoint(
        state=folder / "state",
        files=folder / "files",
        shared=8,
        script_timeout=2,
        page_load_timeout=20,
    )


def processes_of(chrome: int) -> list[psutil.Process]:
    """The processes of the Chrome."""
    whole = psutil.Process(chrome)
    return [whole, *whole.children(recursive=True)]


def renderers(chrome: int) -> int:
    """How many renderers the Chrome has."""
    found = 0
    for process in processes_of(chrome):
        with contextlib.suppress(psutil.Error):
            found += "--type=renderer" in process.cmdline()
    return found


@route("/kept.css")
def kept(request: Request) -> None:
    request.answer(b"", Content_Type="text/css", Cache_Control="max-age=60")


@route("/stored")
def stored(request: Request) -> None:
    request.html("<script>document.title = `${localStorage.a} ${sessionStorage.tab}`</script>")


@route("/with-style")
def with_style(request: Request) -> None:
    request.html("<link rel=stylesheet href=/kept.css><h1>Styled</h1>")


@in_a_group
def test_sessions_share_a_chrome_and_nothing_that_pages_leave_in_it(site: Server, tmp_path: Path):
    # Given a member of a site, a stranger, who may be found, and one behind a proxy
    with ProxyServer("socks5") as proxy, Chrome(endpoint(tmp_path)) as chrome:
        way = f"--proxy-server={proxy.url()}", "--proxy-bypass-list=<-loopback>"
        profiles = (
            Profile("shop"),
            Profile("shop", geolocation=(1, 2, 3), watch=True),
            Profile("shop", flags=way),
        )
        lent = [Lent(chrome, profile) for profile in profiles]
        member, stranger, far = (one.browser for one in lent)
        hits = site.hits["/kept.css"]
        # When each goes to the same site, and the first leaves there what it can
        member.request(Page(site.url("/login")))
        for browser in (member, stranger, far, member):
            browser.request(Page(site.url("/with-style")))
        member.evaluate("localStorage.setItem('a', 'b')")
        member.evaluate("caches.open('mine').then(() => 1)")
        # Then they are in one Chrome, with a renderer each, and no ChromeDriver was started
        (pid,) = shared_processes(tmp_path / "state")
        assert shared_processes(tmp_path / "state") == {pid: 3}
        assert renderers(pid) >= 3
        # whose memory counts once, whoever has started it
        memory = browser_memory(os.getpid(), shared_processes(tmp_path / "state"))
        whole = sum(one.memory_full_info().pss for one in processes_of(pid))
        assert sum(memory.values()) == pytest.approx(whole, rel=0.5)
        # and none sees what another one left: cache, storage, permissions, cookies
        assert site.hits["/kept.css"] == hits + 3
        assert [one.evaluate("localStorage.getItem('a')") for one in (member, stranger)] == [
            "b",
            None,
        ]
        assert stranger.evaluate("caches.keys()") == []
        asks = "navigator.permissions.query({name: 'geolocation'}).then((answer) => answer.state)"
        assert stranger.evaluate(asks) == "granted" != member.evaluate(asks)
        shown = [
            one.request(Page(site.url("/me"))) and one.text("h1") for one in (member, stranger)
        ]
        assert "session=abc" in str(shown[0])
        assert shown[1] == "nobody"
        assert proxy.asked
        # unless it is the log-in, which is loaded into another one before its page's scripts run
        stored = {site.url(""): {"local": {"a": "c"}, "session": {"tab": "one"}}}
        cookies = member.driver.cdp("Network.getAllCookies")["cookies"]
        stranger.login.load({"cookies": cookies, "storage": stored}, 1)
        assert "session=abc" in str(stranger.request(Page(site.url("/me"))) and stranger.text("h1"))
        assert stranger.request(Page(site.url("/stored"))).title == "c one"
        assert stranger.evaluate(f"'{stranger.options.watch}' in window")
        # nor its windows
        member.driver.switch_to.new_window("tab")
        assert [len(one.driver.window_handles) for one in (member, stranger)] == [2, 1]
        # When the first hangs in a script without an end
        hung = threading.Thread(target=hang, args=(member, site.url("/ok")))
        hung.start()
        # Then the others go on, and its renderer ends with it
        assert stranger.request(Page(site.url("/ok"))).title == "OK"
        hung.join(PATIENCE)
        lent[0].end()
        until(lambda: renderers(pid) < 3)
        assert stranger.request(Page(site.url("/ok"))).title == "OK"
        lent[1].end()
        lent[2].end()
    # and the last one took the Chrome along
    assert birth(pid) is None
    assert not list((tmp_path / "state").glob("chrome-*"))


#: What a site may keep in a browser, and how its tabs speak to each other.
KEEP = """
await new Promise((kept, failed) => {
    const open = indexedDB.open("mine");
    open.onerror = failed;
    open.onsuccess = kept;
});
await navigator.serviceWorker.register("/service.js");
await navigator.serviceWorker.ready;
window.heard = [];
new BroadcastChannel("shop").onmessage = (event) => heard.push(event.data);
const worker = new SharedWorker("/counter.js");
return await new Promise((answered) => {
    worker.port.onmessage = (event) => answered(event.data);
});
"""
#: The databases and service workers of a site, and how many tabs its shared worker has met.
KEPT = """
const names = (await indexedDB.databases()).map((one) => one.name);
const workers = (await navigator.serviceWorker.getRegistrations()).length;
new BroadcastChannel("shop").postMessage("here I am");
const worker = new SharedWorker("/counter.js");
const met = await new Promise((answered) => {
    worker.port.onmessage = (event) => answered(event.data);
});
return [names, workers, met];
"""


@route("/service.js")
def service(request: Request) -> None:
    request.answer(b"onfetch = () => {};", Content_Type="text/javascript")


@route("/counter.js")
def counter(request: Request) -> None:
    text = b"let met = 0; onconnect = (event) => event.ports[0].postMessage(++met);"
    request.answer(text, Content_Type="text/javascript")


def run(browser: Browser, script: str) -> object:
    """Return what an asynchronous script gives in the page of ``browser``."""
    return browser.evaluate(f"(async () => {{ {script} }})()")


@in_a_group
def test_what_tabs_of_a_site_share_stays_in_its_session(site: Server, tmp_path: Path):
    # Given two sessions in one Chrome, one of which knows the password of a site
    with Chrome(endpoint(tmp_path)) as chrome:
        lent = [
            Lent(chrome, Profile("members", basic_auth=(("127.0.0.1", password),)))
            for password in ("me:s3c:ret", "me:wrong")
        ]
        member, stranger = (one.browser for one in lent)
        assert list(shared_processes(tmp_path / "state").values()) == [2]
        # When it goes in, then the other one does not
        assert member.request(Page(site.url("/private/a"))).title == "In"
        with pytest.raises(PageError, match="auth_required"):
            stranger.request(Page(site.url("/private/a")))
        # When its page keeps what it can, then the other one finds nothing, nor do they hear each
        # other
        for browser in (member, stranger):
            browser.request(Page(site.url("/ok")))
        assert run(member, KEEP) == 1
        assert run(member, KEPT) == [["mine"], 1, 2]
        until(lambda: member.evaluate("heard.length"))
        assert run(stranger, KEPT) == [[], 0, 1]
        assert run(member, "return heard") == ["here I am"]
        for one in lent:
            one.end()


@in_a_group
def test_downloads_and_captures_of_sessions_in_one_chrome_are_apart(site: Server, tmp_path: Path):
    with Chrome(endpoint(tmp_path)) as chrome:
        lent = [
            Lent(chrome, Profile("files", downloads=True, captures=captures))
            for captures in (True, False)
        ]
        files = [
            one.browser.request(Page(site.url(f"/download?{number}"))).files
            for number, one in enumerate(lent)
        ]
        assert [len(one) for one in files] == [1, 1]
        assert list(shared_processes(tmp_path / "state").values()) == [2]
        # What a page loads is captured with its body, where that is asked for
        for one in lent:
            one.browser.request(Page(site.url("/shelf")))
        responses = lent[0].browser.responses
        assert responses
        responses.patterns, responses.body_limit, responses.limit = ("*/api/books*",), 4_000, 4_000
        until(lambda: responses.here(responses.patterns))
        assert [one.json()["price"] for one in responses.captured()] == ["£9"]
        for one in lent:
            one.end()


@in_a_group
def test_a_page_goes_apart_once_its_shared_chrome_has_died(site: Server, tmp_path: Path):
    page = Page(site.url("/ok"))
    with Chrome(endpoint(tmp_path)) as chrome:
        other = Lent(chrome, Profile("shop"))
        with chrome.session(Profile("shop")) as browser:
            browser.request(page)
            (pid,) = shared_processes(tmp_path / "state")
            # When the Chrome of both is killed, no page is to blame
            os.kill(pid, signal.SIGKILL)
            for one in (browser, other.browser):
                with pytest.raises(BrowserLost) as lost:
                    one.request(page)
                assert lost.value.shared
        # Then the next run has a new one, of which a page that was in flight makes no use
        with chrome.session(Profile("shop")) as browser:
            (new,) = shared_processes(tmp_path / "state")
            assert new != pid
            own = chrome.apart()
            assert own.request(page).title == "OK"
            assert shared_processes(tmp_path / "state") == {}
            # so that it is to blame for what happens to that
            psutil.Process(own.driver.capabilities["goog:processID"]).kill()
            with pytest.raises(BrowserLost) as lost:
                own.request(page)
            assert not lost.value.shared
        other.end()
        with chrome.session(Profile("shop")) as browser:
            assert browser.request(page).title == "OK"
            assert len(shared_processes(tmp_path / "state")) == 1
    # and no process is left, as a zombie either
    assert not any(map(psutil.pid_exists, (pid, new)))


@in_a_group
def test_a_hook_without_a_driver_has_no_browser(site: Server, tmp_path: Path):
    page = Page(site.url("/ok"))
    with Chrome(replace(endpoint(tmp_path), driver="/bin/false")) as chrome:
        for _ in range(2):
            with chrome.session(Profile("shop")) as browser:
                assert browser.request(page).title == "OK"
                # The page is not to blame: no other one would have fared better
                with pytest.raises(BrowserUnavailable, match="/bin/false does not start"):
                    browser.driver.get(page.url)


@in_a_group
def test_a_chrome_whose_sessions_were_killed_is_ended(site: Server, tmp_path: Path):
    state = tmp_path / "state"
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()

    def work() -> None:
        with Chrome(endpoint(tmp_path)) as chrome, chrome.session(Profile("last")) as browser:
            there.send(browser.request(Page(site.url("/ok"))).title)
            threading.Event().wait()

    # Given a process that has a Chrome for itself, and one that was starting another
    child = fork.Process(target=work, daemon=True)
    child.start()
    assert here.recv() == "OK"
    new_folder(state)
    with Chrome(endpoint(tmp_path)) as chrome:
        mine = Lent(chrome, Profile("mine", language="fr"))  # which only the start decides
        assert len(shared_processes(state)) == 2
        # When the worker looks, it deletes what was never used, and nothing else
        assert sweep_group(state) == 1
        assert list(shared_processes(state).values()) == [1, 1]
        # When the process is killed, its Chrome goes at the next look
        child.kill()
        child.join()
        assert sweep_group(state) == 1
        assert list(shared_processes(state).values()) == [1]
        assert mine.browser.request(Page(site.url("/ok"))).title == "OK"
        mine.end()
    assert list(state.glob("chrome-*")) == []


#: A process that shares a Chrome with one that it forks; each opens a page, says so, and waits.
WORKER = """
import os, sys
from pathlib import Path
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.shared.seats import open_group
from crawler.browser.pool import Chrome
from crawler.model import Page
from crawler.profile import Profile
open_group()
os.fork()
chrome = Chrome(Endpoint(state=Path(sys.argv[2]), shared=8))
with chrome.session(Profile("killed")) as browser:
    browser.request(Page(sys.argv[1]))
    about = next(Path(sys.argv[2]).glob("chrome-*/shared.json"))
    os.write(1, f"{os.getpid()} {about}\\n".encode())  # at once: both processes say so
    for line in sys.stdin:
        print(browser.request(Page(sys.argv[1])).title, flush=True)
"""


def test_a_killed_process_takes_its_session_along_the_last_the_chrome(site: Server, tmp_path: Path):
    # Given two processes of a worker, with a session each in one Chrome
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, site.url("/ok"), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdin
    assert worker.stdout
    try:
        said = [worker.stdout.readline().split() for _ in range(2)]
        assert said[0][1:] == said[1][1:] != [], said
        about = json.loads(Path(said[0][1]).read_text())
        assert renderers(about["pid"]) >= 2
        # When one is killed, its tab goes, and the other one does not notice
        (child,) = {int(pid) for pid, _ in said} - {worker.pid}
        os.kill(child, signal.SIGKILL)
        until(lambda: renderers(about["pid"]) < 2)
        worker.stdin.write("go\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "OK\n"
    finally:
        worker.kill()
        worker.communicate()
    # When the other one is killed as well, the Chrome goes by itself, and its folder is swept
    until(lambda: birth(about["pid"]) != about["birth"])
    assert sweep(tmp_path) == 1


def hang(browser: Browser, url: str) -> None:
    """Let the page at ``url`` run a script without an end."""
    browser.request(Page(url))
    with pytest.raises(BrowserError):
        browser.transport.ask("for (;;) {}")
