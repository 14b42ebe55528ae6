"""The registry of live workers, each with the crawls that it knows.

With it, a start can say that no worker would run its crawl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..storage.connection import RedisClient
from ..storage.errors import redis_unavailable


@dataclass(frozen=True, slots=True)
class Worker:
    """A live worker. ``crawls`` maps the names of the crawls that it knows to the digests of their
    definitions.
    """

    name: str
    crawls: Mapping[str, str]


class WorkerRegistry:
    """The registry in Redis: the hash ``workers`` of announcements.

    Each has the time, by Redis's clock, after which it no longer counts.
    """

    def __init__(self, redis: RedisClient, prefix: str = "") -> None:
        self.redis = redis
        self.key, self.refused_key = f"{prefix}workers", f"{prefix}refused_messages"

    def announce(self, name: str, crawls: Mapping[str, str], life: float) -> None:
        """Register the worker ``name`` for ``life`` seconds, or until it announces itself again."""
        text = json.dumps({"until": self._now() + life, "crawls": dict(crawls)}, sort_keys=True)
        self._ask("hset", self.key, name, text)

    def leave(self, name: str) -> None:
        """Take the worker ``name`` out of the registry, when it is about to end."""
        self._ask("hdel", self.key, name)

    def note_refused(self, number: int) -> None:
        """Count so many messages that a worker refused: they were none of ours."""
        self._ask("incrby", self.refused_key, number)

    def refused(self) -> int:
        """Return the number of messages that workers have refused, ever."""
        return int(self._ask("get", self.refused_key) or 0)

    def workers(self) -> list[Worker]:
        """Return the live workers, by name. Announcements that no longer count are deleted."""
        now, live = self._now(), []
        for name, text in self._ask("hgetall", self.key).items():
            entry = json.loads(text)
            if entry["until"] > now:
                live.append(Worker(name.decode(), entry["crawls"]))
            else:
                self._ask("hdel", self.key, name)
        return sorted(live, key=lambda worker: worker.name)

    def _now(self) -> float:
        seconds, micros = self._ask("time")
        return float(seconds + micros / 1e6)

    def _ask(self, command: str, *arguments: object) -> Any:
        with redis_unavailable():
            return getattr(self.redis, command)(*arguments)
