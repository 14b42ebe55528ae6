"""How a crawl gets on: live in a terminal, else a line each ten seconds."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..model import Snapshot

#: Seconds between two lines in a log.
LINE_INTERVAL = 10.0
#: Seconds that the shown pages/s look back.
RATE_WINDOW = 10.0


class Progress:
    """Shows snapshots on standard error."""

    def __init__(self) -> None:
        self.live = (
            Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            if sys.stderr.isatty()
            else None
        )
        self.last_line = time.monotonic()
        self.history: list[tuple[float, int]] = []

    def show(self, seen: Snapshot) -> None:
        """Show ``seen``."""
        now = time.monotonic()
        self.history = [
            (when, done) for when, done in self.history if now - when <= RATE_WINDOW
        ] + [(now, seen.done)]
        if self.live:
            self.live.update(self.table(seen), refresh=True)
        elif now - self.last_line >= LINE_INTERVAL:
            self.last_line = now
            click.echo(self.line(seen), err=True)

    def rate(self) -> float:
        """Pages per second over the last seconds."""
        (before, less), (now, more) = self.history[0], self.history[-1]
        return (more - less) / (now - before) if now > before else 0.0

    def line(self, seen: Snapshot) -> str:
        """One line for a log."""
        failed = f", {seen.failed} failed" if seen.failed else ""
        return (
            f"{seen.name}: {seen.status.value.lower()}, {seen.done} done{failed},"
            f" {seen.queued + seen.delayed} queued, {seen.processing} in flight, {self.rate():.1f}"
            " pages/s"
        )

    def table(self, seen: Snapshot) -> Table:
        """The live view."""
        table = Table(title=f"{seen.name} · {seen.status.value.lower()}", title_justify="left")
        for column in ("done", "failed", "queued", "delayed", "in flight", "pages/s", "seconds"):
            table.add_column(column, justify="right", min_width=7)
        counts = (seen.done, seen.failed, seen.queued, seen.delayed, seen.processing)
        table.add_row(*map(str, counts), f"{self.rate():.1f}", f"{seen.active:.0f}")
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
