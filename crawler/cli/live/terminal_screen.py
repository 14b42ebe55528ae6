"""The terminal while the live view has it: a screen of its own, keys one by one, and as it was
before again at the end, however that comes.
"""

from __future__ import annotations

import io
import logging
import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from .layout import ASCII

#: Signals that would end this process, or show its core, with the terminal as the view has it.
FATAL = (signal.SIGHUP, signal.SIGQUIT)
#: Lines of messages that are kept for the end.
MESSAGES_MAX = 1_000


def can_show(stream: TextIO | None) -> bool:
    """Whether ``stream`` is a terminal on which a view can be drawn, before which somebody sits."""
    if stream is None or not stream.isatty():
        return False
    return not Console(file=stream).is_dumb_terminal and in_foreground(stream.fileno())


def in_foreground(descriptor: int) -> bool:
    """Whether this process may use its terminal: it does not run in the background of a shell."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # it is not the terminal of this session
        return True


class Messages(io.StringIO):
    """Takes what is written to standard error while the view is there, for its last lines and for
    the end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def write(self, text: str) -> int:
        """Take ``text``."""
        super().write(text)
        *whole, rest = self.getvalue().split("\n")
        if whole:
            self.lines = (self.lines + whole)[-MESSAGES_MAX:]
            self.seek(0)
            self.truncate()
            super().write(rest)
        return len(text)

    def take(self) -> list[str]:
        """Return all lines, and forget them."""
        lines = [*self.lines, *filter(None, [self.getvalue()])]
        self.lines = []
        self.seek(0)
        self.truncate()
        return lines


class TerminalScreen:
    """A screen of its own on the terminal behind ``stream``, and the keys of ``keyboard``.

    Ctrl-Z gives the terminal back and takes it again; text for standard error is kept until the
    view is over.
    """

    def __init__(self, stream: TextIO, keyboard: TextIO | None) -> None:
        self.console = Console(file=stream, highlight=False)
        self.ascii = not (self.console.encoding or "").lower().startswith("utf")
        self.messages = Messages()
        self._stream = stream
        self._live: Live | None = None
        self._keys: int | None = None
        self._before: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._logs: list[logging.StreamHandler[Any]] = []
        with suppress(OSError, ValueError, AttributeError):
            if keyboard is not None and keyboard.isatty():
                self._keys = keyboard.fileno()

    @property
    def size(self) -> tuple[int, int]:
        """The columns and rows of the window at this moment."""
        width, height = self.console.size
        return width, height

    @property
    def has_keys(self) -> bool:
        """Whether somebody can press keys."""
        return self._keys is not None

    def open(self) -> None:
        """Take the terminal."""
        self._take()
        sys.stderr = self.messages
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                handler.setStream(self.messages)
                self._logs.append(handler)
        self._handle(signal.SIGTSTP, self._suspend)
        for number in FATAL:
            self._handle(number, self._die)

    def _handle(self, number: int, handler: Callable[[int, FrameType | None], None]) -> None:
        self._handlers[number] = signal.signal(number, handler)

    def _take(self) -> None:
        if self._live is not None or not in_foreground(self._stream.fileno()):
            return
        self._live = Live(
            console=self.console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        if self._keys is not None and self._before is None:
            with suppress(termios.error):
                self._before = termios.tcgetattr(self._keys)
                now = termios.tcgetattr(self._keys)
                now[3] &= ~(termios.ICANON | termios.ECHO)  # Ctrl-C and Ctrl-Z stay signals
                termios.tcsetattr(self._keys, termios.TCSADRAIN, now)

    def _give_back(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError, ValueError):  # the terminal may be gone
                live.stop()
        before, self._before = self._before, None
        if before is not None and self._keys is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSADRAIN, before)

    def close(self) -> None:
        """Give the terminal back, and print what was written to standard error meanwhile."""
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        for log in self._logs:
            log.setStream(self._stream)
        self._logs.clear()
        if sys.stderr is self.messages:
            sys.stderr = self._stream
        with suppress(OSError):
            for line in self.messages.take():
                self._stream.write(f"{line}\n")
            self._stream.flush()

    def draw(self, lines: Iterable[Text]) -> None:
        """Show ``lines``; nothing, while this process is in the background."""
        self._take()  # it may have come back to the foreground
        if self._live is None:
            return
        shown = list(lines)
        if self.ascii:
            for line in shown:
                plain = line.plain.translate(ASCII)
                line.plain = plain.encode(self.console.encoding, "replace").decode(
                    self.console.encoding
                )
        with suppress(OSError):
            self._live.update(Group(*shown), refresh=True)

    def pressed(self) -> str:
        """Return the keys that were pressed since the last call."""
        if self._keys is None or self._before is None or not in_foreground(self._keys):
            return ""
        try:
            if not select.select([self._keys], [], [], 0)[0]:
                return ""
            typed = os.read(self._keys, 64)
        except OSError:
            typed = b""
        if not typed:  # the terminal is gone
            self._keys = None
        return typed.decode("utf-8", "ignore")

    # -- signals

    def _suspend(self, number: int, _frame: FrameType | None) -> None:
        """Stop as Ctrl-Z asks, without the screen, and take it again on ``fg``."""
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # it goes on
        signal.signal(number, self._suspend)
        self._take()

    def _die(self, number: int, _frame: FrameType | None) -> None:
        """End by this signal, with the terminal as it was."""
        self.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
