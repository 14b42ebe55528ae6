"""Result files: one JSON object per page, each page once, whatever dies and whatever is done to the
file.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from ..errors import SetupError
from ..local.private_files import check_space, make_private, open_private, write_private
from ..model import Json
from ..text.encodable import encodable

#: A result in the stream: its place, the running number of its page, its line of JSON.
Entry = tuple[str, int, str]
#: Reads results after a place in the stream.
Read = Callable[[str], Sequence[Entry]]

#: The fields of every line, by which a results file is known.
LINE_FIELDS = frozenset(("url", "final_url", "status", "depth", "data", "links", "ms"))
#: Bytes with which every line begins.
LINE_START = b'{"url":'
#: What the line of a page holds that was visited before; its item may hold it, too.
AGAIN = b'"again":true'
#: The end of an empty stream.
NOWHERE = ("0", 0)
#: Bytes that are collected before they are written.
CHUNK = 1_048_576
#: Bytes before the end of a file by which it is known again.
TAIL = 4_096
#: Seconds until a file that cannot be written is tried again.
RETRY_INTERVAL = 2.0
#: Seconds for which the end of a crawl waits for the other command that writes the file.
LOCK_WAIT = 5.0


class Source(Protocol):
    """The stream of one crawl's results."""

    def origin(self) -> str:
        """Return when the crawl was created, which tells it from another one of its name; "" if no
        such crawl exists.
        """

    def results_from(self, place: str) -> Sequence[Entry]:
        """Return results from the place ``place`` on, its own too; "0": from the oldest."""


@dataclass(frozen=True, slots=True)
class Position:
    """The progress of a file: the place in the stream and the running number of its last page, its
    length in bytes and in lines.
    """

    stream: str = "0"
    number: int = 0
    length: int = 0
    lines: int = 0


class Memo:
    """A note about a file, in the private state: whose it is, and how far it is written.

    The file itself is the truth. The note says that it is ours, and saves reading it again.
    """

    def __init__(self, state: Path, file: Path) -> None:
        self._file = str(file.absolute())
        name = blake2b(os.fsencode(self._file), digest_size=8).hexdigest()
        self.path = state / "exports" / f"{name}.json"

    def read(self) -> dict[str, Json]:
        """Return the note; empty if there is none, or none that can be read."""
        try:
            note = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def write(self, **note: Json) -> None:
        """Replace the note, whole or not at all. Where that fails, the file will be read again."""
        temporary = self.path.with_suffix(f".{os.getpid()}.new")
        with suppress(OSError):
            make_private(self.path.parent)
            write_private(temporary, json.dumps({"file": self._file, **note}).encode())
            temporary.replace(self.path)


