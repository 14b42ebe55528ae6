"""Exports of what is new: each item once over many of them, whatever dies in between."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from crawler.frontier.listing import Listing
from crawler.output.export import Rows, Stream, maker
from crawler.output.files.whole_files import WholeFile
from crawler.output.new_rows import ExportedRows
from tests.support.desk import SITE, finish


@pytest.fixture
def shop(desk):
    """A crawl with items of two pages, one of them with two that are alike."""
    handle = desk.begin("/a", "/b", "/c", concurrency_limit=1)
    finish(handle.frontier, {"n": 1})
    finish(handle.frontier, [{"n": 2}, {"n": 2}])
    return handle


def exported(desk, *words: str, file: str = "new.jsonl") -> list[object]:
    """What an export of what is new gives."""
    desk.run("export", "shop", "--new", "-o", file, *words)
    return [line["n"] for line in desk.folder.lines(file)]


def test_each_item_is_new_once_for_each_place(desk, shop):
    assert exported(desk) == [1, 2, 2]
    assert exported(desk) == []
    finish(shop.frontier, {"n": 3})
    assert exported(desk) == [3]
    assert exported(desk, file="other.jsonl") == [1, 2, 2, 3]
    # a place that has another file each time, a table, and standard output
    assert exported(desk, "--place", "day", file="1.jsonl") == [1, 2, 2, 3]
    assert exported(desk, "--place", "day", file="2.jsonl") == []
    desk.run("export", "shop", "--new", "-o", "new.csv")
    assert [row["n"] for row in table(desk)] == ["1", "2", "2", "3"]
    assert len(desk.run("export", "shop", "--new").splitlines()) == 4
    assert desk.run("export", "shop", "--new") == ""
    # pages are rows of their own
    words = ("export", "shop", "--new", "--pages", "-o", "new.csv")
    desk.run(*words)
    assert [row["items"] for row in table(desk)] == ["1", "2", "1"]
    desk.run(*words)
    assert table(desk) == []
    assert "--place is for --new" in desk.run("export", "shop", "--place", "x", status=2)
    # what somebody else wrote there stays, and is not taken for given
    (desk.folder.path / "mine.jsonl").write_text("precious\n")
    said = desk.run("export", "shop", "--new", "--place", "m", "-o", "mine.jsonl", status=2)
    assert "mine.jsonl exists" in said
    assert exported(desk, "--place", "m", file="free.jsonl") == [1, 2, 2, 3]


def table(desk) -> list[dict[str, str]]:
    with (desk.folder.path / "new.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_later_generation_gives_what_changed_and_what_was_missed(desk, shop):
    finish(shop.frontier, {"n": 3})
    assert exported(desk) == [1, 2, 2, 3]
    finish(shop.frontier, {"n": "missed"})
    assert shop.status.ended
    again = desk.client.start(shop.definition(), recrawl=True).handle
    again.enqueue([f"{SITE}/a", f"{SITE}/b", f"{SITE}/c"], again=True)
    again.frontier.recover()
    given = {"": {"n": 1}, "/a": [{"n": 2}, {"n": "new"}, {"n": 2}], "/b": {"n": 3}}
    while (page := next(iter(Listing(again.frontier).queued()), None)) is not None:
        finish(again.frontier, given.get(page.url.removeprefix(SITE).rstrip("/"), {"n": "missed"}))
    assert sorted(exported(desk)) == ["missed", "new"]
    assert exported(desk) == []


@pytest.mark.parametrize("moment", ["while it writes", "before it is there", "when it is there"])
@pytest.mark.usefixtures("shop")
def test_an_export_that_is_killed_gives_each_item_once(desk, moment):
    path, state = desk.folder.path / "new.jsonl", desk.client.settings.state_dir
    state = Path(desk.folder.environ["CRAWLER_STATE_DIR"])
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    else:
        die(desk, path, state, moment)
    got = [line["n"] for line in desk.folder.lines("new.jsonl")] if path.exists() else []
    path.unlink(missing_ok=True)  # taken away by who reads it
    assert got + exported(desk) == [1, 2, 2]
    assert exported(desk) == []
    left = [one.name for one in desk.folder.path.iterdir() if ".new" in one.name]
    assert (left == []) is (moment != "while it writes")


def die(desk, path: Path, state: Path, moment: str) -> None:
    """End this process in the midst of an export."""
    rows = Rows(Stream(Listing(desk.client.frontier("shop")).results))

    def put(temporary: Path) -> None:
        maker(new, "jsonl")(temporary)
        if moment == "while it writes":
            os._exit(9)

    def before(temporary: Path) -> None:
        memory.enter(temporary)
        if moment == "before it is there":
            os._exit(9)

    with ExportedRows(state, "shop", f"items {path}") as memory:
        new = memory.select(rows)
        WholeFile(path, state).write(put, before=before, undo=memory.undo)
        os._exit(9)
