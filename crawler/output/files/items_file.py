"""A file with one JSON object per item, made of the file of pages while the crawl goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ...errors import SetupError
from ...model import Json
from ..items import item_lines
from .followed_file import FollowedFile, Survey
from .notes import Position
from .pages_file import CHUNK, PagesFile
from .result_stream import batches, line_of


class ItemsFile(FollowedFile):
    """A file with one JSON object per item of the file ``pages``, in its order.

    It notes how many bytes of ``pages`` are in it. If the note and the file differ (a writer was
    killed), or ``pages`` is no longer the one that it was made of, the lines of both are compared,
    and the items that the file lacks are added: none is missing, and none is there twice.
    """

    def __init__(
        self, path: Path, pages: PagesFile, state: Path, *, say: Callable[[str], None]
    ) -> None:
        super().__init__(path, pages.crawl, pages.source, state, say=say)
        self.pages = pages
        self._pages_tail = ""

    def _recalled(self, note: Mapping[str, Json]) -> None:
        self._pages_tail = str(note.get("pages_tail", ""))

    def _noted(self) -> dict[str, Json]:
        return {"pages_tail": self._pages_tail}

    # -- writing

    def _catch_up(self) -> None:
        if self._file.regular and self.size != self.position.length:
            self._checked = False
        before, end = self.position, self.pages.position.length
        if before.number and (
            before.number > end or self._pages_tail != self.pages.tail(before.number)
        ):
            self._checked = False  # the pages are in another file, or were changed there
        if self._checked:
            self._append(self.pages.lines_from(before.number), before.number)
        else:
            self._reconcile()
        if self.position != before:
            self._pages_tail = self.pages.tail(self.position.number)
            self._remember()

    def _append(self, pages: Iterable[bytes], start: int) -> None:
        """Add the items of lines of the file of pages, which begin at its byte ``start``."""
        data, lines = bytearray(), 0
        for page in pages:
            start += len(page)
            for text in item_lines([page]):
                data += line_of(text)
                lines += 1
            if len(data) >= CHUNK:
                self._add(data, "", start, lines)
                data, lines = bytearray(), 0
        if data or start > self.position.number:
            self._add(data, "", start, lines)

    def _reconcile(self) -> None:
        """Compare the file with the file of pages, and add the items that it lacks."""
        wanted = Counter(map(hash, self._lines_of_pages()))
        survey = self._compare(self._lines_of_pages(), wanted)
        self._check_owner(survey)
        self._file.cut(survey.length)  # a last line that is not whole
        self.position = Position("", 0, survey.length, survey.lines)
        data, lines = bytearray(), 0
        for line in self._lines_of_pages() if wanted.total() else ():
            if wanted[key := hash(line)] > 0:
                wanted[key] -= 1
                data += line
                lines += 1
            if len(data) >= CHUNK:
                self._add(data, "", 0, lines)
                data, lines = bytearray(), 0
        self._add(data, "", self.pages.position.length, lines)
        self._checked = True

    # -- comparing it

    def _lines_of_pages(self) -> Iterator[bytes]:
        return map(line_of, item_lines(self.pages.lines_from(0)))

    def _lines_of_stream(self) -> Iterator[bytes]:
        for batch in batches(self.source.results_from):
            yield from map(line_of, item_lines(entry[2] for entry in batch))

    def _survey(self) -> Survey:
        """Compare the file with the stream: the file of pages may not hold all of it yet."""
        wanted = Counter(map(hash, self._lines_of_stream()))
        return self._compare(self._lines_of_stream(), wanted)

    def _compare(self, lines: Iterable[bytes], wanted: Counter[int]) -> Survey:
        """Compare the file with ``lines``; what it holds is taken out of ``wanted``, which counts
        them by their hash.
        """
        urls = {hash(str(json.loads(line)["url"])) for line in lines} if self.size else set()
        survey = Survey()
        for line, url in self._lines(0):
            if not line.endswith(b"\n"):
                survey.torn = line
                break
            survey.lines, survey.length = survey.lines + 1, survey.length + len(line)
            survey.common += hash(url) in urls
            if wanted[key := hash(line)] > 0:
                wanted[key] -= 1
                survey.shared += 1
        return survey

    def _is_in_stream(self, start: bytes) -> bool:
        return any(line.startswith(start) for line in self._lines_of_stream())

    def _is_torn(self, line: bytes) -> bool:
        return line.startswith(b"{")

    def _url(self, line: bytes) -> str:
        try:
            row = json.loads(line) if line.startswith(b"{") else None
        except ValueError:
            row = None
        if not isinstance(row, dict) or "url" not in row:
            raise SetupError(self._foreign)
        return str(row["url"])
