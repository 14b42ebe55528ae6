"""Checks of a Redis server: whether a frontier is safe there, and how it is, for people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from redis import exceptions as faults
from redis.cluster import RedisCluster
from redis.sentinel import SentinelConnectionPool

from ..errors import FrontierMisfit
from ..storage.connection import RedisClient, servers
from ..storage.errors import redis_errors
from ..storage.scripts import server_version
from ..storage.server import server_settings

#: How often a server is asked how far away it is.
PINGS = 5
MB = 2**20


def check_server(redis: RedisClient) -> list[str]:
    """Check that a frontier is safe on this server, or on each of this Cluster; return what could
    be better, in sentences.

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
        running = server_version(server)
    except faults.NoPermissionError:
        running = "7.0"
    parts = tuple(int(part) for part in running.split(".")[:2])
    if parts < (6, 2):
        raise FrontierMisfit(
            f"Redis {running} is too old: 6.2 or newer is needed, 7 or newer recommended"
        )
    settings = server_settings(server, "maxmemory-policy", "appendonly")
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
    """Return what this Redis is and how it is, a sentence for each of its servers: for people.

    Raises:
        FrontierUnavailable: it does not answer.
    """
    with redis_errors():
        masters = servers(redis)
        if isinstance(redis, RedisCluster):
            kind = f"one of the {len(masters)} masters of a Cluster"
        elif isinstance(redis.connection_pool, SentinelConnectionPool):
            kind = "a master that Sentinels watch"
        else:
            kind = "one server"
        return [f"{_describe(server)}, {kind}" for server in masters]


def _describe(server: Any) -> str:
    ms = _round_trip(server) * 1_000
    try:
        info = server.info()
    except faults.NoPermissionError:
        return f"Redis, which tells this user nothing of itself, {ms:.1f} ms away"
    if "valkey_version" in info:
        name = f"Valkey {info['valkey_version']}"
    else:
        name = f"Redis {info.get('redis_version')}"
    settings = server_settings(server, "maxmemory-policy", "appendonly")
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0) or 0)
    return ", ".join(
        [
            f"{name} {ms:.1f} ms away",
            f"appendonly {settings.get('appendonly', 'unknown')}",
            settings.get("maxmemory-policy", info.get("maxmemory_policy", "policy unknown")),
            f"{used / MB:,.0f} MB used of {f'{limit / MB:,.0f}' if limit else 'all there is'}",
        ]
    )


def _round_trip(server: Any) -> float:
    """Return the seconds to the server and back, the least of some."""
    times = []
    for _ in range(PINGS):
        begin = time.perf_counter()
        server.ping()
        times.append(time.perf_counter() - begin)
    return min(times)
