"""Ctrl-C and SIGTERM, counted: a command then ends in its own order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass
class Interrupts:
    """How often Ctrl-C or SIGTERM asked this process to end; ``event`` is set by each."""

    count: int = 0
    event: threading.Event = field(default_factory=threading.Event)


@contextmanager
def count_interrupts() -> Iterator[Interrupts]:
    """Count Ctrl-C and SIGTERM instead of ending by them."""
    interrupts = Interrupts()

    def note(_signal: int, _frame: FrameType | None) -> None:
        interrupts.count += 1
        interrupts.event.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
