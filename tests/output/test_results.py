"""Result files: each page's line once, whatever happens to whoever writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.errors import SetupError
from crawler.output.results import JsonLines


class Stream:
    """A stream of results, as the frontier gives them: the first ``trimmed`` of ``count`` are
    gone.
    """

    def __init__(self, count: int, trimmed: int = 0) -> None:
        self.entries = [
            (f"{n}-0", n, json.dumps({"url": f"http://a/{n}"}))
            for n in range(trimmed + 1, count + 1)
        ]

    def __call__(self, after: str) -> list[tuple[str, int, str]]:
        start = int(after.partition("-")[0])
        return [entry for entry in self.entries if entry[1] > start][:7]


def urls(path: Path) -> list[str]:
    return [json.loads(line)["url"] for line in path.read_text().splitlines()]


def expected(count: int) -> list[str]:
    return [f"http://a/{n}" for n in range(1, count + 1)]


def test_a_file_follows_the_stream_and_a_later_writer_continues_it(tmp_path):
    path = tmp_path / "items.jsonl"
    first = JsonLines(path, "books 1", tmp_path)
    assert first.follow(Stream(10)) == 10
    first.close()
    second = JsonLines(path, "books 1", tmp_path)
    assert second.follow(Stream(25)) == 15
    second.close()
    assert urls(path) == expected(25)


def test_lines_beyond_the_position_of_a_killed_writer_are_written_again(tmp_path):
    path = tmp_path / "items.jsonl"
    writer = JsonLines(path, "books 1", tmp_path)
    writer.follow(Stream(10))
    writer.close()
    # killed in the middle of a line, before it could note how far it had come
    with path.open("a") as file:
        file.write('{"url": "http://a/11"}\n{"url": "http://')
    again = JsonLines(path, "books 1", tmp_path)
    again.follow(Stream(12))
    again.close()
    assert urls(path) == expected(12)


def test_a_file_of_something_else_is_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("precious\n")
    with pytest.raises(SetupError, match="exists and is not of this crawl"):
        JsonLines(path, "books 1", tmp_path)
    assert path.read_text() == "precious\n"
    anew = JsonLines(path, "books 1", tmp_path, anew=True)
    anew.follow(Stream(3))
    anew.close()
    assert urls(path) == expected(3)


def test_another_crawl_of_the_name_continues_no_file_of_the_first(tmp_path):
    path = tmp_path / "items.jsonl"
    first = JsonLines(path, "books 1", tmp_path)
    first.follow(Stream(5))
    first.close()
    with pytest.raises(SetupError):
        JsonLines(path, "books 2", tmp_path)
    assert urls(path) == expected(5)


def test_results_that_were_trimmed_before_they_were_read_are_counted_as_lost(tmp_path):
    file = JsonLines(tmp_path / "items.jsonl", "books 1", tmp_path)
    file.follow(Stream(20, trimmed=8))
    file.close()
    assert file.lost == 8


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot write"):
        JsonLines(tmp_path / "file" / "items.jsonl", "books 1", tmp_path)
