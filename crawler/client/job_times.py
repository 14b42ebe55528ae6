"""How long a job waited for its first page, and how long it was processed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model import Snapshot
from ..storage.errors import redis_errors
from ..storage.server import server_time
from .webhooks import JOB_KEYS

if TYPE_CHECKING:
    from .client import Client


class JobTimes(NamedTuple):
    """Seconds from the order to the first page, or to now if none was begun; and from there to the
    end, or to now.
    """

    waiting: float
    processing: float


def times_of(created: float, begun: float | None, now: float) -> JobTimes:
    """Return the times of a job that was ``created`` and ``begun`` (None: not yet) at these
    instants; ``now`` is its end, if it has ended. All by Redis's clock.
    """
    waiting = max(0.0, (now if begun is None else begun) - created)
    return JobTimes(waiting, 0.0 if begun is None else max(0.0, now - begun))


def created_at(record: Mapping[str, Any]) -> float:
    """Return when the order of ``record`` was written, in epoch seconds: as exact as the frontier's
    times, or the first page might precede it.
    """
    return int(record["created"]) // 1_000 / 1_000


def find_times(client: Client, id: str, snapshot: Snapshot) -> JobTimes | None:  # noqa: A002
    """Return the times of the job ``id``, whose crawl is at ``snapshot``; None: there is no such
    order any more.
    """
    with redis_errors():
        text = client.redis.get(f"{client.settings.key_prefix}{JOB_KEYS}order:{id}")
    if text is None:
        return None
    now = snapshot.ended or server_time(client.redis)
    return times_of(created_at(json.loads(text)), snapshot.begun, now)
