"""What a tree of processes uses: processor time by kind of process, and memory."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter

import psutil

#: Seconds between two looks. What a process used after the last look before its end is not seen.
INTERVAL = 0.25
#: Looks at the processor time for one at the memory, which costs more.
MEMORY_LOOKS = 8


def kind(process: psutil.Process) -> str:
    """What a process is to us. A ``worker`` takes messages for the processes below it, which do
    ``runs``.
    """
    words = process.cmdline()
    line = " ".join(words)
    if "--type=" in line:
        return "chrome " + line.partition("--type=")[2].split()[0].split("-")[0]
    name = process.name()
    if "driver" in name:
        return "driver"
    if "chrom" in name or "headless" in name:
        return "chrome browser"
    if "redis" in name or "valkey" in name:
        return "redis"
    if is_worker(line):
        return "runs" if is_worker(" ".join(process.parent().cmdline())) else "worker"
    return "command" if "crawler start" in line else "python"


def is_worker(line: str) -> bool:
    """Whether this command line is that of a Celery worker, by whatever entry."""
    return " celery " in line or "crawler.local.celery_worker" in line


class Watch:
    """Watches the processes ``roots`` and those below them until it is stopped."""

    def __init__(self, *roots: int) -> None:
        self.roots = [psutil.Process(root) for root in roots]
        self._seen: dict[tuple[int, float], tuple[str, float]] = {}
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _tree(self) -> list[psutil.Process]:
        found = []
        for root in self.roots:
            with contextlib.suppress(psutil.Error):
                found += [root, *root.children(recursive=True)]
        return found

    def look(self) -> Counter[str]:
        """Processor seconds so far."""
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                key = process.pid, process.create_time()
                name = self._seen[key][0] if key in self._seen else kind(process)
                if not name.startswith("chrome") and name != "driver":
                    name = kind(process)  # a fork becomes what it is only when it executes
                self._seen[key] = name, times.user + times.system
        total: Counter[str] = Counter()
        for name, seconds in self._seen.values():
            total[name] += seconds
        return total

    def memory(self) -> dict[str, list[int]]:
        """Bytes in use now of each process, by kind; what processes share is divided among them."""
        found: dict[str, list[int]] = {}
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                found.setdefault(kind(process), []).append(process.memory_full_info().pss)
        return found

    def pss(self) -> int:
        """Bytes in use now, of all of them."""
        return sum(map(sum, self.memory().values()))

    def peak(self) -> int:
        """The most bytes that were in use at any look so far."""
        return max(self._peak, self.pss())

    def _loop(self) -> None:
        looks = 0
        while not self._over.wait(INTERVAL):
            self.look()
            looks += 1
            if looks % MEMORY_LOOKS == 0:
                self._peak = max(self._peak, self.pss())

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
