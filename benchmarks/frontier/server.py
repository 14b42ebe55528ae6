"""The server under test: a private Redis with the settings that we ship, and its own statistics."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import redis

from crawler.frontier.frontier import Frontier
from crawler.local.embedded import PrivateRedis

#: Of how many measurements the median is taken.
ROUNDS = 15
ROOT = Path(__file__).resolve().parents[2]
#: Name: the operation, and what prepares its argument.
Operations = dict[str, tuple[Callable[[Any], object], Callable[[], object]]]
SCRIPTS = sorted(path.stem for path in (ROOT / "crawler" / "frontier" / "lua").glob("*.lua"))


@dataclass(frozen=True)
class Cost:
    """The cost of an operation for the server, in microseconds: in scripts by the clock, and of
    processor time, all included.
    """

    script: float
    cpu: float


def shipped() -> tuple[str, ...]:
    """Return the lines of ``config/redis.conf``."""
    lines = (ROOT / "config" / "redis.conf").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@contextmanager
def running(folder: Path) -> Iterator[PrivateRedis]:
    """Run a server with our settings; before other processes, which would disturb it, if the system
    allows that.
    """
    with PrivateRedis(folder, options=shipped()) as server:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, server.process.pid if server.process else 0, -15)
        yield server


class Gauge:
    """Measures operations on one frontier, on one server that no other client uses."""

    def __init__(self, client: redis.Redis, frontier: Frontier) -> None:
        self.client: Any = client
        self.frontier = frontier
        self._names = {client.script_load(frontier.scripts.text(name)): name for name in SCRIPTS}

    def script_us(self) -> int:
        """Return the microseconds that the server has been in scripts so far, by the clock."""
        stats = self.client.info("commandstats")
        return sum(
            int(stats.get(f"cmdstat_{name}", {}).get("usec", 0)) for name in ("evalsha", "eval")
        )

    def cpu_us(self) -> float:
        """Return the microseconds of processor time of the server's main thread so far."""
        result = self.client.info("cpu")
        return 1e6 * float(result["used_cpu_user_main_thread"] + result["used_cpu_sys_main_thread"])

    def costs(self, operations: Operations, times: int) -> dict[str, Cost]:
        """Return the cost of each operation. They are measured in turn, ROUNDS times: a disturbance
        disturbs all of them.
        """
        script: dict[str, list[float]] = {name: [] for name in operations}
        cpu: dict[str, list[float]] = {name: [] for name in operations}
        for _ in range(ROUNDS):
            for name, (operation, prepare) in operations.items():
                arguments = [prepare() for _ in range(times)]
                before = self.script_us(), self.cpu_us()
                for argument in arguments:
                    operation(argument)
                script[name].append((self.script_us() - before[0]) / times)
                cpu[name].append((self.cpu_us() - before[1]) / times)
        return {
            name: Cost(round(median(script[name]), 1), round(median(cpu[name]), 1))
            for name in operations
        }

    @contextmanager
    def longest(self) -> Iterator[dict[str, float]]:
        """Fill a dict with the dearest call of each script, in milliseconds of processor time; for
        one client, one by one.
        """
        scripts: Any = self.frontier.scripts
        run, result = scripts.run, {}

        def measured(name: str, *args: Any) -> Any:
            before = self.cpu_us()
            try:
                return run(name, *args)
            finally:
                result[name] = max(
                    round((self.cpu_us() - before) / 1_000, 2), result.get(name, 0.0)
                )

        scripts.run = measured
        try:
            yield result
        finally:
            del scripts.run

    def watch(self) -> None:
        """Record from now on each call that takes longer than 5 ms by the clock."""
        self.client.config_set("slowlog-max-len", 200_000)
        self.client.config_set("slowlog-log-slower-than", 5_000)
        self.client.slowlog_reset()

    def slow(self) -> dict[str, list[float]]:
        """Return the milliseconds of each slow call since ``watch``, by script and by the clock,
        longest first.
        """
        result: dict[str, list[float]] = {}
        for entry in self.client.slowlog_get(200_000):
            command, sha, *_ = (*entry["command"].split(b" ", 2), b"")
            if command.upper() in (b"EVALSHA", b"EVAL"):
                result.setdefault(self._names.get(sha.decode(), "eval"), []).append(
                    entry["duration"] / 1_000
                )
        return {name: sorted(times, reverse=True) for name, times in result.items()}

    def memory(self) -> int:
        """Return the bytes that the server uses when it has calmed down, less those for its clients
        and its files.
        """
        time.sleep(1.2)  # its append-only file is written, and its tables have their sizes
        result = self.client.memory_stats()
        besides = ("clients.normal", "aof.buffer", "lua.caches", "functions.caches")
        return int(result["total.allocated"]) - sum(int(result.get(name, 0)) for name in besides)

    def ask(self, keys: list[str], question: Callable[[Any, str], object]) -> Iterator[Any]:
        """Yield the answers to ``question`` for each of ``keys``."""
        for start in range(0, len(keys), 1_000):
            pipe = self.client.pipeline(transaction=False)
            for key in keys[start : start + 1_000]:
                question(pipe, key)
            yield from pipe.execute()

    def size(self, keys: list[str]) -> int:
        """Return the bytes of ``keys``, by the server's own account of each."""
        return sum(self.ask(keys, lambda pipe, key: pipe.memory_usage(key, samples=0)))

    def growth(self, keys: list[str]) -> int:
        """Return the bytes by which the server grows when ``keys`` are copied, the tables of their
        names included.
        """
        grown = 0
        for _ in range(2):  # the first time also fills what the server keeps for itself
            before = self.memory()
            assert all(self.ask(keys, lambda pipe, key: pipe.copy(key, f"copy:{key}")))
            grown = self.memory() - before
            assert all(self.ask(keys, lambda pipe, key: pipe.delete(f"copy:{key}")))
        return grown

    def encodings(self, keys: list[str]) -> dict[str, int]:
        """Count ``keys`` by their encoding in the server."""
        return dict(
            Counter(
                answer.decode()
                for answer in self.ask(keys, lambda pipe, key: pipe.object("encoding", key))
            )
        )

    def keys(self, kind: str) -> list[str]:
        """Return the keys of the crawl whose names begin with ``kind``; by SCAN, which only a
        benchmark may use.
        """
        return sorted(
            key.decode()
            for key in self.client.scan_iter(match=self.frontier.key(kind) + "*", count=5_000)
        )
