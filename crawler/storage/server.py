"""The Redis servers themselves: their settings, their memory, their clock."""

from __future__ import annotations

from typing import Any

from redis import exceptions as faults

from ..errors import FrontierError, FrontierMisfit
from .connection import RedisClient, servers
from .errors import redis_errors

#: Share of maxmemory above which there is an alarm.
MEMORY_ALARM = 0.8


def server_settings(redis: Any, *names: str) -> dict[str, str]:
    """Return settings of the server, as far as it tells; a hosted one may forbid the question, or
    answer only part of it.
    """
    settings: dict[str, str] = {}
    for name in names:
        try:
            answer = redis.config_get(name)
        except faults.ResponseError:
            continue
        for key, value in answer.items():
            settings[text_of(key)] = text_of(value)
    return settings


def memory_alarms(redis: RedisClient) -> list[str]:
    """Return an alarm, a sentence, if the server, or one of the Cluster, is nearly full."""
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


def server_time(redis: RedisClient) -> float:
    """Return Redis's clock, in epoch seconds."""
    with redis_errors():
        seconds, microseconds = redis.time()
    return float(seconds) + microseconds / 1e6


def text_of(value: object) -> str:
    """Return ``value`` as text, whether the client decodes or not."""
    return value.decode() if isinstance(value, bytes) else str(value)


def write_refusal(redis: RedisClient, key: str) -> str | None:
    """Return why ``redis``, which answers, takes no changes; None: it takes them, or this user may
    not try. ``key`` is written for a moment.
    """
    try:
        with redis_errors():
            redis.set(key, 1, px=1)
    except FrontierMisfit:
        return None
    except FrontierError as error:
        return str(error)
    return None