class ResultsFile:
    """A file with one JSON object per page, which follows the stream of the crawl ``crawl``.

    Each result has a running number; the file notes the last one that it holds. If the note and the
    file differ (a writer was killed), or the stream went back (a fail-over lost its last second),
    the lines of the file are read, and the pages that it lacks are added: no line is missing, and
    no page is there twice. ``identity`` returns the id of a page, 32 hexadecimal digits, from its
    URL.

    One process at a time writes a file: it holds a lock. Another one that follows the crawl only
    waits for that lock.

    While the file cannot be written, ``problem`` says why, the crawl goes on, and the file is tried
    again. ``say`` gets each such line, once.
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
        self.path, self.crawl, self.source = path, crawl, source
        self._shown = shown or path  # the file that a user knows
        self.problem: str | None = None
        self.position = Position()
        self.held = False
        #: The other crawl whose results the file holds, if it is to be set aside; "": some crawl.
        self.other_crawl: str | None = None
        self._identity, self._say = identity, say
        self._memo = Memo(state, path)
        self._origin = ""
        self._fd = -1  # closed
        self._regular = True
        # pages of the file that a fail-over took out of the stream: they come again
        self._extra: set[int] = set()
        self._checked = False  # whether the file is known to hold what ``position`` says
        self._announced = False  # whether another command was said to write the file
        self._retry_at = 0.0

    # -- before the crawl begins

    def claim(self, *, reset: bool, replace: bool = False) -> None:
        """Open and lock the file, and check that it may be written. Nothing in it changes.

        ``reset``: it may hold results of any crawl; ``replace``: those that were written here for
        another one.

        Raises:
            SetupError: it cannot be written, or holds something else.
        """
        try:
            make_private(self.path.parent)
            if not self.path.is_char_device():
                check_space(self.path.parent)
            self._open()
        except OSError as error:
            raise SetupError(self._cannot(error)) from error
        try:
            self._check_claim(reset=reset, replace=replace or reset)
        except BaseException:
            self.close()
            raise

    def _check_claim(self, *, reset: bool, replace: bool) -> None:
        if not self.held:
            if reset:
                raise SetupError(f"another `crawler start` writes {self.path}: end it first")
            return
        self._origin = self.source.origin()
        self._recall()
        if replace and self._crawl_of_file() not in (None, self.crawl):
            self.other_crawl = self._crawl_of_file()
            return
        if self._checked or (reset and self._is_of_this_name()):
            return
        survey = self._survey()  # refuses what is no results file
        try:
            self._check_owner(survey)
        except SetupError:
            if not (reset and survey.lines):
                raise
            self.other_crawl = ""

    @property
    def size(self) -> int:
        """The length of the file in bytes."""
        return os.fstat(self._fd).st_size if self._fd >= 0 and self._regular else 0

    def set_aside(self) -> Path | None:
        """Rename the file, if it holds anything, so that a new one begins; return its new path."""
        if not self.size:
            return None
        try:
            aside = rename_aside(self.path)
            self._open()
        except OSError as error:
            raise SetupError(self._cannot(error)) from error
        return aside

    def begin(self) -> None:
        """Take note of the crawl that was started: the file follows it from now on."""
        self._origin = self.source.origin()
        self._recall()

    # -- while it goes on

    @property
    def lost(self) -> int:
        """How many results were gone from Redis before they reached the file."""
        return max(0, self.position.number - self.position.lines)

    def follow(self, *, last: bool = False) -> None:
        """Write the new results of the stream. ``last``: the crawl has ended, so try now, also
        after a failure, and wait for another command that writes the file.
        """
        if not last and time.monotonic() < self._retry_at:
            return
        try:
            if self._is_ready(last=last):
                self._catch_up()
        except OSError as error:
            self._note_problem(self._cannot(error), last=last)
        except SetupError as error:
            self._note_problem(str(error), last=last)
        else:
            if self.problem and self.held:
                self._say(f"{self.path} can be written again")
            self.problem = None

    def close(self) -> None:
        """Close the file. A later writer continues it at this position."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self.held = -1, False

    # -- opening

    def _open(self) -> None:
        """Open the file again, and try to lock it."""
        self.close()
        self._checked = False
        if self.path.exists() and not is_file_or_device(self.path):
            raise SetupError(
                f"{self.path} is no file that can be continued after an interruption; for a pipe:"
                f" crawler export {self.crawl} | ..."
            )
        self._regular = not self.path.is_char_device()
        kind = os.O_RDWR | os.O_CREAT if self._regular else os.O_WRONLY | os.O_NOCTTY
        self._fd = open_private(self.path, kind)
        self.held = not self._regular or self._lock()

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: the user sees to it
            return True
        return True

    def _is_ready(self, *, last: bool) -> bool:
        """Whether the file may be written: it is open, locked, and where it was."""
        if self._fd < 0:
            self._open_again()
        elif self._regular and self._identify() != file_identity(self.path):
            gone = "was replaced" if self.path.exists() else "was removed"
            self._say(f"warning: {self.path} {gone}: its results are written again")
            self._open_again()
        if self.held:
            return True
        end = time.monotonic() + (LOCK_WAIT if last else 0.0)
        while not (free := self._lock()) and time.monotonic() < end:
            time.sleep(0.1)
        if free:
            self.held = True
            self._recall()
            return True
        if last:
            raise SetupError(f"another `crawler start` still writes {self.path}")
        if not self._announced:
            self._say(f"another `crawler start` writes {self.path}: this one only watches")
            self._announced = True
        return False

    def _open_again(self) -> None:
        make_private(self.path.parent)
        self._open()
        self._recall()

    def _identify(self) -> tuple[int, int]:
        status = os.fstat(self._fd)
        return status.st_dev, status.st_ino

    def _recall(self) -> None:
        """Set the position by the note, if it is of this crawl and fits the file."""
        self.position, self._extra = Position(), set()
        self._checked = not self.size
        note = self._memo.read()
        if self.size and note.get("origin") == self._key and self._is_at(note, whole=True):
            self.position = position_of(note)
            self._extra = {int(page, 16) for page in note.get("extra", ())}
            self._checked = True

    # -- writing

    def _catch_up(self) -> None:
        """Write what the stream has and the file has not."""
        if self._regular and self.size != self.position.length:
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
        if self._regular:
            os.ftruncate(self._fd, survey.length)  # a last line that is not whole
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
                self._write(data, entry, lines)
                data, lines = bytearray(), 0

    def _write(self, data: bytearray, entry: Entry, lines: int) -> None:
        """Write ``data``, whose last line is that of ``entry``, behind what is there."""
        known = self.position
        try:
            written = 0
            while written < len(data):
                rest = memoryview(data)[written:]
                if self._regular:
                    written += os.pwrite(self._fd, rest, known.length + written)
                else:
                    written += os.write(self._fd, rest)
        except OSError:
            if self._regular:
                with suppress(OSError):
                    os.ftruncate(self._fd, known.length)
            raise
        length = known.length + len(data)
        self.position = Position(entry[0], entry[1], length, known.lines + lines)

    def _remember(self) -> None:
        if not self._regular:
            return
        os.fsync(self._fd)
        self._memo.write(
            origin=self._key,
            crawl=self.crawl,
            position=asdict(self.position),
            tail=self._tail(self.position.length),
            extra=[f"{page:x}" for page in sorted(self._extra)],
        )

    # -- whose it is

    @property
    def _key(self) -> str:
        return f"{self.crawl} {self._origin}"

    def _is_at(self, note: Mapping[str, Json], *, whole: bool) -> bool:
        """Whether the file holds what ``note`` says, and, with ``whole``, nothing behind it."""
        position = position_of(note)
        fits = self.size == position.length if whole else self.size >= position.length
        return fits and note.get("tail") == self._tail(position.length)

    def _tail(self, end: int) -> str:
        start = max(0, end - TAIL)
        return blake2b(os.pread(self._fd, end - start, start), digest_size=8).hexdigest()

    def _crawl_of_file(self) -> str | None:
        """Return the name of the crawl for which the file was written here; None: it was not, or
        was changed since.
        """
        note = self._memo.read()
        return str(note["crawl"]) if "crawl" in note and self._is_at(note, whole=True) else None

    def _is_of_this_name(self) -> bool:
        """Whether the file holds results of a crawl of this name, an earlier one too."""
        note = self._memo.read()
        if note.get("crawl") != self.crawl or not self._is_at(note, whole=False):
            return False
        for _ in self._lines(position_of(note).length):
            pass
        return True

    def _check_owner(self, survey: Survey) -> None:
        """Raise SetupError if the file holds lines, and they are not of this crawl."""
        note = self._memo.read()
        mine, known = note.get("origin") == self._key, self._is_at(note, whole=False)
        if survey.torn and not (mine or survey.shared or self._is_in_stream(survey.torn)):
            raise SetupError(self._foreign)
        if not survey.lines or (mine and (known or survey.common)):
            return
        if known and note.get("crawl") == self.crawl:
            raise SetupError(
                f"{self._shown} holds the results of an earlier crawl {self.crawl!r}: move it away,"
                " choose another file, or begin again with --reset"
            )
        if 2 * survey.shared <= survey.common:
            raise SetupError(self._foreign)

    def _is_in_stream(self, start: bytes) -> bool:
        """Whether a line of the stream begins so."""
        return any(
            line_of(entry[2]).startswith(start)
            for batch in batches(self.source.results_from)
            for entry in batch
        )

    @property
    def _foreign(self) -> str:
        return (
            f"{self._shown} exists and is not of this crawl: move it away, or choose another file"
            " (nothing was written to it)"
        )

    def _check_origin(self) -> None:
        """Raise SetupError if the crawl that the file follows is no longer the one in Redis."""
        if self.source.origin() != self._origin:
            raise SetupError(
                f"the crawl {self.crawl!r} was begun again elsewhere: {self.path} stays as it is,"
                " with results of the earlier one"
            )

    def _survey(self) -> Survey:
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
        survey = Survey(missing=set(pages), last=last)
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

    def _lines(self, start: int) -> Iterator[tuple[bytes, str]]:
        """Yield the lines of the file from ``start`` on, and the URL of each; "" for a last line
        that is not whole.

        Raises:
            SetupError: one is no result, so the file is not ours.
        """
        if not self._regular:
            return
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    # the last line of a writer that was killed; zeros after a loss of power
                    if not (LINE_START.startswith(line[:7]) or not line.strip(b"\0")):
                        raise SetupError(self._foreign)
                    yield line, ""
                    return
                yield line, self._url(line)

    def _url(self, line: bytes) -> str:
        try:
            record = json.loads(line) if line.startswith(LINE_START) else None
        except ValueError:
            record = None
        if not isinstance(record, dict) or not record.keys() >= LINE_FIELDS:
            raise SetupError(self._foreign)
        return str(record["url"])

    # -- saying so

    def _cannot(self, error: OSError) -> str:
        return f"cannot write the results to {self.path}: {error.strerror or error}"

    def _note_problem(self, text: str, *, last: bool) -> None:
        if text != self.problem and not last:
            self._say(f"warning: {text}; the crawl goes on")
        self.problem = text
        self._retry_at = time.monotonic() + RETRY_INTERVAL


