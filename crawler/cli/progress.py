"""The progress of a crawl: a live table in a terminal, else a line each ten seconds."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..model import Snapshot
from .group import echo

#: Seconds between two lines in a log.
LINE_INTERVAL = 10.0
#: Seconds that the shown pages/s look back.
RATE_WINDOW = 10.0


class Progress:
    """A display of snapshots on standard error."""

    def __init__(self) -> None:
        self.live = (
            Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            if sys.stderr.isatty()
            else None
        )
        self.last_line = time.monotonic()
        self.history: list[tuple[float, int]] = []

    def show(self, snapshot: Snapshot) -> None:
        """Show ``snapshot``: at once in a terminal, else when the next line is due."""
        now = time.monotonic()
        recent = [(when, done) for when, done in self.history if now - when <= RATE_WINDOW]
        self.history = [*recent, (now, snapshot.done)]
        if self.live:
            self.live.update(self.table(snapshot), refresh=True)
        elif now - self.last_line >= LINE_INTERVAL:
            self.last_line = now
            echo(self.line(snapshot), err=True)

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
