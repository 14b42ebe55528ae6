"""Worker processes die by kill -9 at each line between the report of a page and the end of its
hook, while the hook's database refuses every third write; and every row is there.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from crawler.definition.loading import load_all
from crawler.frontier.frontier import Frontier
from crawler.frontier.outbox import Outbox
from crawler.frontier.repair import audit_keys
from crawler.output import report
from tests.support.ground import Ground, until
from tests.support.webdriver import Doc

#: Pages that are done, and pages that fail for good.
DONE, LOST = [f"/{n}" for n in range(20)], [f"/lost/{n}" for n in range(6)]
#: A process that has died over one delivery may do so at each line.
ATTEMPTS = 500

#: A crawl whose workers kill themselves, once at each line (or at each so many) of ours and of its
#: own hooks that they reach between a report and the hook's end.
CRAWL = '''
import os, signal, sqlite3, sys, zlib
from pathlib import Path
from crawler import Crawl

FOLDER, EVERY = Path(__file__).parent, {every}
OURS = ("/frontier/frontier.py", "/frontier/outbox.py", "/crawler/hooks.py", "/storage/scripts.py")

shop = Crawl(
    name="shop", url="http://127.0.0.1/", robots=False, depth_limit=None, concurrency_limit=2,
    backoff=0.05, backoff_cap=0.1, breaker_failures=0,
)

def write(kind, url):
    """Write a row; the database itself refuses every third one."""
    with sqlite3.connect(FOLDER / "rows.db", timeout=30) as database:
        database.execute("UPDATE writes SET n = n + 1")
    with sqlite3.connect(FOLDER / "rows.db", timeout=30) as database:
        database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (kind, url))

@shop.extract
def extract(page):
    return {{"url": page.url}}

@shop.after
def after(result):
    write("after", result.page.url)

@shop.failed
def failed(page, reason):
    write("failed", page.url)

@shop.after_all
def after_all(snapshot):
    write("after_all", snapshot.status.value)

class Killer:
    """Ends its process at lines that no process has died at before."""

    active = False

    def calls(self, frame, event, arg):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if file != __file__ and not ("/crawler/run/" in file or file.endswith(OURS)):
            return None
        if name in ("make_again", "_end_crawl"):
            self.active = True
        return self.steps

    def steps(self, frame, event, arg):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if event == "line" and self.active:
            self.die_once(f"{{Path(file).name}}:{{frame.f_lineno}}")
        if event == "return" and name in ("finish", "fail") and "/frontier/" in file:
            self.active = getattr(arg, "accepted", False) and arg.retry_in is None
        if event == "return" and name in ("wake", "end_hook_done") and "/frontier/" in file:
            self.active = False
        return self.steps

    def die_once(self, line):
        if zlib.crc32(line.encode()) % EVERY:
            return
        try:
            (FOLDER / "deaths" / line).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

if "CRAWLER_REDIS_URL" in os.environ:  # a worker
    sys.settrace(Killer().calls)
    os.register_at_fork(after_in_child=lambda: sys.settrace(Killer().calls))
'''


def crawled(ground: Ground, every: int) -> tuple[Frontier, Counter[str]]:
    """Crawl all pages under fire; return the frontier, and the deaths by file."""
    database = ground.folder / "rows.db"
    with sqlite3.connect(database) as there:
        there.executescript(
            "CREATE TABLE rows (kind, url, PRIMARY KEY (kind, url)); CREATE TABLE writes (n);"
            "INSERT INTO writes VALUES (0); CREATE TRIGGER refuse BEFORE INSERT ON rows"
            " WHEN (SELECT n % 3 FROM writes) = 0"
            " BEGIN SELECT RAISE(ABORT, 'database is locked'); END;"
        )
    path, deaths = ground.folder / "dying.py", ground.folder / "deaths"
    deaths.mkdir()
    path.write_text(CRAWL.format(every=every))
    ground.chrome_on(
        {"/": Doc(links=[*DONE, *LOST])}
        | {path: Doc() for path in DONE}
        | {path: Doc(status=404) for path in LOST}
    )
    ground.worker(2, crawls=str(path))
    frontier = ground.crawl(load_all([str(path)])["shop"], after_attempts=ATTEMPTS, lease=5.0)

    ground.until_end(frontier, 900)
    # a hook for the end whose process died is asked for again after a minute: as if that passed
    while frontier.end_hook_pending():
        frontier.redis.hset(frontier.key("meta"), "end_hook_asked", 0)
        end = time.monotonic() + 3
        until(lambda end=end: not frontier.end_hook_pending() or time.monotonic() > end)
    return frontier, Counter(Path(death.name).stem for death in deaths.iterdir())


def complete(ground: Ground, frontier: Frontier) -> None:
    """Each page has its row, the crawl is FINISHED, and nothing is undelivered."""
    assert Outbox(frontier).undelivered() == []
    with sqlite3.connect(ground.folder / "rows.db") as database:
        rows = set(database.execute("SELECT * FROM rows"))
    site = "http://127.0.0.1"
    assert rows == {
        *(("after", f"{site}{path}") for path in ["/", *DONE]),
        *(("failed", f"{site}{path}") for path in LOST),
        ("after_all", "FINISHED"),
    }
    snapshot = frontier.snapshot()
    assert (snapshot.status.value, snapshot.done, snapshot.failed) == ("FINISHED", 21, 6)
    assert report.succeeded(snapshot)
    assert audit_keys(frontier) == []


@pytest.mark.slow
def test_rows_arrive_though_processes_die_around_their_hooks(ground: Ground):
    frontier, deaths = crawled(ground, every=12)
    complete(ground, frontier)
    assert deaths.total() >= 5, deaths


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_rows_arrive_though_a_process_dies_at_each_line(ground: Ground):
    frontier, deaths = crawled(ground, every=1)
    complete(ground, frontier)
    print(dict(deaths))  # noqa: T201
    assert deaths.total() >= 100, deaths
    assert deaths.keys() >= {"delivery", "context", "hooks", "next_runs", "frontier", "dying"}
