"""The memory of the Chromes that a worker's processes have started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import psutil

#: The parts of a Chrome that are named apart, and the word in the command line of each.
PARTS = {"renderer": "--type=renderer", "gpu": "--type=gpu-process"}


def browser_memory(pid: int) -> dict[str, int]:
    """Return the bytes that the Chromes below the process ``pid`` use, by part: ``browser``,
    ``renderer``, ``gpu``, ``driver`` and ``other``; {}: there is none.

    Memory that processes share is divided among them, where the system can tell. Reading it takes
    the kernel a millisecond a process.
    """
    sizes: Counter[str] = Counter()
    for process in chromes_below(pid):
        with suppress(psutil.Error):
            memory = process.memory_full_info()
            sizes[part_of(process)] += getattr(memory, "pss", 0) or memory.rss
    return dict(sizes)


def chromes_below(pid: int) -> Iterator[psutil.Process]:
    """Yield ChromeDrivers and the processes of Chromes below the process ``pid``."""
    with suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                name = process.name().lower()
                if "chrom" in name or "headless" in name:
                    yield process


def part_of(process: psutil.Process) -> str:
    """Return the part of a Chrome that ``process`` is."""
    words = process.cmdline()
    if "driver" in process.name().lower():
        return "driver"
    if not any(word.startswith("--type=") for word in words):
        return "browser"
    return next((part for part, word in PARTS.items() if word in words), "other")
