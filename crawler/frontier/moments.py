"""When crawls began and ended, of many at once: for load tests, which follow a crawl per job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..model import Status
from ..storage.connection import RedisClient
from ..storage.errors import redis_errors
from .arguments import batches

#: Crawls that are asked for in one round trip.
ROUND = 500


@dataclass(frozen=True, slots=True)
class Moments:
    """When the first page of a crawl was handed out, and when the crawl ended: epoch seconds by
    Redis's clock, None if that is yet to come.
    """

    status: Status
    begun: float | None
    ended: float | None


def moments_of(redis: RedisClient, prefix: str, names: Sequence[str]) -> list[Moments | None]:
    """Return the moments of each crawl, in the order of ``names``; None: it is in no frontier.

    A round trip for each five hundred crawls; constant work for each in Redis.
    """
    found: list[Moments | None] = []
    for some in batches(names, ROUND):
        with redis_errors():
            pipe: Any = redis.pipeline(transaction=False)
            for name in some:
                pipe.hmget(f"{prefix}crawl:{{{name}}}:meta", "status", "begun", "ended")
            found += [_moments(*values) for values in pipe.execute()]
    return found


def _moments(status: bytes | None, begun: bytes | None, ended: bytes | None) -> Moments | None:
    if status is None:
        return None
    return Moments(Status(status.decode()), _seconds(begun), _seconds(ended))


def _seconds(ms: bytes | None) -> float | None:
    return int(ms) / 1_000 if ms else None
