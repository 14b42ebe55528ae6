"""Where a crawl stands, in a line for a log."""

from __future__ import annotations

from ...model import Snapshot


def state_line(snapshot: Snapshot, rate: float | None) -> str:
    """Return one line for a log; ``rate`` is in pages per second."""
    failed = f", {snapshot.failed} failed" if snapshot.failed else ""
    hooks = f" {snapshot.delivering} for hooks," if snapshot.delivering else ""
    return (
        f"{snapshot.name}: {snapshot.status.value.lower()}, {snapshot.done} done{failed},"
        f" {snapshot.queued + snapshot.delayed} queued, {snapshot.processing} in flight,{hooks}"
        f" {rate or 0.0:.1f} pages/s"
    )
