"""A browser at a bare DevTools endpoint: somebody else's, which we share. Pages in one are tried in
test_page_remote.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.cli.doctor import examine_chrome
from crawler.cli.health import check_chrome
from crawler.config.settings import load
from crawler.errors import BrowserLost, BrowserUnavailable
from crawler.model import Page
from crawler.profile import Profile
from tests.site.server import Server
from tests.support.bare_chrome import TOKEN, BareChrome, TokenHost
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

#: A process that opens a page by the endpoint, says so, and waits to be killed.
OWNER = """
import sys
from pathlib import Path
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.model import Page
from crawler.profile import Profile
with Chrome(Endpoint(url=sys.argv[1], state=Path(sys.argv[3]))) as chrome:
    with chrome.session(Profile("killed")) as browser:
        browser.request(Page(sys.argv[2]))
        print("there", flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareChrome]:
    with BareChrome(tmp_path_factory.mktemp("theirs")) as chrome:
        yield chrome


@pytest.fixture
def host(theirs: BareChrome) -> Iterator[TokenHost]:
    with TokenHost(theirs) as host:
        yield host
    assert theirs.is_alone()


def endpoint(url: str, state: Path) -> Endpoint:
    return Endpoint(url=url, state=state, page_load_timeout=10, session_timeout=PATIENCE)


def test_sessions_share_a_browser_and_no_cookies(host: TokenHost, site: Server, tmp_path: Path):
    both = threading.Barrier(2, timeout=PATIENCE)
    shown: dict[str, str] = {}
    with Chrome(endpoint(host.url(), tmp_path)) as chrome:

        def visit(name: str, path: str) -> None:
            with chrome.session(Profile("shop")) as browser:
                browser.request(Page(site.url(path)))
                both.wait()
                browser.request(Page(site.url("/me")))
                shown[name] = browser.text("h1") or ""
                browser.driver.switch_to.new_window("tab")
                shown[f"{name} tabs"] = str(len(browser.driver.window_handles))
                both.wait()

        member = threading.Thread(target=visit, args=("member", "/login"))
        member.start()
        visit("stranger", "/ok")
        member.join()
        assert host.count == 2  # one connection each: a host may start a browser for each
    assert shown["stranger"] == "nobody"
    assert "session=abc" in shown["member"]
    assert (shown["member tabs"], shown["stranger tabs"]) == ("2", "2")


def test_the_browser_is_not_closed_by_who_asks_for_that(host: TokenHost, tmp_path: Path):
    with (
        # by host and port, as a Chrome with an open port is known
        Chrome(endpoint(host.chrome.url, tmp_path)) as chrome,
        chrome.session(Profile("shop")) as browser,
    ):
        browser.driver.cdp("Browser.close")
        assert browser.evaluate("6 * 7") == 42


def test_a_line_that_breaks_is_no_fault_of_the_page(host: TokenHost, site: Server, tmp_path: Path):
    with (
        Chrome(endpoint(host.url(), tmp_path)) as chrome,
        chrome.session(Profile("shop")) as browser,
    ):
        browser.request(Page(site.url("/ok")))
        host.cut()
        with pytest.raises(BrowserLost) as lost:
            browser.request(Page(site.url("/a")))
        assert lost.value.away
    with (
        Chrome(endpoint(host.url(), tmp_path)) as chrome,
        chrome.session(Profile("shop")) as browser,
    ):
        assert browser.request(Page(site.url("/a"))).title == "A"


def test_what_a_killed_process_had_open_is_closed(host: TokenHost, site: Server, tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, host.url(), site.url("/ok"), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout.readline() == "there\n"
        drivers = psutil.Process(owner.pid).children(recursive=True)
        assert site.url("/ok") in host.chrome.tabs()
        os.kill(owner.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(drivers, timeout=PATIENCE)
    assert left == []
    assert host.chrome.is_alone()


def test_a_host_without_a_browser_shows_no_token(host: TokenHost, tmp_path: Path):
    def refusal(url: str) -> BrowserUnavailable:
        chrome = Chrome(endpoint(url, tmp_path))
        with pytest.raises(BrowserUnavailable) as refused, chrome.session(Profile("shop")):
            pass
        assert "canary" not in f"{refused.value} {refused.value.__cause__!r}"
        return refused.value

    wrong = refusal(host.url("canary-of-another"))
    assert "answers 401: it wants another token" in str(wrong)
    assert (wrong.full, f":{host.server_address[1]}/" in str(wrong)) == (False, False)
    host.room = 0
    full = refusal(host.url())
    assert (full.full, str(full).endswith("answers 429")) == (True, True)
    host.room = 99
    assert "cannot be reached" in str(refusal(f"ws://localhost:1/?token={TOKEN}"))

    settings = load(chrome_url=host.url())
    assert TOKEN not in repr(settings)
    assert f"at ws://localhost:{host.server_address[1]}" in check_chrome(settings)
    found = {finding.part: finding for finding in examine_chrome(settings)}
    assert found.keys() == {"chrome", "chromedriver"}
    assert not any(finding.remedy for finding in found.values())
    with pytest.raises(BrowserUnavailable, match="401"):
        check_chrome(load(chrome_url=host.url("canary-of-another")))
    assert load(chrome_url=f"{host.url()}/").chrome_url.endswith(f"{TOKEN}/")
