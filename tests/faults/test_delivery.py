"""Results and failures reach their hooks, whatever raises or dies between the report of a page and
the end of its hook.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.definition.loading import load_all
from crawler.frontier.frontier import Frontier
from crawler.frontier.outbox import Outbox
from crawler.model import Status
from tests.support.ground import Ground, ended_well
from tests.support.webdriver import Doc

PATHS = [f"/{n}" for n in range(12)]

HOOKS = """
import os, sqlite3
from pathlib import Path
from crawler import Crawl

FOLDER = Path(__file__).parent

def crawl(name, **fields):
    return Crawl(
        name=name, url="http://127.0.0.1/", robots=False,
        backoff=0.05, backoff_cap=0.1, breaker_failures=0, **fields,
    )

def first_time(kind, page):
    try:
        (FOLDER / f"{kind}{page.id}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def store(crawl, result):
    with sqlite3.connect(FOLDER / "rows.db", timeout=30) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS rows (crawl, id, url, PRIMARY KEY (crawl, id))"
        )
        row = (crawl, result.page.id, result.page.url)
        database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", row)

refuses, dies, never, lost, needs = map(crawl, ("refuses", "dies", "never", "lost", "needs"))
for one in (refuses, dies, never, lost, needs):
    one.extract(lambda page: {"url": page.url})

@refuses.after
def refused_twice(result):
    if int(result.page.url.rpartition("/")[2] or 0) % 3 == 0 and first_time("refused", result.page):
        raise sqlite3.OperationalError("database is locked")
    store("refuses", result)

@dies.after
def killed(result):
    if int(result.page.url.rpartition("/")[2] or 0) % 4 == 0 and first_time("died", result.page):
        os.kill(os.getpid(), 9)
    store("dies", result)

@never.after
def never_stores(result):
    if result.page.url.endswith("/3"):
        raise LookupError("no such table")
    store("never", result)

@lost.failed
def note(page, reason, status, attempts):
    if first_time("note", page):
        raise OSError("disk full")
    (FOLDER / f"lost-{page.url.rpartition('/')[2]}").write_text(f"{reason} {status} {attempts}")

@needs.after(needs_page=True)
def read(result, page):
    if first_time("read", result.page):
        raise TimeoutError("half loaded")
    store("needs", result)
"""


def at(words: str) -> str:
    """The line of HOOKS that holds ``words``, as a reason names it."""
    line = next(n for n, line in enumerate(HOOKS.splitlines(), 1) if words in line)
    return f"(hooks.py:{line})"


@pytest.fixture
def hooks(ground: Ground) -> str:
    path = ground.folder / "hooks.py"
    path.write_text(HOOKS)
    ground.chrome_on({"/": Doc(links=PATHS)} | {path: Doc() for path in PATHS})
    return str(path)


def rows(ground: Ground, crawl: str) -> set[str]:
    """The paths of the pages of ``crawl`` whose rows are in the database."""
    import sqlite3

    with sqlite3.connect(ground.folder / "rows.db") as database:
        found = database.execute("SELECT url FROM rows WHERE crawl = ?", [crawl]).fetchall()
    return {url.removeprefix("http://127.0.0.1") for (url,) in found}


def crawled(ground: Ground, hooks: str, name: str, **policy: float) -> Frontier:
    """The frontier of the crawl ``name``, which has ended."""
    frontier = ground.crawl(load_all([hooks])[name], **policy)
    ground.until_end(frontier)
    return frontier


def test_every_row_arrives_whatever_befalls_its_hook(ground: Ground, hooks: str):
    # Given hooks whose database refuses writes, whose process dies, and whose page is half loaded
    ground.worker(2, crawls=hooks)
    crawls = load_all([hooks])
    # When their crawls run
    refuses = ground.crawl(crawls["refuses"])
    dies = ground.crawl(crawls["dies"], lease=2.0)
    needs = ground.crawl(crawls["needs"], attempts=3)
    # Then each row arrives: where writes are refused or processes die, by another call of the hook
    for frontier in (refuses, dies):
        ground.until_end(frontier)
        assert rows(ground, frontier.name) == {"/", *PATHS}
        ended_well(frontier, {"/", *PATHS}, log=ground.redis)
    assert refuses.snapshot().counts.get("undelivered", 0) == 0
    # And for a hook that needs the page, by another attempt at the page
    ground.until_end(needs)
    assert rows(ground, "needs") == {"/", *PATHS}
    assert needs.snapshot().counts["retried"] >= 13


def test_what_a_hook_never_takes_is_a_dead_letter(ground: Ground, hooks: str):
    # Given a hook that raises for one page, each time
    worker = ground.worker(2, crawls=hooks)
    frontier = crawled(ground, hooks, "never", after_attempts=3)
    # Then the crawl ends, and says what was not delivered and why
    snapshot, outbox = frontier.snapshot(), Outbox(frontier)
    assert (snapshot.status, snapshot.done) == (Status.FINISHED, 13)
    assert snapshot.counts["undelivered"] == 1
    (letter,) = outbox.undelivered()
    assert letter.delivery.page.url.endswith("/3")
    assert (letter.reason, letter.delivery.attempts) == (
        f"LookupError: no such table {at('LookupError')}",
        3,
    )
    assert rows(ground, "never") == {"/", *PATHS} - {"/3"}
    ground.until(lambda: "gave up on http://127.0.0.1/3" in worker.said())
    # When the hook is mended, and the letter is sent again
    hooks_file = Path(hooks)
    hooks_file.write_text(HOOKS.replace('endswith("/3")', 'endswith("/never")'))
    worker.kill()
    ground.worker(1, crawls=hooks)
    assert outbox.redeliver() == 1
    # Then it arrives
    ground.until_end(frontier)
    assert rows(ground, "never") == {"/", *PATHS}
    assert frontier.snapshot().counts["undelivered"] == 0


def test_the_last_failure_of_a_page_reaches_its_hook(ground: Ground, hooks: str):
    ground.chrome_on({"/": Doc(links=["/a", "/gone"]), "/a": Doc(), "/gone": Doc(status=404)})
    ground.worker(1, crawls=hooks)
    frontier = crawled(ground, hooks, "lost")
    assert frontier.snapshot().failed == 1
    assert (ground.folder / "lost-gone").read_text() == "http_404 404 1"


def test_the_hook_for_the_end_is_called_again_and_counted(ground: Ground, hooks: str):
    # Given a crawl whose last hook raises each time
    Path(hooks).write_text(HOOKS + "\n@refuses.after_all\ndef end(): raise OSError('no mail')\n")
    ground.worker(1, crawls=hooks)
    # When it has ended, with one attempt allowed
    frontier = crawled(ground, hooks, "refuses", after_attempts=1)

    # Then that is counted, with the reason
    def reasons() -> list[str]:
        letters = Outbox(frontier).undelivered()
        return [letter.reason for letter in letters if letter.delivery.hook == "after_all"]

    assert ground.until(reasons) == [f"OSError: no mail (hooks.py:{HOOKS.count(chr(10)) + 3})"]
