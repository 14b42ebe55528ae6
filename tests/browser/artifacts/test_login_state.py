"""Log in once for all: on a site whose members need a cookie, a token in local storage, and a CSRF
token to get them.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import members as club
from tests.site.members import Members
from tests.site.server import Server
from tests.support.chromedriver import running_driver
from tests.support.folder import Folder, until
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

DEFINITION = """
import os
from crawler import Crawl

members = Crawl(
    name="members", url="{url}", concurrency_limit=4, depth_limit=None, robots=False,
    deny=["/enter"],
)

@members.before_all
def log_in(browser):
    browser.open("{login}")
    browser.fill("[name=name]", "reader")
    browser.fill("[name=password]", "{password}")
    browser.click("button")
    browser.wait_for("#welcome")

@members.extract
def page(page):
    return {{"title": page.text("h1"), "tab": page.text("i")}}
"""
EXPIRED = """
@members.logged_out
def expired(page):
    return page.text("#login") is not None or page.text("h1") == "Nothing for strangers"
"""
#: The second call of the hook tells its process, and waits for its end.
HANGS = """
from pathlib import Path
import time

once, twice = Path("once"), Path("twice")

@members.before_all
def hang(browser):
    if not once.exists():
        once.touch()
    elif not twice.exists():
        twice.write_text(str(os.getpid()))
        twice.rename("hanging")
        twice.touch()
        time.sleep(600)
    log_in(browser)
"""
#: Whoever has a page below the first waits there for another process: one could be done with all
#: pages before the others have a browser.
MEETS = """
import time
from pathlib import Path

@members.before
def meet(page):
    Path(f"process-{os.getpid()}").touch()
    while page.depth and len(list(Path().glob("process-*"))) < 2:
        time.sleep(0.05)
"""
#: Keeps half a surrogate pair in local storage when it logs in.
HALF = """
from crawler import Crawl

half = Crawl(name="half", url="{url}", depth_limit=0, robots=False, attempts=1)

@half.before_all
def draft(browser):
    page = browser.open("{url}")
    page.evaluate("localStorage.setItem('draft', 'Hi ' + String.fromCharCode(0xd83d))")

@half.extract
def kept(page):
    return page.evaluate("localStorage.getItem('draft')")
"""


@pytest.fixture
def members(site: Server) -> Iterator[Members]:
    members = club.of(site)
    members.reset()
    yield members
    members.reset()


@pytest.fixture
def remote(den: Path) -> Iterator[str]:
    """The address of a ChromeDriver that is not the workers' own."""
    with running_driver(den) as address:
        yield address


def define(
    folder: Folder, site: Server, *more: str, size: int = 15, password: str = club.PASSWORD
) -> None:
    url = site.url(f"/member/0?size={size}")
    text = DEFINITION.format(url=url, login=site.url("/enter"), password=password)
    if HANGS in more:
        text = text.replace("@members.before_all\n", "")
    (folder.path / "members.py").write_text("".join([text, *more]))


def branches(size: int) -> dict[str, int]:
    return {f"/branch/{n}?size={size}": 1 for n in range(size)}


