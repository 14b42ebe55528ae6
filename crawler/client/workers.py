"""The roll of live workers: each announces itself and the crawls it knows, so that a start can say
that nobody would run it.
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
    """A worker that announced itself lately; ``crawls`` maps the names it knows to the digests of
    their definitions.
    """

    name: str
    crawls: Mapping[str, str]


class WorkerRegistry:
    """The roll, in Redis: ``workers``, a hash of announcements, each with the time after which it
    no longer counts.
    """

    def __init__(self, redis: RedisClient, prefix: str = "") -> None:
        self.redis = redis
        self.key = f"{prefix}workers"

    def announce(self, name: str, crawls: Mapping[str, str], life: float) -> None:
        """Say that the worker ``name`` lives, and will for ``life`` seconds if nothing more is
        heard of it.
        """
        text = json.dumps({"until": self._now() + life, "crawls": dict(crawls)}, sort_keys=True)
        self._ask("hset", self.key, name, text)

    def leave(self, name: str) -> None:
        """Say that the worker ``name`` is about to end."""
        self._ask("hdel", self.key, name)

    def workers(self) -> list[Worker]:
        """Those that live; the others are struck off."""
        now, found = self._now(), []
        for name, text in self._ask("hgetall", self.key).items():
            entry = json.loads(text)
            if entry["until"] > now:
                found.append(Worker(name.decode(), entry["crawls"]))
            else:
                self._ask("hdel", self.key, name)
        return sorted(found, key=lambda worker: worker.name)

    def _now(self) -> float:
        seconds, micros = self._ask("time")
        return float(seconds + micros / 1e6)

    def _ask(self, command: str, *arguments: object) -> Any:
        with redis_unavailable():
            return getattr(self.redis, command)(*arguments)
