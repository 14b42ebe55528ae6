"""A terminal of a given size for a command, and what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from tests.support.patience import PATIENCE

#: What takes a screen of its own, and what gives the terminal back.
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class PseudoTerminal:
    """Runs ``command`` as a shell in a terminal would: it can be stopped by Ctrl-Z."""

    def __init__(
        self, command: list[str], cwd: Path, env: dict[str, str], size: tuple[int, int] = (80, 24)
    ) -> None:
        self.ours, self.theirs = pty.openpty()
        columns, rows = size
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.seen = b""
        self.process = subprocess.Popen(
            command,
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            cwd=cwd,
            env={"TERM": "xterm-256color", **env},
            preexec_fn=self._control,
        )

    @staticmethod
    def _control() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def until(self, *texts: bytes | str) -> bytes:
        """Read until all ``texts`` were shown since the last call; return what was shown."""
        wanted = [text.encode() if isinstance(text, str) else text for text in texts]
        end = time.monotonic() + PATIENCE
        while not all(text in self.seen for text in wanted):
            assert time.monotonic() < end, self.seen[-3_000:].decode(errors="replace")
            self._read()
        shown, self.seen = self.seen, b""
        return shown

    def _read(self) -> None:
        if select.select([self.ours], [], [], 0.1)[0]:
            self.seen += os.read(self.ours, 65_536)

    def wait(self) -> tuple[int, bytes]:
        """Return the exit status, and what was shown since the last ``until``."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen[-3_000:].decode(errors="replace")
            self._read()
        while select.select([self.ours], [], [], 0)[0]:
            self._read()
        return self.process.returncode, self.seen

    def is_as_before(self) -> bool:
        """Whether the terminal is set as it was before the command."""
        return termios.tcgetattr(self.theirs) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)
