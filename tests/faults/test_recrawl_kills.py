"""Worker processes, and the process that begins another generation, die by kill -9 at each line;
and each page is compared with its last visit exactly once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from crawler.config.settings import environment
from crawler.definition.loading import load_all
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.memory import Memories
from crawler.frontier.repair import audit_keys
from crawler.model import Status
from tests.support.ground import Ground
from tests.support.webdriver import Doc

PAGES = [f"/{n}" for n in range(16)]
#: What becomes of pages in the second night: they change, answer 404, or have no link any more.
CHANGED, GONE, UNLINKED = PAGES[:6], PAGES[6:9], PAGES[9:11]

#: A crawl whose processes kill themselves, once at each so many of those of our lines that report a
#: page, or begin a generation.
CRAWL = """
import os, signal, sys, zlib
from pathlib import Path
from crawler import Crawl

FOLDER, EVERY = Path(__file__).parent, {every}
OURS = ("/frontier/frontier.py", "/frontier/memory.py", "/frontier/keys.py",
    "/run/page_run.py", "/storage/scripts.py")

shop = Crawl(
    name="shop", url="http://127.0.0.1/", robots=False, depth_limit=None, concurrency_limit=2,
    backoff=0.05, backoff_cap=0.1, breaker_failures=0, lease=5.0,
)

@shop.extract
def extract(page, links):
    return {{"links": len(links)}} if page.depth else None

@shop.after
def after(result):
    pass

# ends its process at lines that no process has died at before, between the claim of a page and its
# report, and while a generation begins
class Killer:
    active = False

    def calls(self, frame, event, arg):
        if not frame.f_code.co_filename.endswith(OURS):
            return None
        if frame.f_code.co_name == "begin_generation":
            self.active = True
        return self.steps

    def steps(self, frame, event, arg):
        file, name = Path(frame.f_code.co_filename).name, frame.f_code.co_name
        if event == "line" and self.active:
            self.die_once(f"{{file}}:{{frame.f_lineno}}")
        if event == "return" and file == "frontier.py" and name == "claim":
            self.active = getattr(arg, "claim", None) is not None
        if event == "return" and name in ("finish", "fail", "begin_generation"):
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

if "CRAWLER_REDIS_URL" in os.environ:
    sys.settrace(Killer().calls)
    os.register_at_fork(after_in_child=lambda: sys.settrace(Killer().calls))
"""
#: Begins the second night, as ``client.start(recrawl=True)`` does, with more attempts than a
#: definition may ask for.
RECRAWL = """
from dataclasses import replace
from dying import shop
from crawler.client.client import Client
from crawler.definition.bounds import entry_pages
from crawler.definition.crawl_plan import plan_of
from crawler.frontier.memory import Memories

client, plan = Client(), plan_of(shop)
frontier = client.frontier("shop")
if frontier.snapshot().generation < 2:
    policy = replace(plan.policy, attempts=500, crash_strikes=500)
    Memories(frontier).begin_generation(replace(plan, policy=policy))
frontier.enqueue(entry_pages(shop))
client.wake(shop)
"""


def site(*, second: bool) -> dict[str, Doc]:
    linked = [path for path in PAGES if not (second and path in UNLINKED)]
    docs = {"/": Doc(links=linked)} | {path: Doc() for path in linked}
    if second:
        docs |= {path: Doc(links=["/"]) for path in CHANGED}
        docs |= {path: Doc(status=404) for path in GONE}
    return docs


def nights(ground: Ground, every: int) -> tuple[Frontier, Counter[str]]:
    """Crawl two nights under fire; return the frontier, and the deaths by file."""
    path, deaths = ground.folder / "dying.py", ground.folder / "deaths"
    deaths.mkdir()
    path.write_text(CRAWL.format(every=every))
    chrome = ground.chrome_on(site(second=False))
    ground.worker(2, crawls=str(path))
    crawl = load_all([str(path)])["shop"]
    frontier = ground.crawl(crawl, attempts=500, crash_strikes=500)
    assert ground.until_end(frontier, 900).changes == {"new": 17, "changed": 0, "same": 0}

    chrome.site = site(second=True)
    begin(ground)
    ground.until_end(frontier, 900)
    return frontier, Counter(Path(death.name).stem for death in deaths.iterdir())


def begin(ground: Ground) -> None:
    """Begin the second night, again and again, until no process dies over it."""
    environ = os.environ | environment(ground.settings()) | {"PYTHONPATH": str(ground.folder)}
    for _ in range(500):
        command = [sys.executable, "-c", RECRAWL]
        if subprocess.run(command, env=environ, cwd=ground.folder, check=False).returncode == 0:
            return
    raise AssertionError("the second night was never begun")


def complete(frontier: Frontier) -> None:
    """Each page was compared once, and those that are gone are listed."""
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.generation, snapshot.known) == (Status.FINISHED, 2, 17)
    same = 17 - len(CHANGED) - len(GONE) - len(UNLINKED)
    assert snapshot.changes == {"new": 0, "changed": len(CHANGED), "same": same}
    reasons = Counter(one.reason for one in Memories(frontier).vanished(str))
    assert reasons == {"http_404": len(GONE), "not_met": len(UNLINKED)}
    assert snapshot.vanished == reasons.total()
    assert len(Listing(frontier).results()) == len(CHANGED) + same
    assert audit_keys(frontier) == []


@pytest.mark.soak
def test_changes_are_exact_though_processes_die(ground: Ground):
    frontier, deaths = nights(ground, every=14)
    complete(frontier)
    assert deaths.total() >= 5, deaths


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_changes_are_exact_though_a_process_dies_at_each_line(ground: Ground):
    frontier, deaths = nights(ground, every=1)
    complete(frontier)
    print(dict(deaths))  # noqa: T201
    assert deaths.keys() >= {"frontier", "memory", "keys", "page_run", "scripts"}
