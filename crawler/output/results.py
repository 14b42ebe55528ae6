"""Result files, written from the frontier's stream: each result once, also after a writer was
killed.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from ..errors import SetupError
from ..model import Json
from ..text.encodable import encodable, encodable_value

log = logging.getLogger(__name__)

#: Reads results after a stream id: (stream id, running number of the page, its line of JSON).
Read = Callable[[str], Sequence[tuple[str, int, str]]]


@dataclass(frozen=True, slots=True)
class Position:
    """The progress of a file: the last stream id, the running number of its page, and the length of
    the file by then, in bytes.
    """

    stream: str = "0"
    number: int = 0
    length: int = 0


class JsonLines:
    """A file with one JSON object per page, which follows the stream of one crawl.

    Its position is kept beside the private state, not in the file. The file is written before its
    position: after a crash the surplus is cut off and written again, so that no line is missing and
    no line is there twice. ``origin`` names the crawl and the time of its beginning; with another
    origin the file begins again, if ``anew`` allows to overwrite it.

    Raises:
        SetupError: the file cannot be written, or holds something else and ``anew`` is not set.
    """

    def __init__(self, path: Path, origin: str, state: Path, *, anew: bool = False) -> None:
        self.path = path
        self.origin = origin
        self.lost = 0
        name = blake2b(os.fsencode(path.absolute()), digest_size=8).hexdigest()
        self._memo = state / "exports" / f"{name}.json"
        try:
            self._memo.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.position, self._file = self._open(anew)
        except OSError as error:
            raise SetupError(f"cannot write the results to {path}: {error.strerror}") from error

    def _open(self, anew: bool) -> tuple[Position, BinaryIO]:
        known = self._recall()
        length = self.path.stat().st_size if self.path.exists() else 0
        if known and length >= known.length:
            file = self.path.open("r+b")
            file.truncate(known.length)
            file.seek(known.length)
            return known, file
        if length and not anew and not known:
            raise SetupError(
                f"{self.path} exists and is not of this crawl: choose another file, or --reset to"
                " begin anew and overwrite it"
            )
        return Position(), self.path.open("wb")

    def _recall(self) -> Position | None:
        try:
            memo = json.loads(self._memo.read_text())
            return Position(**memo["position"]) if memo["origin"] == self.origin else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            log.warning("%s cannot be read; %s begins anew", self._memo, self.path)
            return None

    def follow(self, read: Read) -> int:
        """Write the new results of the stream; return how many pages they are of."""
        written = 0
        while batch := read(self.position.stream):
            for stream, number, line in batch:
                self.lost += max(0, number - self.position.number - 1)
                data = encodable(line).encode() + b"\n"
                length = self.position.length + self._file.write(data)
                self.position = Position(stream, number, length)
            self._file.flush()
            written += len(batch)
        if written:
            self._remember()
        return written

    def _remember(self) -> None:
        os.fsync(self._file.fileno())
        text = json.dumps(
            {
                "origin": self.origin,
                "position": position_record(self.position),
                "file": str(self.path),
            }
        )
        temporary = self._memo.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self._memo)

    def close(self) -> None:
        """Close the file. A later writer continues it at this position."""
        self._file.close()


def position_record(position: Position) -> dict[str, Json]:
    """Return a position as JSON."""
    return {"stream": position.stream, "number": position.number, "length": position.length}


def write_lines(path: Path, records: Iterable[Mapping[str, Json]]) -> int:
    """Write ``records`` as JSON lines, whole or not at all; return how many."""
    temporary = path.with_name(path.name + ".new")
    count = 0
    with temporary.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(encodable_value(record), ensure_ascii=False) + "\n")
            count += 1
    temporary.replace(path)
    return count
