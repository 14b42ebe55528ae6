"""A Redis client from a URL: time-outs at every level, so that nothing here can wait for ever on a frozen server."""

from __future__ import annotations

from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from .errors import SetupError

#: What speaks to a Redis, undecoded.
Client = redis.Redis | RedisCluster

#: Seconds to wait for a connection.
CONNECT_TIMEOUT = 2.0
#: Seconds to wait for an answer.
READ_TIMEOUT = 5.0
#: Seconds of silence after which a connection is tested before it is used again.
HEALTH_CHECK_INTERVAL = 25
#: How often a command is sent again after its connection broke. Every script of the frontier may be repeated safely.
RETRIES = 1

SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")


def connect(url: str, *, connect_timeout: float = CONNECT_TIMEOUT, read_timeout: float = READ_TIMEOUT) -> Client:
    """A client for ``url``; opens nothing yet (a Cluster's is the exception: it asks for the slots at once).

    ``redis://``, ``rediss://`` (TLS) and ``unix://`` are redis-py's own forms; ``redis+cluster://`` and ``rediss+cluster://``
    name any one node of a Redis Cluster.

    Raises:
        SetupError: the URL is not one of these.
    """
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise SetupError(f"a Redis URL begins with one of {', '.join(s + '://' for s in SCHEMES)}, not with {scheme + '://'!r}")
    kind = RedisCluster if scheme.endswith("+cluster") else redis.Redis
    try:
        return kind.from_url(
            url.replace("+cluster", "", 1) if kind is RedisCluster else url,
            socket_connect_timeout=connect_timeout,
            socket_timeout=read_timeout,
            health_check_interval=HEALTH_CHECK_INTERVAL,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES),
        )
    except ValueError as error:
        raise SetupError(f"the Redis URL cannot be read: {error}") from error
