"""A file that follows a crawl while it goes on: claimed before, continued after an interruption,
and never written over what is somebody else's.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import SetupError
from ...local.private_files import check_space, make_private
from ...model import Json
from .locked_file import LockedFile, rename_aside
from .notes import Memo, Position, position_of
from .result_stream import Source

#: Seconds until a file that cannot be written is tried again.
RETRY_INTERVAL = 2.0
#: Seconds for which the end of a crawl waits for the other command that writes the file.
LOCK_WAIT = 5.0


@dataclass(slots=True)
class Survey:
    """A file compared with what it is made of.

    ``lines`` and ``length`` (bytes) are of its whole lines, ``torn`` follows them. ``common``
    counts the lines about things that are in both, ``shared`` those that are the same in both,
    byte for byte.
    """

    lines: int = 0
    length: int = 0
    torn: bytes = b""
    shared: int = 0
    common: int = 0


class FollowedFile(ABC):
    """A file of lines about the crawl ``crawl``, which follows it.

    A note in the private state says whose the file is, and how far it is written. If the note and
    the file differ (a writer was killed, or somebody changed the file), its lines are read, and
    those that it lacks are added.

    One process at a time writes a file: it holds a lock. Another one that follows the crawl only
    waits for that lock.

    While the file cannot be written, ``problem`` says why, the crawl goes on, and the file is tried
    again. ``say`` gets each such line, once. ``shown`` is the file that a user knows, if it is
    another one.
    """

    def __init__(
        self,
        path: Path,
        crawl: str,
        source: Source,
        state: Path,
        *,
        say: Callable[[str], None],
        shown: Path | None = None,
    ) -> None:
        self.path, self.crawl, self.source = path, crawl, source
        self.shown = shown or path
        self.problem: str | None = None
        self.position = Position()
        #: The other crawl whose results the file holds, if it is to be set aside; "": some crawl.
        self.other_crawl: str | None = None
        self._say = say
        self._memo = Memo(state, path)
        self._file = LockedFile(path)
        self._origin = ""
        self._checked = False  # whether the file is known to hold what ``position`` says
        self._announced = False  # whether another command was said to write the file
        self._retry_at = 0.0

    # -- for each kind of file

    @abstractmethod
    def _catch_up(self) -> None:
        """Write what the file has not. Raises OSError, SetupError."""

    @abstractmethod
    def _survey(self) -> Survey:
        """Compare the file with the stream. Raises SetupError: a line of it is none of ours."""

    @abstractmethod
    def _is_torn(self, line: bytes) -> bool:
        """Whether ``line``, the last one of the file, may be the beginning of one of ours."""

    @abstractmethod
    def _url(self, line: bytes) -> str:
        """Return the URL in a whole line. Raises SetupError: it is none of ours."""

    @abstractmethod
    def _is_in_stream(self, start: bytes) -> bool:
        """Whether a line that the stream gives begins with ``start``."""

    @abstractmethod
    def _recalled(self, note: Mapping[str, Json]) -> None:
        """Take what else the ``note`` says that fits the file; {}: none does."""

    @abstractmethod
    def _noted(self) -> dict[str, Json]:
        """Return what else the note is to say."""

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
                raise SetupError(f"another `crawler start` writes {self.shown}: end it first")
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
    def held(self) -> bool:
        """Whether the file is open, and ours to write."""
        return self._file.held

    @property
    def size(self) -> int:
        """The length of the file in bytes."""
        return self._file.size

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

    def follow(self, *, last: bool = False) -> None:
        """Write what is new. ``last``: the crawl has ended, so try now, also after a failure, and
        wait for another command that writes the file.
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
                self._say(f"{self.shown} can be written again")
            self.problem = None

    def close(self) -> None:
        """Close the file. A later writer continues it at this position."""
        self._file.close()

    # -- opening

    def _open(self) -> None:
        """Open the file again, and try to lock it."""
        self._checked = False
        self._file.open(f"for a pipe: crawler export {self.crawl} | ...")

    def _is_ready(self, *, last: bool) -> bool:
        """Whether the file may be written: it is open, locked, and where it was."""
        if not self._file.is_open:
            self._open_again()
        elif self._file.is_replaced():
            gone = "was replaced" if self.path.exists() else "was removed"
            self._say(f"warning: {self.path} {gone}: its results are written again")
            self._open_again()
        if self.held:
            return True
        end = time.monotonic() + (LOCK_WAIT if last else 0.0)
        while not (free := self._file.lock()) and time.monotonic() < end:
            time.sleep(0.1)
        if free:
            self._file.held = True
            self._recall()
            return True
        if last:
            raise SetupError(f"another `crawler start` still writes {self.shown}")
        if not self._announced:
            self._say(f"another `crawler start` writes {self.shown}: this one only watches")
            self._announced = True
        return False

    def _open_again(self) -> None:
        make_private(self.path.parent)
        self._open()
        self._recall()

    def _recall(self) -> None:
        """Set the position by the note, if it is of this crawl and fits the file."""
        self.position = Position()
        self._checked = not self.size
        note = self._memo.read()
        if self.size and note.get("origin") == self._key and self._is_at(note, whole=True):
            self.position = position_of(note)
            self._checked = True
            self._recalled(note)
        else:
            self._recalled({})

    # -- writing

    def _add(self, data: bytes | bytearray, stream: str, number: int, lines: int) -> None:
        """Write ``data``, which are so many ``lines``, behind what is there: then the file holds
        what it is made of up to the place ``stream`` and ``number``.
        """
        known = self.position
        self._file.write(data, known.length)
        self.position = Position(stream, number, known.length + len(data), known.lines + lines)

    def _remember(self) -> None:
        if not self._file.regular:
            return
        self._file.sync()
        self._memo.write(
            origin=self._key,
            crawl=self.crawl,
            position=asdict(self.position),
            tail=self._file.tail(self.position.length),
            **self._noted(),
        )

    # -- whose it is

    @property
    def _key(self) -> str:
        return f"{self.crawl} {self._origin}"

    def _is_at(self, note: Mapping[str, Json], *, whole: bool) -> bool:
        """Whether the file holds what ``note`` says, and, with ``whole``, nothing behind it."""
        position = position_of(note)
        fits = self.size == position.length if whole else self.size >= position.length
        return fits and note.get("tail") == self._file.tail(position.length)

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
                f"{self.shown} holds the results of an earlier crawl {self.crawl!r}: move it away,"
                " choose another file, or begin again with --reset"
            )
        if 2 * survey.shared <= survey.common:
            raise SetupError(self._foreign)

    @property
    def _foreign(self) -> str:
        return (
            f"{self.shown} exists and is not of this crawl: move it away, or choose another file"
            " (nothing was written to it)"
        )

    def _check_origin(self) -> None:
        """Raise SetupError if the crawl that the file follows is no longer the one in Redis."""
        if self.source.origin() != self._origin:
            raise SetupError(
                f"the crawl {self.crawl!r} was begun again elsewhere: {self.shown} stays as it is,"
                " with results of the earlier one"
            )

    def _lines(self, start: int) -> Iterator[tuple[bytes, str]]:
        """Yield the lines of the file from ``start`` on, and the URL of each; "" for a last line
        that is not whole.

        Raises:
            SetupError: one is none of ours, so the file is not.
        """
        for line in self._file.lines(start):
            if not line.endswith(b"\n"):
                # the last line of a writer that was killed; zeros after a loss of power
                if line.strip(b"\0") and not self._is_torn(line):
                    raise SetupError(self._foreign)
                yield line, ""
                return
            yield line, self._url(line)

    # -- saying so

    def _cannot(self, error: OSError) -> str:
        of = "" if self.shown == self.path else f" (for {self.shown})"
        return f"cannot write the results to {self.path}{of}: {error.strerror or error}"

    def _note_problem(self, text: str, *, last: bool) -> None:
        if text != self.problem and not last:
            self._say(f"warning: {text}; the crawl goes on")
        self.problem = text
        self._retry_at = time.monotonic() + RETRY_INTERVAL