@dataclass(slots=True)
class Survey:
    """A file compared with the stream.

    ``lines`` and ``length`` (bytes) are of its whole lines, ``torn`` follows them; ``last`` is the
    place and the number of the stream's end. ``missing`` are pages that the file lacks, ``extra``
    those that the stream has lost. ``common`` counts the lines whose page is in both, ``shared``
    those that are the same in both, byte for byte: two crawls have few of them, as their times
    differ.
    """

    missing: set[int]
    last: tuple[str, int]
    lines: int = 0
    length: int = 0
    torn: bytes = b""
    extra: set[int] = field(default_factory=set)
    shared: int = 0
    common: int = 0


def batches(read: Callable[[str], Sequence[Entry]]) -> Iterator[Sequence[Entry]]:
    """Yield all results of a stream that is read from a place on, its own too."""
    place = "0"
    while batch := read(place):
        if place != "0" and batch[0][0] == place:
            batch = batch[1:]
            if not batch:
                return
        yield batch
        place = batch[-1][0]


def visit_of(line: bytes) -> int:
    """Return a number for a further visit of a page by its ``line``."""
    return int.from_bytes(blake2b(line, digest_size=16).digest(), "big")


def line_of(text: str) -> bytes:
    """Return a result as the line of a file."""
    return encodable(text).encode() + b"\n"


def position_of(note: Mapping[str, Json]) -> Position:
    """Return the position that ``note`` holds; the beginning if it holds none of this version."""
    try:
        return Position(**note["position"])
    except (KeyError, TypeError):
        return Position()


def is_file_or_device(path: Path) -> bool:
    """Whether ``path`` is an ordinary file, or a device such as /dev/null."""
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISCHR(mode)


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return numbers that stand for the file at ``path``; None if none is there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def rename_aside(path: Path) -> Path:
    """Rename ``path`` to the first free one of ``path.old``, ``path.old.2``, …; return it."""
    number = 1
    while True:
        suffix = ".old" if number == 1 else f".old.{number}"
        aside = path.with_name(path.name + suffix)
        if not os.path.lexists(aside):
            break
        number += 1
    path.rename(aside)
    return aside
