"""The live view of one crawl or several: in a terminal a screen with keys, else a line now and
then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ..terminal import echo
from .crawl_state import CrawlState, CrawlWatch
from .plain_line import state_line

if TYPE_CHECKING:
    from ...model import Snapshot
    from .terminal_screen import TerminalScreen

#: Seconds between two lines in a log, and between two drawings of the screen.
LINE_INTERVAL, DRAW_INTERVAL = 10.0, 0.5
#: Messages that the screen shows.
SHOWN = 3

Action = Callable[[], object]


class LiveView:
    """Shows what ``watches`` see, by the name of the crawl, on standard error.

    ``actions`` are called when their key is pressed; ``keys`` says in words what there is, and may
    change with the state.
    """

    def __init__(
        self,
        watches: Mapping[str, CrawlWatch],
        *,
        actions: Mapping[str, Action] | None = None,
        keys: Callable[[], str] = lambda: "",
    ) -> None:
        self.watches = dict(watches)
        self.states: dict[str, CrawlState] = {}
        self.actions, self.keys = dict(actions or {}), keys
        self.total: int | None = None
        self.as_list = len(self.watches) != 1
        self.help = False
        self.said: set[str] = set()  # warnings, each once
        self.screen = _screen()
        self._last_line = time.monotonic()
        self._drawn = -DRAW_INTERVAL

    def show(self, snapshots: Sequence[Snapshot]) -> None:
        """Show ``snapshots``, which were read just now: at once on a screen, else when the next
        line is due. Keys that were pressed do what they say.
        """
        now = time.monotonic()
        for snapshot in snapshots:
            watch = self.watches[snapshot.name]
            if self.screen:
                self.states[snapshot.name] = watch.look(
                    snapshot, lists=not self.as_list, memory=snapshot is snapshots[0]
                )
            else:
                rate = watch.note(snapshot)
                if watch.ask(snapshot) and watch.still:
                    echo(f"{snapshot.name} stands still: {watch.still.line()}", err=True)
                if now - self._last_line >= LINE_INTERVAL:
                    echo(state_line(snapshot, rate), err=True)
        if now - self._last_line >= LINE_INTERVAL:
            self._last_line = now
        pressed = self.press()
        if pressed or now - self._drawn >= DRAW_INTERVAL:
            self.draw()

    @property
    def rows(self) -> int | None:
        """The rows of the window; None without one."""
        return self.screen.size[1] if self.screen else None

    def keep(self, names: Sequence[str], watch: Callable[[str], CrawlWatch]) -> None:
        """Show the crawls ``names`` from now on, and no others; ``watch`` makes what looks at one
        that is new.
        """
        self.watches = {name: self.watches.get(name) or watch(name) for name in names}
        self.states = {name: one for name, one in self.states.items() if name in self.watches}

    def press(self) -> bool:
        """Do what the keys say that were pressed. Return whether any was."""
        keys = self.screen.pressed() if self.screen else ""
        for key in keys:
            if key in "?h":
                self.help = not self.help
            elif key == "\x1b":
                self.help = False
            elif action := self.actions.get(key.lower()):
                action()
        return bool(keys)

    def draw(self) -> None:
        """Draw what was seen last."""
        if not self.screen or not (self.states or self.as_list):
            return
        self._drawn = time.monotonic()
        from .screen import Frame, crawl_lines, list_lines

        keys = self.keys() if self.screen.has_keys else "Ctrl-C"
        frame = Frame(keys, self.screen.messages.lines[-SHOWN:], self.help)
        width, height = self.screen.size
        states = list(self.states.values())
        if self.as_list:
            lines = list_lines(states, width, height, frame, total=self.total)
        else:
            lines = crawl_lines(states[0], width, height, frame)
        self.screen.draw(lines)

    def __enter__(self) -> LiveView:
        if self.screen:
            self.screen.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.screen:
            self.screen.close()


def _screen() -> TerminalScreen | None:
    """Return the screen of this terminal; without one, its library is not even loaded."""
    if not sys.stderr.isatty():
        return None
    from .terminal_screen import TerminalScreen, can_show

    return TerminalScreen(sys.stderr, sys.stdin) if can_show(sys.stderr) else None
