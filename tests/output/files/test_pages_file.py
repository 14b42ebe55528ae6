"""Result files: each page's line once, whatever happens to whoever writes them, to the file, or to
the stream.
"""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from crawler.cli.start_files import FrontierResults
from crawler.errors import SetupError
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import Page, page_id
from crawler.output.files.pages_file import PagesFile
from tests.support.frontier import plan, take


class Crawl:
    """A crawl with ``count`` pages in its queue, on a real frontier, whose pages are done by
    hand.
    """

    def __init__(self, redis, count: int, **policy) -> None:
        self.redis = redis
        self.frontier = Frontier(redis, "books")
        self.frontier.create(plan(concurrency_limit=1_000, **policy))
        self.frontier.enqueue(Page(f"http://a/{n}") for n in range(1, count + 1))

    def finish(self, count: int) -> None:
        """Do ``count`` pages."""
        for _ in range(count):
            self.report(take(self.frontier))

    def report(self, claim) -> None:
        url = claim.page.url
        record = {"url": url, "final_url": url, "status": 200, "depth": 0, "data": None}
        text = json.dumps(record | {"links": 0, "ms": 1}, separators=(",", ":"))
        self.frontier.finish(claim, url, result=text)

    def saved(self) -> dict[bytes, bytes]:
        """The state of Redis, to be restored."""
        return {key: self.redis.dump(key) for key in self.redis.scan_iter()}

    def restore(self, state: dict[bytes, bytes]) -> None:
        """Lose what was done since ``saved``, as a fail-over does; pages in flight come back."""
        self.redis.flushdb()
        for key, value in state.items():
            self.redis.restore(key, 0, value)
        self.frontier.recover()


class Desk:
    """Where results files are written."""

    def __init__(self, folder: Path, crawl: Crawl) -> None:
        self.folder, self.crawl = folder, crawl
        self.path = folder / "items.jsonl"
        self.said: list[str] = []

    def file(self, *, state: str = "state", path: Path | None = None, reset: bool = False):
        """A file that follows the crawl, as another process opens it."""
        source = FrontierResults(self.crawl.frontier)
        path = path or self.path
        state_dir = self.folder / state
        file = PagesFile(path, "books", source, state_dir, identity=page_id, say=self.said.append)
        file.claim(reset=reset)
        file.begin()
        return file

    def write(self, **options) -> PagesFile:
        """Bring the file up to date once, and close it."""
        file = self.file(**options)
        file.follow(last=True)
        file.close()
        return file

    def urls(self) -> list[str]:
        return [json.loads(line)["url"] for line in self.path.read_text().splitlines()]


@pytest.fixture
def desk(redis, tmp_path) -> Desk:
    """A crawl of thirty pages, ten of them done."""
    crawl = Crawl(redis, 30)
    crawl.finish(10)
    return Desk(tmp_path, crawl)


def expected(count: int) -> list[str]:
    return [f"http://a/{n}" for n in range(1, count + 1)]


def test_a_file_follows_the_stream_and_a_later_writer_continues_it(desk):
    desk.write()
    assert desk.urls() == expected(10)
    desk.crawl.finish(15)
    assert desk.write().lost == 0
    assert desk.urls() == expected(25)
    assert desk.said == []


@pytest.mark.parametrize("surplus", [0, 1, 4])
@pytest.mark.parametrize("torn", [b"", b"{", b'{"url":"http://a/', b"\0\0\0"])
def test_lines_beyond_the_note_of_a_killed_writer_are_there_once(desk, surplus, torn):
    desk.write()
    desk.crawl.finish(6)
    more = [line for _, _, line in Listing(desk.crawl.frontier).results()][10 : 10 + surplus]
    with desk.path.open("ab") as file:
        file.write("".join(f"{line}\n" for line in more).encode() + torn)
    desk.write()
    assert desk.urls() == expected(16)


def test_a_file_of_something_else_is_never_overwritten(desk):
    for precious in ("precious\n", '{"url": "http://a/1"}\n', '{"url":"a line"}', "\x00\x01", "\0"):
        desk.path.write_text(precious)
        for reset in (False, True):
            with pytest.raises(SetupError, match="is not of this crawl"):
                desk.write(reset=reset)
        assert desk.path.read_text() == precious


def test_another_crawl_of_the_name_continues_no_file_of_the_first(desk, redis):
    desk.write()
    before = desk.path.read_bytes()
    desk.crawl.frontier.clear()
    desk.crawl = Crawl(redis, 5)
    desk.crawl.finish(5)
    with pytest.raises(SetupError, match=r"earlier crawl 'books'.*--reset"):
        desk.write()
    assert desk.path.read_bytes() == before
    desk.file(reset=True)  # it may be replaced when that is asked for


@pytest.mark.parametrize("is_alive", [True, False])
def test_results_that_a_fail_over_lost_come_again_and_are_there_once(desk, is_alive):
    # Given a file with fifteen pages, of which Redis loses five
    file = desk.file()
    file.follow()
    state = desk.crawl.saved()
    desk.crawl.finish(5)
    file.follow()
    desk.crawl.restore(state)
    if is_alive:
        file.follow()
    # When they are done again in another order, some before the next look and some after it
    claims = [take(desk.crawl.frontier) for _ in range(8)]
    for claim in reversed(claims[2:]):
        desk.crawl.report(claim)
    if not is_alive:
        file.close()
        file = desk.file()
    file.follow()
    for claim in claims[:2]:
        desk.crawl.report(claim)
    file.follow()
    file.close()
    desk.crawl.finish(12)
    # Then each page is there once, whoever writes on
    assert desk.write().lost == 0
    assert sorted(desk.urls()) == sorted(expected(30))


