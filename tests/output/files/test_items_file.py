"""Item files: each item once, whatever happens to whoever writes them, or to the file."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from crawler.cli.start_files import FrontierResults
from crawler.errors import SetupError
from crawler.frontier.frontier import Frontier
from crawler.model import Page, page_id
from crawler.output.files.items_file import ItemsFile
from crawler.output.files.pages_file import PagesFile
from crawler.output.items import item_rows
from tests.support.frontier import plan, take

#: What pages give, in turn: nothing, an item, some that are alike, one that is no object, one with
#: a URL of its own.
GIVEN = (None, {"n": 1}, [{"n": 2}, {"n": 2}, {}, None], "text", {"n": 3, "url": "http://b/"}, [])
#: The items of so many pages.
ITEMS = 5


class Desk:
    """A crawl whose pages are done by hand, and the files that follow it."""

    def __init__(self, redis, folder: Path) -> None:
        self.frontier = Frontier(redis, "books")
        self.frontier.create(plan(concurrency_limit=1_000))
        self.frontier.enqueue(Page(f"http://a/{n}") for n in range(60))
        self.folder, self.path, self.state = folder, folder / "items.jsonl", folder / "state"
        self.said: list[str] = []
        self.done = 0

    def finish(self, count: int = len(GIVEN)) -> None:
        for _ in range(count):
            claim, data = take(self.frontier), GIVEN[self.done % len(GIVEN)]
            url = claim.page.url
            record = {"url": url, "final_url": url, "status": 200, "depth": 0, "data": data}
            text = json.dumps(record | {"links": 0, "ms": self.done}, separators=(",", ":"))
            self.frontier.finish(claim, url, result=text)
            self.done += 1

    def write(self, pages: str = "pages.jsonl", *, reset: bool = False) -> None:
        """Bring the files up to date, as another process does."""
        source = FrontierResults(self.frontier)
        path, say = self.folder / pages, self.said.append
        file = PagesFile(path, "books", source, self.state, identity=page_id, say=say)
        items = ItemsFile(self.path, file, self.state, say=say)
        with closing(file), closing(items):
            for one in (file, items):
                one.claim(reset=reset)
            for one in (file, items):
                one.begin()
                one.follow(last=True)
            assert [one.problem for one in (file, items)] == [None, None]

    def lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def desk(redis, tmp_path) -> Desk:
    """A crawl of which some pages are done, and its files."""
    desk = Desk(redis, tmp_path)
    desk.finish()
    desk.write()
    return desk


def test_each_item_is_a_row_with_the_url_of_its_page(desk):
    rows = [json.loads(line) for line in desk.lines()]
    assert rows == [
        {"url": "http://a/1", "n": 1},
        *[{"url": "http://a/2", "n": 2}] * 2,
        {"url": "http://a/3", "data": "text"},
        {"n": 3, "url": "http://b/"},
    ]
    pages = map(json.loads, (desk.folder / "pages.jsonl").read_text().splitlines())
    assert [row for page in pages for row in item_rows(page)] == rows


def test_a_file_that_ends_anywhere_is_completed_with_each_item_once(desk):
    whole = desk.path.read_bytes()
    lines = sorted(desk.lines())
    for end in range(0, len(whole), 3):  # the note says more, or less, than the file holds
        desk.path.write_bytes(whole[:end])
        desk.write()
        assert desk.path.read_bytes() == whole
    for end in (len(whole) // 2, len(whole)):
        for lost in ("state/exports", "."):  # the notes are gone, or the pages are, too
            for note in [*(desk.folder / lost).glob("*.json"), desk.folder / "pages.jsonl"]:
                note.unlink(missing_ok=True)
            desk.path.write_bytes(whole[:end])
            desk.write()
            assert sorted(desk.lines()) == lines
    desk.finish()
    desk.path.write_bytes(whole + b'{"url":"http://a/7","n"')
    desk.write()
    assert len(desk.lines()) == 2 * ITEMS
    desk.path.write_bytes(b"".join(reversed(desk.lines()[2:])))
    (desk.folder / "pages.jsonl").rename(desk.folder / "moved.jsonl")
    desk.finish()
    desk.write()
    desk.write("other.jsonl")
    assert len(desk.lines()) == 3 * ITEMS
    assert sorted(desk.lines())[:1] == [b'{"n":3,"url":"http://b/"}\n']


def test_items_of_something_else_are_never_overwritten(desk):
    for precious in (
        "precious\n",
        '{"url": "http://a/1"}\n',
        '{"title":"a line"}\n',
        "[1]\n",
        '{"a',
    ):
        desk.path.write_text(precious)
        for note in (desk.state / "exports").iterdir():
            note.unlink()
        with pytest.raises(SetupError, match="is not of this crawl"):
            desk.write()
        assert desk.path.read_text() == precious
    # and with notes: the lines of an earlier crawl of the name
    desk.path.unlink()
    desk.write()
    desk.frontier.clear()
    desk.frontier.create(plan(concurrency_limit=1_000))
    (desk.folder / "pages.jsonl").unlink()
    with pytest.raises(SetupError, match="of an earlier crawl 'books'"):
        desk.write()
    assert len(desk.lines()) == ITEMS
