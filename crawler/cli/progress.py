"""The progress of a crawl: a live table in a terminal, else a line each ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from ..client.standstill import Standstill
from ..errors import CrawlerError
from ..model import Snapshot
from .terminal import echo

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

#: Seconds between two lines in a log.
LINE_INTERVAL = 10.0
#: Seconds without a page begun or done after which the display says why; and between two questions.
STILL_MIN, ASK_INTERVAL = 3.0, 2.0
#: Seconds that the shown pages/s look back.
RATE_WINDOW = 10.0


class Progress:
    """A display of snapshots on standard error. ``why`` says why the crawl stands still: it is
    asked when nothing has happened for a while.
    """

    def __init__(self, why: Callable[[], Standstill | None] = lambda: None) -> None:
        self.why = why
        self.still: Standstill | None = None
        self.changed = self.asked = time.monotonic()
        self.counts: tuple[object, ...] = ()
        self.live = live_display() if sys.stderr.isatty() else None
        self.last_line = time.monotonic()
        self.history: list[tuple[float, int]] = []

    def show(self, snapshot: Snapshot) -> None:
        """Show ``snapshot``: at once in a terminal, else when the next line is due."""
        now = time.monotonic()
        recent = [(when, done) for when, done in self.history if now - when <= RATE_WINDOW]
        self.history = [*recent, (now, snapshot.done)]
        self.ask(snapshot, now)
        if self.live:
            self.live.update(self.table(snapshot), refresh=True)
        elif now - self.last_line >= LINE_INTERVAL:
            self.last_line = now
            echo(self.line(snapshot), err=True)

    def ask(self, snapshot: Snapshot, now: float) -> None:
        """Ask why nothing happens, if nothing has for ``STILL_MIN`` seconds. In a log, each other
        reason gets a line.
        """
        counts = (snapshot.status, snapshot.done, snapshot.failed, snapshot.counts.get("started"))
        if counts != self.counts:
            self.counts, self.changed, self.still = counts, now, None
        elif now - self.changed >= STILL_MIN and now - self.asked >= ASK_INTERVAL:
            before, self.still = self.still, None
            with suppress(CrawlerError):  # Redis is away: the next snapshot says so
                self.still = self.why()
            self.asked = time.monotonic()
            known = before and before.reason
            if self.still and self.still.reason != known and not self.live:
                echo(f"{snapshot.name} stands still: {self.still.line()}", err=True)

    def rate(self) -> float:
        """Return pages per second over the last ``RATE_WINDOW`` seconds."""
        (start, first), (end, last) = self.history[0], self.history[-1]
        return (last - first) / (end - start) if end > start else 0.0

    def line(self, snapshot: Snapshot) -> str:
        """Return one line for a log."""
        failed = f", {snapshot.failed} failed" if snapshot.failed else ""
        hooks = f" {snapshot.delivering} for hooks," if snapshot.delivering else ""
        return (
            f"{snapshot.name}: {snapshot.status.value.lower()}, {snapshot.done} done{failed},"
            f" {snapshot.queued + snapshot.delayed} queued, {snapshot.processing} in flight,{hooks}"
            f" {self.rate():.1f} pages/s"
        )

    def table(self, snapshot: Snapshot) -> Table:
        """Return the live table."""
        from rich.table import Table

        hooks = f" · {snapshot.delivering} for hooks" if snapshot.delivering else ""
        title = f"{snapshot.name} · {snapshot.status.value.lower()}{hooks}"
        table = Table(title=title, title_justify="left")
        for column in ("done", "failed", "queued", "delayed", "in flight", "pages/s", "seconds"):
            table.add_column(column, justify="right", min_width=7)
        counts = [getattr(snapshot, name) for name in ("done", "failed", "queued", "delayed")]
        table.add_row(
            *map(str, [*counts, snapshot.processing]),
            f"{self.rate():.1f}",
            f"{snapshot.active:.0f}",
        )
        if self.still:
            table.caption, table.caption_justify = f"stands still: {self.still.line()}", "left"
        return table

    def __enter__(self) -> Progress:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.stop()


def live_display() -> Live:
    """Return a display in this terminal; without one, its library is not even loaded."""
    from rich.console import Console
    from rich.live import Live

    return Live(console=Console(stderr=True), auto_refresh=False, transient=True)
