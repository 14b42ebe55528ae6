"""The memory that Chromes use: of one, or of all that a worker's processes have started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import psutil

#: The parts of a Chrome that are named apart, and the word in the command line of each.
PARTS = {"renderer": "--type=renderer", "gpu": "--type=gpu-process"}


def browser_memory(pid: int, shared: Iterable[int] = ()) -> dict[str, int]:
    """Return the bytes that the Chromes below the process ``pid``, and those that its processes
    share, use by part: ``browser``, ``renderer``, ``gpu``, ``driver`` and ``other``; {}: there is
    none. Each process counts once.

    Memory that processes share is divided among them, where the system can tell. Reading it takes
    the kernel a millisecond a process.
    """
    sizes: Counter[str] = Counter()
    for process in {*chromes_below(pid), *whole(shared)}:
        with suppress(psutil.Error):
            sizes[part_of(process)] += proportional(process)
    return dict(sizes)


def chromes_below(pid: int) -> Iterator[psutil.Process]:
    """Yield ChromeDrivers and the processes of Chromes below the process ``pid``."""
    with suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                name = process.name().lower()
                if "chrom" in name or "headless" in name:
                    yield process


def whole(chromes: Iterable[int]) -> Iterator[psutil.Process]:
    """Yield the processes of ``chromes``."""
    for pid in chromes:
        with suppress(psutil.Error):
            chrome = psutil.Process(pid)
            yield from (chrome, *chrome.children(recursive=True))


def part_of(process: psutil.Process) -> str:
    """Return the part of a Chrome that ``process`` is."""
    words = process.cmdline()
    if "driver" in process.name().lower():
        return "driver"
    if not any(word.startswith("--type=") for word in words):
        return "browser"
    return next((part for part, word in PARTS.items() if word in words), "other")


def total(processes: Iterable[psutil.Process], memory: Callable[[psutil.Process], int]) -> int:
    """Return the sum of the ``memory`` of those processes that are still there."""
    size = 0
    for process in processes:
        with suppress(psutil.Error):
            size += memory(process)
    return size


def resident(process: psutil.Process) -> int:
    """Return the bytes of a process in memory, with all that it shares with others."""
    return int(process.memory_info().rss)


def proportional(process: psutil.Process) -> int:
    """Return the bytes of a process in memory; of what it shares with others only its part."""
    memory = process.memory_full_info()
    return getattr(memory, "pss", 0) or int(memory.rss)
