"""The files of `crawler start` whatever dies: real commands, a real Redis; a test plays the
workers' part.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.frontier.frontier import Frontier
from tests.support import desk as support
from tests.support.desk import SITE, Desk, queued
from tests.support.folder import until, urls
from tests.support.patience import PATIENCE

DEFINITION = f'name = "shop"\nurl = "{SITE}/"\nbreaker_failures = 0\n'
#: Signals that ask a command to end.
POLITE = (signal.SIGINT, signal.SIGTERM)
#: Runs a command with room for so many bytes in a file.
LIMITED = (
    "import resource, sys; limit = int(sys.argv.pop(1));"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit));"
    "from crawler.cli import main; main(sys.argv[1:])"
)


@pytest.fixture
def shop(desk) -> Desk:
    """A folder with the definition of the crawl "shop"."""
    (desk.folder.path / "shop.toml").write_text(DEFINITION)
    return desk


@pytest.fixture
def ended(shop) -> Desk:
    """The crawl "shop", with four pages, that has ended."""
    handle = shop.begin("/a", "/b", "/c")
    for number in range(4):
        finish(handle.frontier, {"title": f"Page {number}", "price": number})
    assert handle.status.ended
    return shop


def finish(frontier: Frontier, data: object = "an item") -> None:
    """Do a page, which gives an item."""
    support.finish(frontier, data)


def start(desk: Desk, *words: str) -> subprocess.Popen[str]:
    return desk.folder.begin("start", "shop.toml", *words)


def frontier_of(desk: Desk) -> Frontier:
    return desk.client.frontier("shop")


def add(desk: Desk, count: int, first: int = 0) -> None:
    """Queue ``count`` pages."""
    handle = desk.client.handle("shop")
    handle.enqueue(f"{SITE}/{n}" for n in range(first, first + count))
    handle.frontier.recover()


def names(desk: Desk, file: str = "items.jsonl") -> list[str]:
    return sorted(urls(desk.folder.lines(file)))


def size(desk: Desk, file: str = "items.jsonl") -> int:
    path = desk.folder.path / file
    return path.stat().st_size if path.exists() else 0


# a crawl that has ended


def test_start_on_an_ended_crawl_writes_its_files_and_crawls_nothing(ended):
    out = ended.run("start", "shop.toml", "-o", "items.jsonl")
    assert "4 done" in out
    pages = names(ended)
    assert pages == sorted([f"{SITE}/", f"{SITE}/a", f"{SITE}/b", f"{SITE}/c"])
    assert ended.wake_ups() == 0
    # cut in the middle of a line, then removed
    path = ended.folder.path / "items.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    ended.run("start", "shop.toml", "-o", "items.jsonl")
    assert names(ended) == pages
    path.unlink()
    ended.run("start", "shop.toml", "-o", "items.jsonl", "--output", "out")
    assert names(ended) == names(ended, "out/items.jsonl") == pages
    assert names(ended, "out/pages.jsonl") == pages
    assert ended.folder.lines("out/failed.jsonl") == []


@pytest.mark.usefixtures("ended")
def test_a_table_is_written_whole_and_again_when_asked(desk):
    for _ in range(2):
        desk.run("start", "shop.toml", "-o", "books.csv", "-o", "books.sqlite")
        with (desk.folder.path / "books.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["title"] for row in rows] == [f"Page {n}" for n in range(4)]
        with closing(sqlite3.connect(desk.folder.path / "books.sqlite")) as database:
            found = database.execute("SELECT title, url FROM items").fetchall()
        assert found == [(row["title"], row["url"]) for row in rows]
    assert sorted(path.name for path in desk.folder.path.iterdir()) == [
        "books.csv",
        "books.sqlite",
        "shop.toml",
        "state",
    ]


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("words", [(), ("--reset",)])
@pytest.mark.parametrize("name", ["items.jsonl", "books.csv", "out/report.json"])
def test_a_file_that_is_not_ours_stops_the_command_before_anything_happens(desk, words, name):
    path = desk.folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("precious\n")
    file = ("--output", "out") if name.startswith("out/") else ("-o", name)
    out = desk.run("start", "shop.toml", *file, *words, status=2)
    assert f"{name} exists" in out
    assert len(out.strip().splitlines()) == 1
    assert path.read_text() == "precious\n"
    assert desk.client.handle("shop").counts["done"] == 4  # nothing was reset


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("name", ["-", "pipe", "folder", "shop.toml/items.jsonl"])
def test_a_path_that_can_hold_no_results_is_one_clear_line(desk, name):
    os.mkfifo(desk.folder.path / "pipe")
    (desk.folder.path / "folder").mkdir()
    out = desk.run("start", "shop.toml", "-o", name, status=2)
    assert name.split("/")[0] in out.splitlines()[-1]


@pytest.mark.usefixtures("ended")
def test_an_export_replaces_only_what_an_export_wrote(desk):
    path = desk.folder.path / "books.csv"
    path.write_text("precious\n")
    out = desk.run("export", "shop", "-o", "books.csv", status=2)
    assert "--overwrite" in out
    assert path.read_text() == "precious\n"
    desk.run("export", "shop", "-o", "books.csv", "--overwrite")
    desk.run("export", "shop", "-o", "books.csv")
    assert path.read_text().count("Page") == 4
    desk.run("start", "shop.toml", "-o", "items.jsonl")
    desk.redis.xtrim(frontier_of(desk).key("results"), 2, approximate=False)
    assert "--overwrite" in desk.run("export", "shop", "-o", "items.jsonl", status=2)
    desk.run("export", "shop", "-o", "/dev/null")
    assert not os.path.isfile("/dev/null")  # noqa: PTH113 - a device


@pytest.mark.usefixtures("ended")
def test_another_definition_of_an_ended_crawl_is_not_taken_for_it(desk):
    (desk.folder.path / "shop.toml").write_text(f"{DEFINITION}depth_limit = 1\n")
    out = desk.run("start", "shop.toml", "-o", "items.jsonl", status=2)
    assert "--reset" in out


# files that cannot be written


@pytest.mark.usefixtures("ended")
def test_a_full_disk_ends_with_the_command_that_completes_the_file(desk):
    out = desk.run("start", "shop.toml", "-o", "/dev/full", status=1)
    assert "No space left on device" in out
    words = ["start", "shop.toml", "-o", "items.jsonl", "--set", "concurrency_limit=4"]
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED, "300", *words],
        cwd=desk.folder.path,
        env=desk.folder.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode == 1, limited.stderr
    problem, advice = limited.stderr.strip().splitlines()[-2:]
    assert problem.startswith("error: cannot write the results to ")
    assert problem.endswith(".jsonl (for items.jsonl): File too large")  # the private lines of it
    command = advice.partition("complete them with: crawler ")[2]
    assert command.split() == words
    assert len(desk.folder.lines()) < 4
    desk.run(*command.split())
    assert len(names(desk)) == 4


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, which is full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if (
        mount is None
        or subprocess.run([mount, *options], check=False, capture_output=True).returncode
    ):
        pytest.skip("to mount a small disk takes root")
    with contextlib.suppress(OSError):
        (disk / "fill").write_bytes(b"x" * 100_000)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("-o", "{}/items.jsonl"), False),
        (("-o", "{}/items.csv"), False),
        (("--output", "{}/out"), False),
        (("-o", "items.jsonl"), True),
    ],
)
def test_on_a_full_disk_nothing_is_started_or_reset(words, state, shop, full_disk):
    if state:
        shop.folder.environ["CRAWLER_STATE_DIR"] = str(full_disk / "state")
    words = [word.format(full_disk) for word in words]
    said = shop.run("start", "shop.toml", *words, status=2)
    assert "No space left on device" in said
    assert len(said.strip().splitlines()) == 1
    assert Frontier.names(shop.redis) == []
    handle = shop.begin("/a")
    shop.run("start", "shop.toml", *words, "--reset", status=2)
    assert (handle.snapshot().generation, handle.counts["queued"]) == (1, 2)


def test_a_removed_or_full_file_is_said_while_the_crawl_goes_on(shop):
    words = ["300", "start", "shop.toml", "-o", "items.jsonl"]
    watcher = subprocess.Popen(
        [sys.executable, "-c", LIMITED, *words],
        cwd=shop.folder.path,
        env=shop.folder.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: queued(frontier_of(shop)), watcher)
    add(shop, 3)
    finish(frontier_of(shop))
    until(lambda: size(shop), watcher)
    (shop.folder.path / "items.jsonl").unlink()
    until(lambda: size(shop), watcher)  # written again
    # until a page is left, the crawl goes on
    finish(frontier_of(shop), "x" * 500)
    lines = iter(watcher.stderr.readline, "")
    assert any("was removed" in line for line in lines)
    assert any("File too large; the crawl goes on" in line for line in lines)
    finish(frontier_of(shop))
    finish(frontier_of(shop))
    _, said = watcher.communicate(timeout=PATIENCE)
    assert watcher.returncode == 1
    assert "complete them with: crawler start shop.toml -o items.jsonl" in said
    shop.run("start", "shop.toml", "-o", "items.jsonl")
    assert len(names(shop)) == len(set(names(shop))) == 4


# deaths


@pytest.mark.parametrize("cycles", [3, pytest.param(60, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", ["items.jsonl", "items.csv"])
def test_a_watcher_that_is_killed_again_and_again_doubles_and_loses_nothing(shop, cycles, name):
    chance = random.Random(cycles)
    watcher = start(shop, "-o", name)
    until(lambda: queued(frontier_of(shop)), watcher)
    pages = 1
    for cycle in range(cycles):
        count = chance.randrange(5, 40)
        add(shop, count, 100 * cycle)
        pages += count
        for _ in range(count - 1):  # one page stays, so the crawl goes on
            finish(frontier_of(shop), {"n": pages})
        end(watcher, signal.SIGKILL if chance.random() < 0.5 else chance.choice(POLITE))
        watcher = start(shop, "-o", name)
    for _ in range(cycles + 1):
        finish(frontier_of(shop), {"n": pages})
    _, said = watcher.communicate(timeout=PATIENCE)
    assert watcher.returncode == 0, said
    if name.endswith(".csv"):
        with (shop.folder.path / name).open(newline="") as file:
            found = sorted(row["url"] for row in csv.DictReader(file))
    else:
        found = names(shop)
    assert len(found) == len(set(found)) == pages


def end(process: subprocess.Popen[str], sign: signal.Signals) -> None:
    """Send ``sign`` until the process has ended: Python loses one that comes during an import."""
    while process.poll() is None:
        process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)


def test_of_two_watchers_one_writes_and_the_other_takes_over(shop):
    first = start(shop, "-o", "items.jsonl")
    until(lambda: queued(frontier_of(shop)), first)
    add(shop, 20)
    finish(frontier_of(shop))
    until(lambda: size(shop), first)
    shop.folder.environ["CRAWLER_STATE_DIR"] = str(shop.folder.path / "other")
    second = start(shop, "-o", "items.jsonl")
    third = start(shop, "-o", "third.jsonl")
    lines = iter(second.stderr.readline, "")
    assert any("another `crawler start` writes items.jsonl" in line for line in lines)
    until(lambda: size(shop, "third.jsonl"), third)
    first.kill()
    first.wait()
    for _ in range(20):
        finish(frontier_of(shop))
    for watcher in (second, third):
        _, said = watcher.communicate(timeout=PATIENCE)
        assert watcher.returncode == 0, said
    assert len(names(shop)) == len(set(names(shop))) == 21
    assert names(shop, "third.jsonl") == names(shop)


# beginning again


def test_a_restart_begins_again_after_the_end_and_else_goes_on(ended):
    # Given a crawl that has ended, and its file
    ended.run("start", "shop.toml", "-o", "items.jsonl")
    assert len(names(ended)) == 4
    assert "name one" in ended.run("start", "shop.toml", "--restart", "--reset", status=2)
    # When it is restarted, and a changed definition is started while it goes on
    first = start(ended, "-o", "items.jsonl", "--restart")
    until(lambda: queued(frontier_of(ended)) == 1, first)
    (ended.folder.path / "shop.toml").write_text(f"{DEFINITION}page_limit = 9\n")
    second = start(ended, "-o", "other.jsonl", "--restart")
    assert any("has changed, and is taken over" in line for line in second.stderr)
    # But one that starts elsewhere is refused
    elsewhere = DEFINITION.replace(SITE, "https://elsewhere.example")
    (ended.folder.path / "shop.toml").write_text(elsewhere)
    said = ended.run("start", "shop.toml", "-o", "third.jsonl", status=2)
    assert "starts at other hosts" in said
    # Then it went on, in its second generation, and the file holds that one
    finish(frontier_of(ended))
    for watcher in (first, second):
        watcher.communicate(timeout=PATIENCE)
        assert watcher.returncode == 0
    seen = frontier_of(ended).snapshot()
    assert (seen.generation, seen.done, len(names(ended))) == (2, 1, 1)


def test_the_results_of_an_unfinished_crawl_outlive_its_reset(shop):
    handle = shop.begin("/a", "/b")
    finish(handle.frontier)
    first = start(shop, "-o", "items.jsonl")
    until(lambda: size(shop), first)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=PATIENCE)
    before = (shop.folder.path / "items.jsonl").read_text()
    second = start(shop, "-o", "items.jsonl", "--reset")
    until(lambda: queued(frontier_of(shop)) == 1, second)
    finish(frontier_of(shop))
    _, said = second.communicate(timeout=PATIENCE)
    assert "the results of the crawl before are kept in items.jsonl.old" in said
    assert (shop.folder.path / "items.jsonl.old").read_text() == before
    assert len(names(shop)) == 1
    # an ended crawl is replaced
    third = start(shop, "-o", "items.jsonl", "--reset")
    until(lambda: queued(frontier_of(shop)), third)
    finish(frontier_of(shop))
    third.communicate(timeout=PATIENCE)
    assert not (shop.folder.path / "items.jsonl.old.2").exists()
    assert json.loads((shop.folder.path / "items.jsonl").read_text())["url"] == f"{SITE}/"


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("name", ["items.jsonl", "items.csv"])
def test_the_results_of_another_crawl_are_kept_beside_the_new_file(desk, name):
    # Given a file with the results of the crawl "shop"
    desk.run("start", "shop.toml", "-o", name)
    before = (desk.folder.path / name).read_bytes()
    other = DEFINITION.replace('"shop"', '"other"')
    (desk.folder.path / "other.toml").write_text(other)
    # When another crawl is to write there, it says no, unless it may begin with new files
    assert f"{name} exists" in desk.run("start", "other.toml", "-o", name, status=2)
    process = desk.folder.begin("start", "other.toml", "-o", name, "--reset")
    frontier = desk.client.frontier("other")
    until(lambda: queued(frontier), process)
    finish(frontier)
    _, said = process.communicate(timeout=PATIENCE)
    # Then neither result is lost
    assert (process.returncode, f"the crawl 'shop' are kept in {name}.old" in said) == (0, True)
    assert (desk.folder.path / f"{name}.old").read_bytes() == before
    assert len((desk.folder.path / name).read_text().splitlines()) == (1 if "json" in name else 2)


@pytest.mark.usefixtures("ended")
def test_a_table_that_was_moved_away_leaves_its_name_to_another_crawl(desk):
    # Given a table that was moved away, whose lines are still in the private state
    desk.run("start", "shop.toml", "-o", "items.csv")
    (desk.folder.path / "items.csv").rename(desk.folder.path / "mine.csv")
    (desk.folder.path / "other.toml").write_text(DEFINITION.replace('"shop"', '"other"'))
    # When another crawl writes a table there, then it has its own lines only
    process = desk.folder.begin("start", "other.toml", "-o", "items.csv")
    frontier = desk.client.frontier("other")
    until(lambda: queued(frontier), process)
    finish(frontier)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert len((desk.folder.path / "items.csv").read_text().splitlines()) == 2


@pytest.mark.usefixtures("ended")
def test_results_without_a_note_are_kept_beside_the_new_file(desk):
    # Given results of an installation whose private state is gone
    desk.run("start", "shop.toml", "-o", "items.jsonl")
    path = desk.folder.path / "items.jsonl"
    before = path.read_text().replace("shop.example", "books.example")
    path.write_text(before)
    for note in (desk.folder.path / "state" / "exports").iterdir():
        note.unlink()
    assert "exists and is not of this crawl" in desk.run(
        "start", "shop.toml", "-o", "items.jsonl", status=2
    )
    # When a crawl may begin with new files, then they are renamed
    process = start(desk, "-o", "items.jsonl", "--reset")
    until(lambda: queued(frontier_of(desk)), process)
    finish(frontier_of(desk))
    _, said = process.communicate(timeout=PATIENCE)
    assert "the results of the crawl before are kept in items.jsonl.old" in said
    assert (desk.folder.path / "items.jsonl.old").read_text() == before
    assert len(path.read_text().splitlines()) == 1
