"""Files that are written whole or not at all: tables, exports, reports. None of somebody else's is
overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from ...errors import SetupError
from ...local.private_files import check_space, make_private, write_private
from ...model import Json
from ...text.encodable import encodable_value
from .locked_file import rename_aside
from .notes import Memo

#: Bytes that are read at once.
BLOCK = 1_048_576
#: The kind of a file of items or pages.
ROWS = "rows"


class WholeFile:
    """A file that we replace as a whole, if it is still as we left it.

    A note in the private state holds digests of what was written, and its ``kind``: a report does
    not replace rows, nor rows a report. ``is_ours`` may know a file by its content, too. ``advice``
    ends the line that refuses to overwrite a file of somebody else.
    """

    def __init__(
        self,
        path: Path,
        state: Path,
        *,
        advice: str = "move it away, or choose another file",
        overwrite: bool = False,
        is_ours: Callable[[Path], bool] = lambda _: False,
        kind: str = ROWS,
    ) -> None:
        self.path, self.overwrite, self.kind = path, overwrite, kind
        self._advice, self._is_ours = advice, is_ours
        self._memo = Memo(state, path)

    @property
    def spool(self) -> Path:
        """The file in the private state that collects the results of a table."""
        return self._memo.path.with_suffix(".jsonl")

    @property
    def is_device(self) -> bool:
        """Whether the path is a device or a pipe, which is written to and never replaced."""
        return self.path.exists() and not self.path.is_file()

    def check(self) -> None:
        """Raise SetupError if the file is not ours, or cannot be written."""
        try:
            if self.path.is_dir():
                raise SetupError(f"cannot write the results to {self.path}: it is a folder")
            make_private(self.path.parent)
            if not self.is_device:
                check_space(self.path.parent)
            if not self.is_device and not os.access(self.path.parent, os.W_OK):
                raise PermissionError(None, "its folder cannot be written")
            if self.overwrite or not self.path.is_file() or not self.path.stat().st_size:
                return
            known = digest_of_file(self.path) in self._digests() or self._knows()
        except OSError as error:
            raise SetupError(self._cannot(error)) from error
        if not known:
            raise SetupError(
                f"{self.path} exists, and is not as this crawl left it: {self._advice} (nothing was"
                " written to it)"
            )

    def write(
        self,
        make: Callable[[Path], None],
        *,
        before: Callable[[Path], None] = lambda _: None,
        undo: Callable[[], None] = lambda: None,
    ) -> None:
        """Let ``make`` write a new file, and put it in the place of the old one. It is for its
        owner only, unless the old one had another mode. ``before`` is called with the new file just
        before that, and ``undo`` if it fails, while the new file is still there.

        Raises:
            SetupError: the file is not ours, or cannot be written.
        """
        if self.is_device:
            self.check()
            return self._make(make, self.path)
        target = self.path.resolve() if self.path.is_symlink() else self.path
        temporary = target.with_name(f"{target.name}.{os.getpid()}.new")
        try:
            write_private(temporary, b"")
            if target.is_file():
                temporary.chmod(target.stat().st_mode & 0o777)  # as its owner wants it
            self._make(make, temporary)
            digest = digest_of_file(temporary)
            if not target.is_file() or digest_of_file(target) != digest:
                self.check()
            # noted before the file is replaced: a process that dies in between leaves a known one
            self._memo.write(kind=self.kind, digests=[digest, *self._digests()[:1]])
            before(temporary)
            temporary.replace(target)
        except OSError as error:
            undo()
            raise SetupError(self._cannot(error)) from error
        except BaseException:
            undo()
            raise
        finally:
            temporary.unlink(missing_ok=True)

    def set_aside(self) -> Path | None:
        """Rename the file, if it is there; return its new path."""
        if not self.path.is_file() or not self.path.stat().st_size:
            return None
        try:
            return rename_aside(self.path)
        except OSError as error:
            raise SetupError(self._cannot(error)) from error

    def _make(self, make: Callable[[Path], None], path: Path) -> None:
        try:
            make(path)
        except OSError as error:
            raise SetupError(self._cannot(error)) from error

    def _knows(self) -> bool:
        try:
            return self._is_ours(self.path)
        except (ValueError, AttributeError):  # no JSON, or other JSON
            return False

    def _digests(self) -> list[Json]:
        note = self._memo.read()
        digests = note.get("digests", [])
        return digests if note.get("kind", ROWS) == self.kind and isinstance(digests, list) else []

    def _cannot(self, error: OSError) -> str:
        return f"cannot write the results to {self.path}: {error.strerror or error}"


def digest_of_file(path: Path) -> str:
    """Return a digest of the bytes of a file."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def put_lines(path: Path, records: Iterable[Mapping[str, Json]]) -> None:
    """Write ``records`` as JSON lines to ``path``."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(encodable_value(record), ensure_ascii=False) + "\n")


def put_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``."""
    path.write_text(text, encoding="utf-8")
