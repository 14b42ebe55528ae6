"""The file of a crawl's pages: one JSON object per page, each page once, whatever dies and whatever
is done to the file. Files of items are made of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from ...errors import SetupError
from ...model import Json
from .followed_file import FollowedFile, Survey
from .notes import Position
from .result_stream import NOWHERE, Entry, Source, batches, line_of

#: The fields of every line, by which a file of pages is known.
LINE_FIELDS = frozenset(("url", "final_url", "status", "depth", "data", "links", "ms"))
#: Bytes with which every line begins.
LINE_START = b'{"url":'
#: What the line of a page holds that was visited before; its item may hold it, too.
AGAIN = b'"again":true'
#: Bytes that are collected before they are written.
CHUNK = 1_048_576


@dataclass(slots=True)
class PagesSurvey(Survey):
    """A file of pages compared with the stream. Two crawls share few lines, as their times differ.

    ``last`` is the place and the number of the stream's end. ``missing`` are pages that the file
    lacks, ``extra`` those that the stream has lost.
    """

    missing: set[int] = field(default_factory=set)
    extra: set[int] = field(default_factory=set)
    last: tuple[str, int] = NOWHERE


class PagesFile(FollowedFile):
    """A file with one JSON object per page, which follows the stream of the crawl ``crawl``.

    Each result has a running number; the file notes the last one that it holds. If the note and the
    file differ, or the stream went back (a fail-over lost its last second), the lines of the file
    are read, and the pages that it lacks are added: no line is missing, and no page is there twice.
    ``identity`` returns the id of a page, 32 hexadecimal digits, from its URL.
    """

    def __init__(
        self,
        path: Path,
        crawl: str,
        source: Source,
        state: Path,
        *,
        identity: Callable[[str], str],
        say: Callable[[str], None],
        shown: Path | None = None,
    ) -> None:
        super().__init__(path, crawl, source, state, say=say, shown=shown)
        self._identity = identity
        # pages of the file that a fail-over took out of the stream: they come again
        self._extra: set[int] = set()

    @property
    def lost(self) -> int:
        """How many results were gone from Redis before they reached the file."""
        return max(0, self.position.number - self.position.lines)

    def tail(self, end: int) -> str:
        """Return a digest of the bytes before ``end``."""
        return self._file.tail(end)

    def lines_from(self, start: int) -> Iterator[bytes]:
        """Yield the lines that are written, from the byte ``start`` on."""
        left = self.position.length - start
        for line in self._file.lines(start):
            left -= len(line)
            if left < 0:
                return
            yield line

    def _recalled(self, note: Mapping[str, Json]) -> None:
        self._extra = {int(page, 16) for page in note.get("extra", ())}

    def _noted(self) -> dict[str, Json]:
        return {"extra": [f"{page:x}" for page in sorted(self._extra)]}

    # -- writing

    def _catch_up(self) -> None:
        """Write what the stream has and the file has not."""
        if self._file.regular and self.size != self.position.length:
            self._checked = False
        before = self.position
        while True:
            if not self._checked and not self._reconcile():
                break
            known = self.position
            batch = self.source.results_from(known.stream)
            if known.stream != "0":
                if not batch or batch[0][:2] != (known.stream, known.number):
                    self._checked = False  # trimmed meanwhile, or the stream went back
                    continue
                batch = batch[1:]
            elif batch:
                self._check_origin()
            if not batch:
                break
            self._append(batch)
        if self.position != before:
            self._remember()

    def _reconcile(self) -> bool:
        """Read the file and the stream, and add to the file the pages that it lacks. False: the
        stream holds nothing that can be compared.
        """
        self._check_origin()
        survey = self._survey()
        self._check_owner(survey)
        self._file.cut(survey.length)  # a last line that is not whole
        self.position = Position("0", 0, survey.length, survey.lines)
        self._extra = set()
        if survey.last == NOWHERE:
            self._checked = not survey.lines
            return self._checked
        missing = survey.missing
        for batch in batches(self.source.results_from):
            new = [entry for entry in batch if self._page_of(entry[2]) in missing]
            missing.difference_update(self._page_of(entry[2]) for entry in new)
            self._append(new)
            if not missing:
                break
        place, number = survey.last
        self.position = Position(place, number, self.position.length, self.position.lines)
        self._extra = survey.extra
        self._checked = True
        return True

    def _append(self, entries: Sequence[Entry]) -> None:
        data, lines = bytearray(), 0
        for entry in entries:
            if self._extra and (page := self._page_of(entry[2])) in self._extra:
                self._extra.discard(page)  # the file has it from before the fail-over
            else:
                data += line_of(entry[2])
                lines += 1
            if len(data) >= CHUNK or entry is entries[-1]:
                self._add(data, entry[0], entry[1], lines)
                data, lines = bytearray(), 0

    # -- comparing it with the stream

    def _survey(self) -> PagesSurvey:
        """Compare the file with the stream."""
        pages: set[int] = set()
        lines: set[int] = set()
        first, last = 0, NOWHERE
        for batch in batches(self.source.results_from):
            first = first or batch[0][1]
            last = batch[-1][:2]
            for entry in batch:
                pages.add(self._page_of(entry[2]))
                lines.add(hash(line_of(entry[2])))
        survey = PagesSurvey(missing=set(pages), last=last)
        for line, url in self._lines(0):
            if not url:
                survey.torn = line
                break
            page = self._page_of(line.decode()[:-1]) if AGAIN in line else self._page(url)
            survey.lines, survey.length = survey.lines + 1, survey.length + len(line)
            survey.shared += hash(line) in lines
            survey.missing.discard(page)
            if page in pages:
                survey.common += 1
            elif survey.common or survey.lines >= first:
                survey.extra.add(page)  # not of the results that were trimmed: they lie before
        return survey

    def _page(self, url: str) -> int:
        return int(self._identity(url), 16)

    def _page_of(self, text: str) -> int:
        """Return a number for the page of a result; a further visit has one of its own."""
        record = json.loads(text)
        return visit_of(line_of(text)) if record.get("again") else self._page(record["url"])

    def _is_in_stream(self, start: bytes) -> bool:
        return any(
            line_of(entry[2]).startswith(start)
            for batch in batches(self.source.results_from)
            for entry in batch
        )

    def _is_torn(self, line: bytes) -> bool:
        return LINE_START.startswith(line[:7])

    def _url(self, line: bytes) -> str:
        try:
            record = json.loads(line) if line.startswith(LINE_START) else None
        except ValueError:
            record = None
        if not isinstance(record, dict) or not record.keys() >= LINE_FIELDS:
            raise SetupError(self._foreign)
        return str(record["url"])


def visit_of(line: bytes) -> int:
    """Return a number for a further visit of a page by its ``line``."""
    return int.from_bytes(blake2b(line, digest_size=16).digest(), "big")
