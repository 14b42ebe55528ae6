"""A rolling deployment: workers of an old and a new version together, on crawls that the new one
adds, changes and removes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.definition.digest import digest_of
from crawler.definition.loading import load_all
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import short_version
from crawler.output.report import lines, report
from tests.support.ground import Ground, ended_well
from tests.support.webdriver import Doc

PATHS = [f"/{n}" for n in range(24)]
#: Seconds that a page takes: both workers do some.
TAKES = 0.1
HEAD = """
from crawler import Crawl

options = {"robots": False, "depth_limit": None, "page_deadline": 50.0, "concurrency_limit": 4}
"""
REMOVED = """
removed = Crawl(name="removed", url="http://127.0.0.1/removed", **options)
@removed.extract
def extract_removed(page):
    return {"of": "old"}
"""
CHANGED = """
changed = Crawl(name="changed", url="http://127.0.0.1/", **options)
@changed.extract
def extract_changed(page):
    return {"of": "VERSION"}
"""
#: The new version has hooks that the old one lacks. The first attempt of ``after`` fails, so that
#: the delivery is made again, by either worker.
ADDED = """
from pathlib import Path
NOTES = Path(__file__).parent
@changed.after
def save(result, snapshot):
    path = NOTES / result.page.id
    path.write_text(path.read_text() + "again" if path.exists() else "first ")
    if path.read_text() == "first ":
        raise RuntimeError("the first attempt")
@changed.after_all
def end(snapshot):
    with (NOTES / "ends").open("a") as ends:
        ends.write("once ")
added = Crawl(name="added", url="http://127.0.0.1/added", **options)
@added.extract
def extract_added(page):
    return {"of": "new"}
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    site = {"/": Doc(links=PATHS)} | {path: Doc(takes=TAKES) for path in PATHS}
    for crawl in ("/removed", "/added"):
        pages = [f"{crawl}/{n}" for n in range(8)]
        site |= {crawl: Doc(links=pages)} | {page: Doc(takes=TAKES) for page in pages}
    there.chrome_on(site)
    yield there
    there.close()


@pytest.mark.soak
def test_old_and_new_workers_do_the_pages_of_a_rolling_deployment_together(ground: Ground):
    # Given an old and a new worker that tick too rarely to find wake-ups that were lost
    versions: dict[str, dict[str, Crawl]] = {}
    for version, text in (("old", REMOVED + CHANGED), ("new", CHANGED + ADDED)):
        path = ground.folder / version / "crawls.py"
        path.parent.mkdir()
        path.write_text(HEAD + text.replace("VERSION", version))
        versions[version] = load_all([str(path)])
        ground.worker(2, crawls=(str(path),), tick_interval=10.0)
    library = ground.library()
    ground.until(lambda: len(library.workers.workers()) == 2)
    ground.until(lambda: all(" ready." in worker.said() for worker in ground.workers))

    # When crawls run that one of them does not know, or knows in another version
    old, new = versions["old"], versions["new"]
    for crawl in (old["removed"], new["changed"], new["added"]):
        library.start(crawl)
    frontiers = {name: library.frontier(name) for name in ("removed", "changed", "added")}
    for frontier in frontiers.values():
        ground.until_end(frontier, seconds=60)

    # Then each page is done, by the version that its result names
    for name in ("removed", "added"):
        crawl = f"/{name}"
        ended_well(frontiers[name], [crawl, *(f"{crawl}/{n}" for n in range(8))], log=None)
    ended_well(frontiers["changed"], ["/", *PATHS], log=None)
    digests = {short_version(digest_of(versions[of]["changed"])): of for of in versions}
    records = [json.loads(line) for _, _, line in Listing(frontiers["changed"]).results("0", 100)]
    assert all(digests[record["version"]] == record["data"]["of"] for record in records)
    snapshot = frontiers["changed"].snapshot()
    done = Counter(record["version"] for record in records)
    assert len(done) == 2, "both did some"
    assert report(snapshot)["versions"] == {version: {"done": n} for version, n in done.items()}
    assert any(line.startswith("  versions ") for line in lines(snapshot))

    # And what hooks of the new version are promised, no worker of the old one takes away
    saved = [record["url"] for record in records if digests[record["version"]] == "new"]
    notes = ground.folder / "new"

    def texts() -> list[str]:
        return [path.read_text() for path in notes.iterdir() if len(path.name) == 32]

    ground.until(lambda: frontiers["changed"].snapshot().over, seconds=120)
    assert undelivered(frontiers["changed"]) + texts().count("first again") == len(saved)
    assert (notes / "ends").read_text() == "once "


def undelivered(frontier: Frontier) -> int:
    """Deliveries that only ever met workers of the old version."""
    return frontier.snapshot().counts.get("undelivered", 0)