def test_four_processes_log_in_once_and_request_every_page_as_member(folder, site, members):
    # Given sessions that are replaced after a few pages
    define(folder, site, MEETS)
    folder.environ |= {"CRAWLER_SESSION_PAGES": "3", "CRAWLER_LOG_LEVEL": "DEBUG"}
    # When four processes crawl
    done = folder.run("start", "members.py", "-o", "items.jsonl", "-c", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    # Then the site has seen one log-in, and nobody but its member
    assert (members.logins, members.refused, members.strangers) == (1, 0, {})
    assert members.seen == branches(15)
    assert {line["tab"] for line in folder.lines()} == {"one"}
    # And it was more than the one session that logged in
    log = (folder.path / "state" / "worker.log").read_text()
    assert len(set(re.findall(r"ForkPoolWorker-(\d+)\] members: request", log))) > 1
    assert log.count("ends after 3 pages: pages") >= 2
    # And what it came in with is nowhere to be read
    for secret in (club.PASSWORD, *members.sessions, *members.sessions.values()):
        assert secret not in log + done.stdout + done.stderr


def test_a_log_in_that_expires_is_done_again_once_for_all(folder, site, members, remote):
    define(folder, site, EXPIRED)
    members.reset(expire_after=6)
    folder.environ |= {"CRAWLER_CHROME_URL": remote}
    done = folder.run("start", "members.py", "-o", "items.jsonl", "-c", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (members.logins, members.refused) == (2, 0)
    assert len(folder.lines()) == 15
    assert dict.fromkeys(members.seen, 1) == branches(15)
    assert members.strangers  # some page was asked for with the old log-in


def test_a_log_in_can_be_declared_without_code(folder, site, members):
    (folder.path / "members.toml").write_text(f"""
        url = "{site.url("/member/0")}"
        depth_limit = "none"
        concurrency_limit = 2
        robots = false
        deny = ["/enter"]

        [login]
        url = "{site.url("/enter")}"
        fill = {{ "[name=name]" = "reader", "[name=password]" = "{club.PASSWORD}" }}
        submit = "button"
        expect = "#welcome"
        expired = "#login"
        """)
    folder.environ["CRAWLER_CHROME_SHARED"] = "4"  # the log-in goes from context to context
    assert "well formed" in folder.here("validate", "members.toml").stdout
    done = folder.run("start", "members.toml", "-o", "items.jsonl", "-c", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (members.logins, members.refused, members.strangers) == (1, 0, {})
    assert len(folder.lines()) == 15


def test_faults_of_a_declared_log_in_are_said_without_its_password(folder):
    (folder.path / "club.toml").write_text(
        'url = "https://club.example/"\n[login]\nurl = "club.example"\nfill = {"#a" = 1, "#b" ='
        ' "secret horse"}\nsend = "#c"\n'
    )
    done = folder.here("validate", "club.toml")
    assert done.exit_code == 2
    for fault in (
        "has no 'submit'",
        "has no 'expect'",
        "has 'send', which is none of",
        "fill: is no table of selectors and texts",
    ):
        assert fault in done.stderr
    assert "secret" not in done.stderr


def test_a_log_in_whose_process_is_killed_is_done_by_another(folder, site, members):
    # Given a crawl whose second log-in, in the midst of it, never comes to its end
    define(folder, site, EXPIRED, HANGS)
    members.reset(expire_after=5)
    folder.environ["CRAWLER_TICK_INTERVAL"] = "0.5"
    crawl = folder.begin("start", "members.py", "-o", "items.jsonl", "-c", "3")
    hanging = folder.path / "hanging"
    until(hanging.exists, crawl)
    # When its process is killed
    os.kill(int(hanging.read_text()), signal.SIGKILL)
    out, err = crawl.communicate(timeout=PATIENCE)
    assert crawl.returncode == 0, out + err
    # Then the site has seen two log-ins, and no page is missing
    assert (members.logins, members.refused) == (2, 0)
    assert len(folder.lines()) == 15
    assert dict.fromkeys(members.seen, 1) == branches(15)


def test_a_log_in_that_never_works_ends_the_crawl_with_a_reason(folder, site, members):
    define(
        folder,
        site,
        "\n@members.logged_out\ndef always(response):\n    return response.status == 200\n",
    )
    done = folder.run("start", "members.py", "--output", "out", "-c", "2")
    assert done.returncode == 1
    assert "no page was done (last failure: login)" in done.stdout + done.stderr
    assert members.logins == 3
    (failed,) = folder.lines("out/failed.jsonl")
    assert (failed["reason"], failed["attempts"]) == ("login", 1)


def test_a_log_in_that_raises_is_tried_thrice_with_a_reason(folder, site, members):
    define(folder, site, password="wrong")
    text = (
        (folder.path / "members.py")
        .read_text()
        .replace('wait_for("#welcome")', 'wait_for("#welcome", timeout=0.2)')
    )
    (folder.path / "members.py").write_text(text)
    done = folder.run("start", "members.py", "-c", "2")
    assert done.returncode == 1
    assert "before_all failed: WaitTimeout: nothing matches '#welcome'" in done.stdout + done.stderr
    assert (members.logins, members.refused) == (0, 3)


def test_half_a_character_in_local_storage_loses_no_browser(folder: Folder, site: Server):
    (folder.path / "half.py").write_text(HALF.format(url=site.url("/member/0?size=1")))
    done = folder.run("start", "half.py", "-o", "items.jsonl", "-c", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line["data"][:3] for line in folder.lines()] == ["Hi "]
