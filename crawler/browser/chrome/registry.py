"""The owners of remote sessions, in Redis, so that the sessions of a process that is gone can be
ended where they are.

A process that has sessions at an endpoint vouches for them every few seconds, from a thread, so a
page costs nothing. A process that was killed falls silent, and so does one whose machine was lost:
then another process with the same endpoint ends what it left, once. The entries name the endpoint
without its credentials; the process that reaps has its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...local.processes import is_gone, is_here
from ...observe.logs import logger
from ...storage.connection import RedisClient
from ...storage.errors import redis_unavailable

log = logger(__name__)

#: Seconds between two times that an owner vouches for its sessions.
VOUCH_INTERVAL = 10.0
#: Seconds after which a session that is not vouched for is its owner's no longer. A slow owner
#: misses three turns before that.
VOUCH_LIFE = 35.0
#: Sessions that one process ends for others at once.
REAP_THREADS = 8
#: Seconds after its owner fell silent, after which a session that cannot be ended is forgotten: a
#: Grid has ended it by itself.
FORGET_AFTER = 1_800.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A remote session. Times are seconds since 1970, by its owner's clock, but ``until`` (vouched
    for until) is by Redis's.
    """

    id: str
    address: str  # of the endpoint, without credentials
    worker: str  # the process that owns it
    crawl: str
    started: float
    used: float  # when a page was last done with it
    pages: int
    until: float = 0.0


class Registry:
    """The registry in Redis. ``sessions`` is a hash by session id; ``sessions:reaped`` counts the
    sessions that were ended for others.

    Raises:
        FrontierUnavailable: Redis did not answer. (So do all methods.)
    """

    def __init__(self, redis: RedisClient, prefix: str = "") -> None:
        self.redis = redis
        self.key = f"{prefix}sessions"

    def vouch(self, entries: Iterable[Entry]) -> None:
        """Enter ``entries``, or say that they are still their owner's."""
        until = self._now() + VOUCH_LIFE
        values = {entry.id: json.dumps(asdict(entry) | {"until": until}) for entry in entries}
        if values:
            self._ask("hset", self.key, mapping=values)

    def disown(self, entry: Entry) -> None:
        """Say that this session is no longer in use, and that its owner could not end it."""
        value = json.dumps(asdict(replace(entry, worker="", until=self._now())))
        self._ask("hset", self.key, entry.id, value)

    def leave(self, session: str) -> None:
        """Forget a session that has ended."""
        self._ask("hdel", self.key, session)

    def sessions(self) -> list[Entry]:
        """Return every session that was entered and has not been seen to end, the oldest first."""
        entries = [Entry(**json.loads(text)) for text in self._ask("hgetall", self.key).values()]
        return sorted(entries, key=lambda entry: (entry.started, entry.id))

    def orphans(self, now: float | None = None) -> list[Entry]:
        """Return the sessions whose owner is gone, ``now`` by Redis's clock (None: it is asked)."""
        now = self._now() if now is None else now
        return [
            one
            for one in self.sessions()
            if is_gone(one.worker) or (one.until <= now and not is_here(one.worker))
        ]

    def reaped(self) -> int:
        """Return how many sessions were ended on behalf of processes that were gone."""
        return int(self._ask("get", f"{self.key}:reaped") or 0)

    def reap(self, address: str, end: Callable[[str], bool], lease: float) -> int:
        """End the sessions at ``address`` whose owner is gone; return their number. Takes as long
        as that takes.

        ``end`` ends a session by its id, and returns whether it is gone for sure. The process that
        takes a session has it to itself for ``lease`` seconds, the longest that ``end`` may take;
        if it has not ended by then, another process may try.
        """
        now = self._now()
        orphans = self.orphans(now)
        for one in [one for one in orphans if now - one.until > FORGET_AFTER]:
            text = "session %s at %s could not be ended, and is forgotten"
            log.warning(text, one.id, one.address)
            self.leave(one.id)
        taken = [
            one
            for one in orphans
            if one.address == address and now - one.until <= FORGET_AFTER and self._take(one, lease)
        ]
        if not taken:
            return 0
        with ThreadPoolExecutor(min(len(taken), REAP_THREADS), "crawler-reap") as pool:
            return sum(pool.map(lambda one: self._reap(one, end), taken))

    def _reap(self, entry: Entry, end: Callable[[str], bool]) -> bool:
        if not end(entry.id):
            text = "session %s at %s, whose process is gone, could not be ended"
            log.warning(text, entry.id, entry.address)
            return False
        text = "ended session %s at %s: its process %s is gone"
        log.warning(text, entry.id, entry.address, entry.worker)
        self.leave(entry.id)
        self._ask("incr", f"{self.key}:reaped")
        return True

    def _take(self, entry: Entry, lease: float) -> bool:
        """Whether the session is now ours to end: no other process took it, and its owner did not
        vouch for it meanwhile.
        """
        key, ms = f"{self.key}:reaper:{entry.id}", round(lease * 1_000)
        if not self._ask("set", key, 1, nx=True, px=ms):
            return False
        text = self._ask("hget", self.key, entry.id)
        return text is not None and Entry(**json.loads(text)).until == entry.until

    def _now(self) -> float:
        seconds, micros = self._ask("time")
        return float(seconds + micros / 1e6)

    def _ask(self, command: str, *arguments: object, **options: object) -> Any:
        with redis_unavailable():
            return getattr(self.redis, command)(*arguments, **options)
