"""An open file that one process at a time adds lines to."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from ...errors import SetupError
from ...local.private_files import open_private

#: Bytes before a place in a file by which it is known again.
TAIL = 4_096


class LockedFile:
    """The file at ``path``: a regular one, which is locked while it is written, or a device, which
    only takes what is written to it. ``held``: it is ours to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held = False
        self.regular = True
        self._fd = -1  # closed

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._fd >= 0

    @property
    def size(self) -> int:
        """The length of the file in bytes; 0 for a device."""
        return os.fstat(self._fd).st_size if self.is_open and self.regular else 0

    def open(self, advice: str) -> None:
        """Open the file, and try to lock it. Raises SetupError, with ``advice``: it is neither file
        nor device; OSError.
        """
        self.close()
        if self.path.exists() and not is_file_or_device(self.path):
            raise SetupError(
                f"{self.path} is no file that can be continued after an interruption; {advice}"
            )
        self.regular = not self.path.is_char_device()
        kind = os.O_RDWR | os.O_CREAT if self.regular else os.O_WRONLY | os.O_NOCTTY
        self._fd = open_private(self.path, kind)
        self.held = not self.regular or self.lock()

    def lock(self) -> bool:
        """Try to lock the open file; return whether it is locked."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: the user sees to it
            return True
        return True

    def close(self) -> None:
        """Close the file, and give its lock back."""
        if self.is_open:
            os.close(self._fd)
        self._fd, self.held = -1, False

    def is_replaced(self) -> bool:
        """Whether another file, or none, is at its path now."""
        if not self.regular:
            return False
        status = os.fstat(self._fd)
        return (status.st_dev, status.st_ino) != file_identity(self.path)

    def tail(self, end: int) -> str:
        """Return a digest of the bytes before ``end``, by which the file is known again."""
        start = max(0, end - TAIL)
        return blake2b(os.pread(self._fd, end - start, start), digest_size=8).hexdigest()

    def write(self, data: bytes | bytearray, length: int) -> None:
        """Write ``data`` behind the first ``length`` bytes, whole or not at all. Raises OSError."""
        try:
            written = 0
            while written < len(data):
                rest = memoryview(data)[written:]
                if self.regular:
                    written += os.pwrite(self._fd, rest, length + written)
                else:
                    written += os.write(self._fd, rest)
        except OSError:
            with suppress(OSError):
                self.cut(length)
            raise

    def cut(self, length: int) -> None:
        """Cut the file to ``length`` bytes. A device stays as it is."""
        if self.regular:
            os.ftruncate(self._fd, length)

    def sync(self) -> None:
        """Bring what was written to the disk."""
        if self.regular:
            os.fsync(self._fd)

    def lines(self, start: int) -> Iterator[bytes]:
        """Yield the lines from the byte ``start`` on; the last one may lack its end."""
        if not self.regular:
            return
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(start)
            yield from file


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
