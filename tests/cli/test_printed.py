"""Nothing that a page says moves a cursor, hides a word, or passes for a line of ours: on the
terminal of any command, and in the log of a worker.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess

import pytest

from tests.site.server import Request, Server, route

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

#: A title that sets the terminal's, colours what follows, and turns the direction of writing.
SLY = "\x1b]0;owned\x07 \x1b[31m \x9b31m \x7f \u202egpj.exe\u202c \u2066x\u2069"
#: Control characters but for line breaks, and characters that change the direction of writing.
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
CODE = """
import logging
import os

from crawler import Crawl

sly = Crawl(name="sly", url="{url}", depth_limit=1, breaker_failures=0, attempts=1)

@sly.extract
def extract(page):
    if page.url.endswith("/late"):
        title = page.title + "\\nFORGED line: me:CANARY@"
        logging.getLogger("mine").warning("seen %s", title)
        if "CRAWLER_BROKER_URL" in os.environ:  # in a worker: what it prints is logged
            print(title)
        raise ValueError(title)
    return {{"title": page.title}}
"""


@route("/sly/")
def sly(request: Request) -> None:
    request.html(
        f"<h1>{SLY}</h1><a href='/sly/late?{SLY}'>x</a><a href='/sly/late'>y</a>", title=SLY
    )


@pytest.fixture
def shown(folder, site: Server):
    """Run a command at a terminal; return its status and all that the terminal got."""
    (folder.path / "sly.py").write_text(CODE.format(url=site.url("/sly/")))

    def shown(*words: str) -> tuple[int, str]:
        parent, child = pty.openpty()
        environ = folder.environ | {"TERM": "dumb", "NO_COLOR": "1"}
        with subprocess.Popen(
            folder.command(*words), cwd=folder.path, env=environ, stdout=child, stderr=child
        ) as process:
            os.close(child)
            text = b""
            while True:
                try:
                    piece = os.read(parent, 65_536)
                except OSError:  # the other end is closed
                    break
                text += piece
        os.close(parent)
        return process.returncode, text.decode().replace("\r\n", "\n")

    return shown


def check(text: str) -> None:
    """No control character, no line of another's making."""
    found = CONTROL.search(text)
    assert not found, text[max(0, found.start() - 200) : found.end() + 200]
    assert not [line for line in text.splitlines() if line.startswith("FORGED")]


def test_a_page_speaks_to_no_terminal_and_forges_no_log(shown, folder, site):
    # a crawl as it goes on: its own terminal is drawn with sequences of ours, a file is not
    done = folder.run("start", "sly.py", "-o", "items.jsonl", "-c", "1")
    assert done.returncode == 0, done.stderr
    check(done.stdout + done.stderr)
    log = (folder.path / "state" / "worker.log").read_text()
    assert "owned" in log
    assert "FORGED" in log
    check(log)
    check((folder.path / "items.jsonl").read_text())
    assert folder.lines()[0]["title"].endswith("\u202egpj.exe\u202c \u2066x\u2069")
    for words in (
        ("failed", "sly"),
        ("export", "sly"),
        ("export", "sly", "--format", "csv", "--raw"),
    ):
        status, text = shown(*words)
        assert status == 0, text
        assert "owned" in text
        check(text)
    # an error of the author's code
    status, text = shown("run", "sly.py", "--url", site.url("/sly/late"))
    assert status == 1
    assert "ValueError" in text
    check(text)
