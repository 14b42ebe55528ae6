"""The webhooks of jobs in Redis: which job tells another program of its end, and what became of
that. ``webhook_sender`` sends them.

Redis keeps what is still to be sent, so that the death of a process loses nothing: under the
prefix, ``webhooks`` has the ids of those that are looked at again, by the time in epoch seconds,
``webhook:ID`` (a hash) has the state of one, ``webhook-lock:ID`` is there while it is sent, and
``webhooks_failed`` counts those that were given up.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..storage.errors import redis_errors

#: What the keys of jobs begin with, after the prefix of all keys.
JOB_KEYS = "{jobs}:"
#: Seconds for which one process alone sends a message.
LOCK_LIFE = 60
#: Webhooks that are looked at in one go.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Webhook:
    """The state of a webhook: ``waiting`` for the end, ``pending`` (attempts go on), ``delivered``
    or ``failed`` (no attempt is made any more), with the ``reason`` of the last failure.

    ``at`` is the time of the last attempt, in epoch seconds; None: there was none.
    """

    url: str
    state: str
    attempts: int
    reason: str | None
    at: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the message on one end is: ``event`` is the end that was told last."""

    url: str
    private: bool
    event: str | None
    state: str | None
    attempts: int


class Webhooks:
    """The webhooks of one installation, in ``redis`` under ``prefix``."""

    def __init__(self, redis: Any, prefix: str) -> None:
        self.redis, self.prefix = redis, prefix

    # -- for orders

    def expect(self, id: str, url: str, *, private: bool, due: float) -> None:  # noqa: A002
        """Remember that the end of the job ``id`` is told to ``url``; look at it at ``due``, in
        epoch seconds, if its end is not told before. To repeat it is harmless.
        """
        with redis_errors():
            self.redis.hset(self._key(id), mapping={"url": url, "private": int(private)})
            self.redis.zadd(self.prefix + "webhooks", {id: due}, lt=True)

    def get(self, id: str) -> Webhook | None:  # noqa: A002
        """Return the webhook of the job ``id``; None if it has none."""
        with redis_errors():
            fields = {
                name.decode(): value.decode()
                for name, value in self.redis.hgetall(self._key(id)).items()
            }
        if not fields:
            return None
        at = fields.get("at")
        return Webhook(
            fields["url"],
            fields.get("state", "waiting"),
            int(fields.get("attempts", 0)),
            fields.get("reason") or None,
            float(at) if at else None,
        )

    def forget(self, id: str) -> None:  # noqa: A002
        """Forget the webhook of the job ``id``."""
        with redis_errors():
            self.redis.zrem(self.prefix + "webhooks", id)
            self.redis.delete(self._key(id), self._lock(id))

    # -- for their sender

    def due(self) -> list[str]:
        """Return the ids of the jobs whose webhooks are to be looked at now."""
        now, key = self._now(), self.prefix + "webhooks"
        with redis_errors():
            ids = self.redis.zrangebyscore(key, "-inf", now, start=0, num=BATCH)
        return [one.decode() for one in ids]

    @contextmanager
    def locked(self, id: str) -> Iterator[bool]:  # noqa: A002
        """Keep others from sending the message of the job ``id`` in this block. False: another one
        is at it, or died at it less than :data:`LOCK_LIFE` seconds ago.
        """
        token = secrets.token_hex(8)
        with redis_errors():
            mine = bool(self.redis.set(self._lock(id), token, nx=True, ex=LOCK_LIFE))
        try:
            yield mine
        finally:
            if mine:
                with redis_errors():
                    if self.redis.get(self._lock(id)) == token.encode():
                        self.redis.delete(self._lock(id))

    def progress(self, id: str) -> Progress | None:  # noqa: A002
        """Return how far the message of the job ``id`` is; None if it has no webhook."""
        names = ("url", "private", "event", "state", "attempts")
        with redis_errors():
            known = self.redis.hmget(self._key(id), *names)
        url, private, event, state, tried = (part and part.decode() for part in known)
        return url and Progress(url, private == "1", event, state, int(tried or 0))

    def note(
        self,
        id: str,  # noqa: A002
        event: str,
        state: str,
        attempts: int,
        reason: str | None,
    ) -> None:
        """Write what an attempt led to."""
        fields = {"event": event, "state": state, "attempts": attempts, "reason": reason or ""}
        with redis_errors():
            self.redis.hset(self._key(id), mapping={**fields, "at": time.time()})
            if state == "failed":
                self.redis.incr(self.prefix + "webhooks_failed")

    def look_again(self, id: str, wait: float) -> None:  # noqa: A002
        """Look at the job ``id`` again in ``wait`` seconds."""
        due = self._now() + wait
        with redis_errors():
            self.redis.zadd(self.prefix + "webhooks", {id: due})

    def look_no_more(self, id: str) -> None:  # noqa: A002
        """Leave the job ``id`` alone until its end is told again."""
        with redis_errors():
            self.redis.zrem(self.prefix + "webhooks", id)

    def failures(self) -> int:
        """Return the number of messages that were given up, ever."""
        with redis_errors():
            return int(self.redis.get(self.prefix + "webhooks_failed") or 0)

    def _now(self) -> float:
        with redis_errors():
            seconds, micros = self.redis.time()
        return float(seconds + micros / 1e6)

    def _key(self, id: str) -> str:  # noqa: A002
        return f"{self.prefix}webhook:{id}"

    def _lock(self, id: str) -> str:  # noqa: A002
        return f"{self.prefix}webhook-lock:{id}"
