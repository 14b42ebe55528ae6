"""The names of a crawl's keys, and their end."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

#: The reason of a crawl whose keys are being deleted.
CLEARING = "it is being cleared"
#: Buckets that a crawl's memory of its pages has at first; see ``lua/lib/memory.lua``.
MEMORY_ROOTS = 32
#: Keys deleted per call.
STEP = 500
#: Keys with fixed names, but for ``meta``, each with its type as Redis names it.
TYPES = {
    "aside": "list",  # the names of keys that were not of our type, and were moved away
    "counts": "hash", "examples": "hash", "tallies": "hash", "reasons": "hash", "ready": "list",
    "snoozed": "zset", "delayed": "zset", "processing": "list", "inflight": "hash",
    "tokens": "hash", "leases": "zset", "done": "list", "failed": "list", "acks": "zset",
    "tickets": "zset", "timer": "string", "producers": "zset", "results": "stream",
    "login": "string", "logouts": "hash", "failure_kinds": "set", "outages": "hash",
    "seeds": "string", "outbox": "hash", "outbox_due": "zset", "undelivered": "list",
    "patterns": "hash", "entries": "hash", "history": "list", "steps": "hash",
    "operations": "list", "lanes": "set", "memory": "hash", "known": "list", "vanished": "list",
    "revisits": "zset", "revisit_pages": "hash", "alone": "hash", "fetching": "hash",
    "doubtful": "zset",
}  # fmt: skip
#: Those that outlive a generation: what it knows of its pages, and who did what.
LASTING = ("memory", "known", "done", "operations", "lanes")
#: Keys that an earlier version wrote.
FORMER = ("witnessed",)


def queue_names(prefix: str, lane: str) -> list[str]:
    """Return the lists in which pages of ``lane`` wait: high, normal, low priority."""
    base = f"{prefix}queued:{lane}" if lane else f"{prefix}queued"
    return [f"{base}:0", base, f"{base}:2"]


def delete_keys(redis: Any, prefix: str) -> int:
    """Delete all keys of a crawl; return their number.

    Lanes and buckets of known URLs are computed from what the crawl keeps about itself: no KEYS, no
    SCAN. The status goes last, so that an interrupted call can be repeated.
    """
    for name in ("meta", "aside", "lanes", "memory"):
        kind = "hash" if name == "meta" else TYPES[name]
        if redis.type(prefix + name) not in (kind.encode(), b"none"):
            redis.unlink(prefix + name)
    meta = redis.hmget(prefix + "meta", "buckets", "splits")
    if meta[0] is not None:
        redis.hset(prefix + "meta", mapping={"status": "STOPPED", "reason": CLEARING})
    deleted = unlink(redis, redis.lrange(prefix + "aside", 0, -1))
    deleted += delete_pages(redis, prefix)
    deleted += unlink(redis, (prefix + name for name in memory_keys(redis, prefix)))
    fixed = [prefix + key for key in TYPES if key != "lanes"]
    deleted += redis.unlink(*fixed, *(prefix + key for key in FORMER))
    return int(deleted + redis.unlink(prefix + "meta"))


def delete_pages(redis: Any, prefix: str) -> int:
    """Delete the queues and lanes of a crawl, and its known URLs, in small steps; return the number
    of keys.
    """
    deleted, sizes = 0, redis.hmget(prefix + "meta", "buckets", "splits")
    while lanes := redis.srandmember(prefix + "lanes", STEP // 4):
        names = [lane.decode() for lane in lanes]
        deleted += redis.unlink(
            *(key for lane in names for key in (*queue_names(prefix, lane), f"{prefix}lane:{lane}"))
        )
        deleted += redis.srem(prefix + "lanes", *names) > 0 and not redis.exists(prefix + "lanes")
    buckets = range(sum(int(number or 0) for number in sizes))
    return deleted + unlink(redis, (f"{prefix}seen:{bucket}" for bucket in buckets))


def memory_keys(redis: Any, prefix: str) -> list[str]:
    """Return the names of the hashes that hold what the crawl remembers of its pages."""
    splits = redis.hget(prefix + "memory", "splits")
    return [f"memory:{number}" for number in range(MEMORY_ROOTS + int(splits or 0))]


def unlink(redis: Any, names: Iterable[str]) -> int:
    """Delete many keys of one slot, ``STEP`` at a time; return their number."""
    deleted = 0
    rest = iter(names)
    while step := list(islice(rest, STEP)):
        deleted += redis.unlink(*step)
    return deleted


def mistyped_keys(redis: Any, prefix: str) -> Iterator[str]:
    """Yield the names of a crawl's keys that are not of our type: somebody else wrote them."""
    if redis.type(prefix + "meta") != b"hash":
        return
    yield from _mistyped(redis, prefix, TYPES)
    if redis.type(prefix + "lanes") == b"set":
        lanes = (lane.decode("utf-8", "replace") for lane in redis.sscan_iter(prefix + "lanes"))
        while step := list(islice(lanes, STEP // 4)):
            kinds = {f"lane:{lane}": "hash" for lane in step}
            kinds |= {name: "list" for lane in step for name in queue_names("", lane)}
            yield from _mistyped(redis, prefix, kinds)
    sizes = redis.hmget(prefix + "meta", "buckets", "splits")
    buckets = iter(range(sum(int(number or 0) for number in sizes)))
    while some := list(islice(buckets, STEP)):
        yield from _mistyped(redis, prefix, {f"seen:{bucket}": "set" for bucket in some})
    if redis.type(prefix + "memory") == b"hash":
        names = iter(memory_keys(redis, prefix))
        while bucket_names := list(islice(names, STEP)):
            yield from _mistyped(redis, prefix, dict.fromkeys(bucket_names, "hash"))


def _mistyped(redis: Any, prefix: str, kinds: Mapping[str, str]) -> Iterator[str]:
    with redis.pipeline(transaction=False) as pipeline:
        for name in kinds:
            pipeline.type(prefix + name)
        found = pipeline.execute()
    for (name, kind), type_ in zip(kinds.items(), found, strict=True):
        if type_.decode() not in (kind, "none"):
            yield name


def move_aside(redis: Any, prefix: str) -> list[str]:
    """Rename the keys of a crawl that are not of our type; return what they were called.

    No script can use them, or end the crawl while they are there. Their new names are in the list
    ``aside``, and they go with ``clear``. Where there is no crawl, nothing is changed.
    """
    moved = []
    while names := list(mistyped_keys(redis, prefix)):  # behind ``lanes`` there may be others
        for name in names:
            aside = f"{prefix}{name}:aside-{secrets.token_hex(4)}"
            redis.rename(prefix + name, aside)
            redis.rpush(f"{prefix}aside", aside)
            if name == "lanes":
                find_lanes(redis, prefix)
        moved += names
    return moved


def find_lanes(redis: Any, prefix: str) -> None:
    """Write the set of lanes again, from the names of all keys of this Redis."""
    start = f"{prefix}lane:"
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", start) + "*"
    names = (key[len(start.encode()) :] for key in redis.scan_iter(pattern, count=STEP))
    lanes = (name.decode("ascii", "replace") for name in names if b":" not in name)
    while step := list(islice(lanes, STEP)):
        redis.sadd(f"{prefix}lanes", *step)
