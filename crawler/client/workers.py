"""The registry of live workers: the crawls that each knows, and in which versions.

With it, a start can say that no worker would run its crawl, and a worker that cannot run a crawl
finds those that can.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import FrontierUnavailable
from ..storage.connection import RedisClient
from ..storage.errors import redis_unavailable

if TYPE_CHECKING:
    from ..model import Plan

#: Seconds for which the answer to a message through the queue is kept.
ECHO_LIFE = 60


@dataclass(frozen=True, slots=True)
class Worker:
    """A live worker, as it announces itself."""

    name: str
    #: The crawls with code that it knows: the digest of the definition of each, by name.
    crawls: Mapping[str, str] = field(default_factory=dict)
    #: The version of this package; "" for one that does not say.
    version: str = ""
    #: The machine, the processes that do runs, and the time of the start in epoch seconds.
    host: str = ""
    processes: int = 0
    started: float = 0.0
    #: The queue that only this worker, and those that know the same crawls, take from; "": none.
    queue: str = ""
    #: Where it takes messages from, as it shows it: without the password.
    broker: str = ""
    #: What it cannot do, a line for each: a module that does not import, for instance.
    faults: tuple[str, ...] = ()
    #: The bytes of memory of the Chromes that it has started, by part; elsewhere, on a Grid, nobody
    #: can tell.
    browser_memory: Mapping[str, int] = field(default_factory=dict)
    #: Seconds by which its clock was ahead of Redis's when it announced itself.
    clock_ahead: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class CrawlWorkers:
    """The live workers, as one crawl sees them. A crawl without code can be run by each."""

    #: The name of the crawl with code that a worker has to know (of a variant: that of its base);
    #: None: none.
    code: str | None
    alive: tuple[Worker, ...]
    #: Those that know it: they do its pages, in whatever version they have.
    able: tuple[Worker, ...]
    #: Those that know it in the version that the frontier has.
    current: tuple[Worker, ...]


class WorkerRegistry:
    """The registry in Redis: the hash ``workers`` of announcements.

    Each has the time, by Redis's clock, after which it no longer counts.
    """

    def __init__(self, redis: RedisClient, prefix: str = "") -> None:
        self.redis = redis
        self.key, self.refused_key = f"{prefix}workers", f"{prefix}refused_messages"
        self.echo_key = f"{prefix}echo:"

    def announce(self, worker: Worker, life: float) -> None:
        """Register ``worker`` for ``life`` seconds, or until it announces itself again."""
        now = self.now()
        ahead = round(time.time() - now, 3)
        facts = {**asdict(worker), "until": now + life, "clock_ahead": ahead}
        self._ask("hset", self.key, facts.pop("name"), json.dumps(facts, sort_keys=True))

    def leave(self, name: str) -> None:
        """Take the worker ``name`` out of the registry, when it is about to end."""
        self._ask("hdel", self.key, name)

    def note_refused(self, number: int) -> None:
        """Count so many messages that a worker refused: they were none of ours."""
        self._ask("incrby", self.refused_key, number)

    def echo(self, token: str) -> None:
        """Say that the message with ``token`` arrived at a worker."""
        self._ask("setex", self.echo_key + token, ECHO_LIFE, 1)

    def is_echoed(self, token: str) -> bool:
        """Whether a worker said that the message with ``token`` arrived."""
        return bool(self._ask("exists", self.echo_key + token))

    def refused(self) -> int:
        """Return the number of messages that workers have refused, ever."""
        return int(self._ask("get", self.refused_key) or 0)

    def workers(self) -> list[Worker]:
        """Return the live workers, by name. Announcements that no longer count are deleted."""
        now, live = self.now(), []
        for name, text in self._ask("hgetall", self.key).items():
            facts = json.loads(text)
            if facts["until"] > now:
                live.append(_worker(name.decode(), facts))
            else:
                with suppress(FrontierUnavailable):  # Redis may take no changes now
                    self._ask("hdel", self.key, name)
        return sorted(live, key=lambda worker: worker.name)

    def workers_of(self, plan: Plan) -> CrawlWorkers:
        """Return the live workers, and those of them that can run the crawl of ``plan``."""
        alive = tuple(self.workers())
        code = plan.base or (plan.name if plan.definition is None else None)
        if code is None:
            return CrawlWorkers(None, alive, alive, alive)
        able = tuple(worker for worker in alive if code in worker.crawls)
        # a variant's digest is not that of its base
        current = (
            able
            if plan.base
            else tuple(worker for worker in able if worker.crawls[code] == plan.digest)
        )
        return CrawlWorkers(code, alive, able, current)

    def now(self) -> float:
        """Return the time by Redis's clock, in seconds since 1970."""
        seconds, micros = self._ask("time")
        return float(seconds + micros / 1e6)

    def _ask(self, command: str, *arguments: object) -> Any:
        with redis_unavailable():
            return getattr(self.redis, command)(*arguments)


def browser_memory_of(workers: Iterable[Worker]) -> dict[str, int]:
    """Return the bytes of memory of the Chromes of all ``workers``, by part."""
    total: Counter[str] = Counter()
    for worker in workers:
        total.update(worker.browser_memory)
    return dict(total)


#: The facts of an announcement that this version knows; one of another version has others.
FACTS = frozenset(entry.name for entry in fields(Worker)) - {"name"}


def _worker(name: str, facts: Mapping[str, Any]) -> Worker:
    known = {fact: value for fact, value in facts.items() if fact in FACTS}
    return Worker(name, **{**known, "faults": tuple(known.get("faults", ()))})
