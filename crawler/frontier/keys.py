"""The names of a crawl's keys, and their end."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

#: Keys deleted per call.
STEP = 500
#: Keys with fixed names, but for ``meta``.
FIXED = (
    "counts", "examples", "tallies", "reasons", "ready", "snoozed", "delayed", "processing",
    "inflight", "tokens", "leases", "done", "failed", "acks", "tickets", "timer", "producers",
    "results", "login", "logouts", "failure_kinds", "outages", "seeds", "outbox", "outbox_due",
    "undelivered", "patterns", "entries",
    "witnessed",  # of a crawl that an earlier version wrote
)  # fmt: skip


def queue_names(prefix: str, lane: str) -> list[str]:
    """Return the lists in which pages of ``lane`` wait: high, normal, low priority."""
    base = f"{prefix}queued:{lane}" if lane else f"{prefix}queued"
    return [f"{base}:0", base, f"{base}:2"]


def delete_keys(redis: Any, prefix: str) -> int:
    """Delete all keys of a crawl; return their number.

    Lanes and buckets of known URLs are computed from what the crawl keeps about itself: no KEYS, no
    SCAN. The status goes last, so that an interrupted call can be repeated.
    """
    meta = redis.hmget(prefix + "meta", "buckets", "splits")
    if meta[0] is not None:
        redis.hset(prefix + "meta", mapping={"status": "STOPPED", "reason": "it is being cleared"})
    deleted = redis.unlink(*(prefix + key for key in FIXED))
    while lanes := redis.srandmember(prefix + "lanes", STEP // 4):
        names = [lane.decode() for lane in lanes]
        deleted += redis.unlink(
            *(key for lane in names for key in (*queue_names(prefix, lane), f"{prefix}lane:{lane}"))
        )
        deleted += redis.srem(prefix + "lanes", *names) > 0 and not redis.exists(prefix + "lanes")
    buckets = range(sum(int(number or 0) for number in meta))
    deleted += unlink(redis, (f"{prefix}seen:{bucket}" for bucket in buckets))
    return int(deleted + redis.unlink(prefix + "meta"))


def unlink(redis: Any, names: Iterable[str]) -> int:
    """Delete many keys of one slot, ``STEP`` at a time; return their number."""
    deleted = 0
    rest = iter(names)
    while step := list(islice(rest, STEP)):
        deleted += redis.unlink(*step)
    return deleted