def test_pages_of_a_fail_over_are_remembered_by_the_next_writer(desk):
    file = desk.file()
    state = desk.crawl.saved()
    desk.crawl.finish(5)
    file.follow()
    desk.crawl.restore(state)
    desk.crawl.finish(2)  # 11 and 12 again; 13 to 15 are in the file only
    file.follow()
    file.close()
    desk.crawl.finish(18)
    desk.write()
    assert sorted(desk.urls()) == sorted(expected(30))


def test_a_stream_that_lost_everything_doubles_nothing(desk):
    file = desk.file()
    desk.crawl.finish(5)
    file.follow()
    desk.crawl.redis.delete(desk.crawl.frontier.key("results"))
    file.follow()
    file.close()
    desk.crawl.finish(5)
    desk.write()
    assert desk.urls() == expected(20)


def test_a_copy_and_a_writer_with_another_state_continue_the_file(desk, tmp_path):
    desk.write()
    desk.crawl.finish(5)
    desk.write(state="other")
    assert desk.urls() == expected(15)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(desk.path.read_bytes())
    desk.crawl.finish(5)
    desk.write()  # its note is of before the other's lines
    assert desk.urls() == expected(20)
    desk.write(path=copy)
    assert copy.read_bytes() == desk.path.read_bytes()


def test_one_of_two_writers_waits_and_takes_over_from_the_other(desk):
    first, second = desk.file(), desk.file(state="other")
    first.follow()
    desk.crawl.finish(3)
    second.follow()
    assert desk.said == [f"another `crawler start` writes {desk.path}: this one only watches"]
    assert desk.urls() == expected(10)
    first.close()
    second.follow()
    assert desk.urls() == expected(13)
    second.close()


def test_a_writer_beside_a_running_one_may_not_begin_anew(desk):
    first = desk.file()
    with pytest.raises(SetupError, match="another `crawler start` writes"):
        desk.file(reset=True)
    first.close()


def test_a_file_that_is_removed_is_said_and_written_again(desk):
    file = desk.file()
    file.follow()
    desk.path.unlink()
    desk.crawl.finish(2)
    file.follow()
    assert desk.said == [f"warning: {desk.path} was removed: its results are written again"]
    assert desk.urls() == expected(12)
    file.close()


def test_a_file_that_was_cut_or_sorted_is_completed(desk):
    desk.write()
    lines = desk.path.read_text().splitlines(keepends=True)
    desk.path.write_text("".join(sorted(lines, reverse=True)[:6])[:-3])
    desk.write()
    assert sorted(desk.urls()) == sorted(expected(10))


def test_a_file_that_becomes_somebody_elses_is_left_alone(desk):
    file = desk.file()
    file.follow()
    desk.path.unlink()
    desk.path.write_text("precious\n")
    desk.crawl.finish(2)
    file.follow(last=True)
    assert "is not of this crawl" in file.problem
    assert desk.path.read_text() == "precious\n"
    desk.path.unlink()
    file.follow(last=True)
    assert file.problem is None
    assert desk.urls() == expected(12)
    file.close()


def test_a_full_disk_is_said_once_and_completed_later(desk):
    # Given room for four lines and a half
    file = desk.file()
    file.follow()
    line = desk.path.stat().st_size // 10
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    desk.crawl.finish(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (desk.path.stat().st_size + 4 * line, hard))
    try:
        file.follow(last=False)
        file.follow(last=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(desk.said) == 1
    assert "File too large; the crawl goes on" in desk.said[0]
    assert all(url in expected(20) for url in desk.urls())  # no half line
    # When there is room again
    file.follow(last=True)
    assert desk.urls() == expected(20)
    assert desk.said[1:] == [f"{desk.path} can be written again"]
    file.close()


def test_a_crawl_that_is_begun_again_elsewhere_leaves_the_file(desk, redis):
    file = desk.file()
    file.follow()
    before = desk.path.read_bytes()
    desk.crawl.frontier.clear()
    desk.crawl = Crawl(redis, 5)
    desk.crawl.finish(5)
    file.follow(last=True)
    assert "begun again elsewhere" in file.problem
    assert desk.path.read_bytes() == before
    file.close()


def test_results_that_were_trimmed_before_they_were_read_are_counted_as_lost(desk):
    desk.crawl.redis.xtrim(desk.crawl.frontier.key("results"), 2, approximate=False)
    assert desk.write().lost == 8


def test_results_that_were_trimmed_after_they_were_read_are_not_lost(desk):
    desk.write()
    desk.crawl.finish(12)
    desk.crawl.redis.xtrim(desk.crawl.frontier.key("results"), 12, approximate=False)
    assert desk.write().lost == 0
    assert desk.urls() == expected(22)


def test_a_path_that_is_no_file_is_one_clear_error(desk, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot write"):
        desk.write(path=tmp_path / "file" / "items.jsonl")
    with pytest.raises(SetupError, match="is no file"):
        desk.write(path=tmp_path)


def test_each_visit_has_its_line_after_a_writer_was_killed(desk):
    frontier, lines = desk.crawl.frontier, []
    for visit in range(3):
        frontier.enqueue([Page("http://a/1")], again=True, front=True)
        claim = take(frontier)
        facts = {"url": claim.page.url, "final_url": claim.page.url, "status": 200, "depth": 0}
        record = facts | {"data": visit, "links": 0, "ms": 1, "again": True}
        lines.append(json.dumps(record, separators=(",", ":")))
        frontier.finish(claim, claim.page.url, result=lines[-1])
        if visit == 1:
            desk.write()
    # the writer is killed in the midst of a line, and its note is lost
    with desk.path.open("ab") as file:
        file.write(lines[-1].encode()[:20])
    desk.write(state="other")
    assert desk.path.read_text().splitlines()[-3:] == lines
    assert len(desk.urls()) == 13
