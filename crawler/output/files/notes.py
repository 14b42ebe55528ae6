"""Notes in the private state about files that users know: whose each is, and how far it is
written. The files themselves are the truth.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ...local.private_files import make_private, write_private
from ...model import Json


@dataclass(frozen=True, slots=True)
class Position:
    """The progress of a file: the place in what it is made of and the number of the last thing that
    it took from there, its length in bytes and in lines.
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


def position_of(note: Mapping[str, Json]) -> Position:
    """Return the position that ``note`` holds; the beginning if it holds none of this version."""
    try:
        return Position(**note["position"])
    except (KeyError, TypeError):
        return Position()
