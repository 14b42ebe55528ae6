"""What is done to a crawl's keys as a whole: whether this Redis can hold them, what is wrong with
them, and their end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from redis import exceptions as faults
from redis.cluster import RedisCluster
from redis.sentinel import SentinelConnectionPool

from ..errors import FrontierMisfit
from ..storage.connection import RedisClient, servers
from ..storage.errors import redis_errors
from ..storage.scripts import version

#: Share of maxmemory above which ticks raise an alarm.
MEMORY_ALARM = 0.8
#: How often a server is asked how far away it is.
PINGS = 5
MB = 2**20
#: Keys deleted per call.
STEP = 500
#: Keys with fixed names. The status goes last, so that an interrupted clear can be repeated.
FIXED = (
    "counts", "tallies", "reasons", "ready", "snoozed", "delayed", "processing", "inflight", "tokens", "leases", "done", "failed",
    "acks", "tickets", "timer", "producers", "results", "login", "logouts", "failure_kinds", "outages",
    "witnessed",  # of a crawl that an earlier version wrote
)  # fmt: skip


def queue_names(prefix: str, lane: str) -> list[str]:
    """The lists in which pages of ``lane`` wait: high, normal, low."""
    base = f"{prefix}queued:{lane}" if lane else f"{prefix}queued"
    return [f"{base}:0", base, f"{base}:2"]


def check_server(redis: RedisClient) -> list[str]:
    """Whether a frontier is safe on this server, or on each of this Cluster: what could be better,
    in sentences.

    What a server does not tell this user is taken to be well.

    Raises:
        FrontierMisfit: it is too old, or may throw keys away.
        FrontierUnavailable: it does not answer.
    """
    warnings: dict[str, None] = {}  # in their order, each once
    with redis_errors():
        for server in servers(redis):
            server.ping()
            warnings |= dict.fromkeys(_check(server))
    return list(warnings)


def _check(server: Any) -> Iterator[str]:
    try:
        running = version(server)
    except faults.NoPermissionError:
        running = "7.0"
    parts = tuple(int(part) for part in running.split(".")[:2])
    if parts < (6, 2):
        raise FrontierMisfit(
            f"Redis {running} is too old: 6.2 or newer is needed, 7 or newer recommended"
        )
    settings = config(server, "maxmemory-policy", "appendonly")
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        raise FrontierMisfit(
            f"this Redis throws keys away when it is full (maxmemory-policy {policy}); set it to"
            " noeviction"
        )
    if parts < (7, 0):
        yield f"Redis {running}: from 7.0 on, a full server refuses a step as a whole"
    if settings.get("appendonly") == "no":
        yield (
            "appendonly is off: a restart of Redis loses the crawl, or sets it back to the last"
            " dump"
        )


def describe_server(redis: RedisClient) -> list[str]:
    """What this Redis is and how it is, a sentence for each of its servers: for people.

    Raises:
        FrontierUnavailable: it does not answer.
    """
    with redis_errors():
        there = servers(redis)
        if isinstance(redis, RedisCluster):
            kind = f"one of the {len(there)} masters of a Cluster"
        else:
            kind = (
                "a master that Sentinels watch"
                if isinstance(redis.connection_pool, SentinelConnectionPool)
                else "one server"
            )
        return [f"{_describe(server)}, {kind}" for server in there]


def _describe(server: Any) -> str:
    took = []
    for _ in range(PINGS):
        begin = time.perf_counter()
        server.ping()
        took.append(time.perf_counter() - begin)
    try:
        info = server.info()
    except faults.NoPermissionError:
        return f"Redis, which tells this user nothing of itself, {min(took) * 1_000:.1f} ms away"
    name = (
        f"Valkey {info['valkey_version']}"
        if "valkey_version" in info
        else f"Redis {info.get('redis_version')}"
    )
    settings = config(server, "maxmemory-policy", "appendonly")
    limit = int(info.get("maxmemory", 0) or 0)
    return ", ".join(
        [
            f"{name} {min(took) * 1_000:.1f} ms away",
            f"appendonly {settings.get('appendonly', 'unknown')}",
            settings.get("maxmemory-policy", info.get("maxmemory_policy", "policy unknown")),
            (
                f"{int(info.get('used_memory', 0)) / MB:,.0f} MB used of"
                f" {f'{limit / MB:,.0f}' if limit else 'all there is'}"
            ),
        ]
    )


def config(redis: Any, *names: str) -> dict[str, str]:
    """Settings of the server, as far as it tells; a hosted one may forbid the question, or answer
    only part of it.
    """
    found: dict[str, str] = {}
    for name in names:
        try:
            answer = redis.config_get(name)
        except faults.ResponseError:
            continue
        for key, value in answer.items():
            found[text_of(key)] = text_of(value)
    return found


def text_of(value: object) -> str:
    """``value`` as text, whether the client decodes or not."""
    return value.decode() if isinstance(value, bytes) else str(value)


def memory(redis: RedisClient) -> list[str]:
    """An alarm if the server, or one of the Cluster, is nearly full."""
    fullest = 0.0
    try:
        with redis_errors():
            for server in servers(redis):
                info: Any = server.info("memory")
                if limit := int(info.get("maxmemory", 0) or 0):
                    fullest = max(fullest, int(info["used_memory"]) / limit)
    except Exception:
        return []
    return [f"Redis uses {fullest:.0%} of its maxmemory"] if fullest > MEMORY_ALARM else []


def clear_keys(redis: Any, prefix: str, index: str, name: str) -> int:
    """Delete all keys of a crawl, its status last; their number.

    Lanes and buckets of known URLs are computed from what the crawl says about itself: no KEYS, no
    SCAN.
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
    deleted += unlink(
        redis, (f"{prefix}seen:{bucket}" for bucket in range(int(meta[0] or 0) + int(meta[1] or 0)))
    )
    deleted += redis.unlink(prefix + "meta")
    redis.srem(index, name)
    return int(deleted)


def unlink(redis: Any, names: Iterable[str]) -> int:
    """Delete many keys of one slot, ``STEP`` at a time."""
    deleted = 0
    rest = iter(names)
    while step := list(islice(rest, STEP)):
        deleted += redis.unlink(*step)
    return deleted
