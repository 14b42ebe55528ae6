"""A Redis client from a URL: time-outs at every level, so that nothing here can wait for ever on a
frozen server.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import Connection, SSLConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from ..errors import SetupError

#: A client of Redis that decodes nothing.
RedisClient = redis.Redis | RedisCluster

#: Seconds to wait for a connection.
CONNECT_TIMEOUT = 2.0
#: Seconds to wait for an answer.
READ_TIMEOUT = 4.0
#: Seconds to wait for a Sentinel, which has little to do; there are others to ask.
SENTINEL_TIMEOUT = 1.0
#: Seconds of silence after which a connection is tested before it is used again.
HEALTH_CHECK_INTERVAL = 25
#: How often a command is sent again after its connection broke. Every script of the frontier may be
#: repeated safely. After a time-out none is: a caller would only
#: wait twice for a frozen server.
RETRIES = 2

SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
)
PORT, SENTINEL_PORT = 6379, 26379


def connect(
    url: str, *, connect_timeout: float = CONNECT_TIMEOUT, read_timeout: float = READ_TIMEOUT
) -> RedisClient:
    """Return a client for ``url``; it opens nothing yet.

    ``redis://``, ``rediss://`` (TLS) and ``unix://`` are redis-py's own forms.
    ``redis+cluster://host:port,host:port`` names any nodes of a Redis Cluster;
    ``redis+sentinel://host:port,host:port/service/0`` the Sentinels that know where the master
    ``service`` is (port 26379 if none is given), with user and password of the master. Both have a
    form with ``rediss``. redis-py's options (``?ssl_ca_certs=…``) may follow each; those that begin
    with ``sentinel_`` are for the Sentinels.

    Raises:
        SetupError: the URL is not one of these.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": connect_timeout,
        "socket_timeout": read_timeout,
        "health_check_interval": HEALTH_CHECK_INTERVAL,
    }
    retry = Retry(
        ExponentialWithJitterBackoff(base=0.05, cap=0.5),
        RETRIES,
        supported_errors=(redis.ConnectionError,),
    )
    try:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise SetupError(
                f"a Redis URL begins with one of {', '.join(s + '://' for s in SCHEMES)}, not with"
                f" {parts.scheme + '://'!r}"
            )
        base, _, kind = parts.scheme.partition("+")
        if not kind:
            client = redis.Redis.from_url(url, **options, retry=retry)
            pool = client.connection_pool
            pool.connection_class = answering(pool.connection_class)
            # connects nowhere, but knows its options
            pool.connection_class(**pool.connection_kwargs)
            return client
        if kind == "cluster":
            nodes = [ClusterNode(*address) for address in hosts(parts, PORT)]
            options |= parse_options(base, parts, parts.path)
            if options.pop("db", 0):
                raise SetupError(
                    "a Redis Cluster has no databases: leave it out of the URL, and set"
                    " CRAWLER_KEY_PREFIX instead"
                )
            return Cluster(startup_nodes=nodes, retry=retry, ssl=base == "rediss", **options)
        service, _, database = parts.path.strip("/").partition("/")
        if not service:
            raise SetupError(
                "a Sentinel's URL names the master that it watches:"
                " redis+sentinel://host:26379/NAME/0"
            )
        options |= parse_options(base, parts, f"/{database}")
        return sentinel(
            service, list(hosts(parts, SENTINEL_PORT)), options, retry, tls=base == "rediss"
        )
    except ValueError as error:
        raise SetupError(f"the Redis URL cannot be read: {error}") from error
    except TypeError as error:  # names an option of the URL, never its value
        raise SetupError(
            f"the Redis URL has an option that is none: {str(error).partition('() ')[2] or error}"
        ) from error


def answering(connection: Any) -> Any:
    """Return a class of connections to whose health any reply will do: a server that cannot save
    refuses even PING (MISCONF), and answers what only reads.
    """

    class Answering(connection):  # type: ignore[misc]
        def _send_ping(self) -> None:
            with suppress(redis.ResponseError):
                super()._send_ping()

    return Answering


def hosts(parts: SplitResult, port: int) -> Iterator[tuple[str, int]]:
    """Yield the addresses in the URL ``parts``, which commas separate."""
    for name in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{name}")
        yield one.hostname or "localhost", one.port or port


def parse_options(base: str, parts: SplitResult, path: str) -> dict[str, Any]:
    """Return everything but the addresses in a URL, as options of redis-py's connections."""
    user = parts.netloc.rpartition("@")[0]
    options = dict(
        parse_url(parts._replace(scheme=base, netloc=f"{user}@localhost", path=path).geturl())
    )
    options.pop("host"), options.pop("connection_class", None)
    apart = ("sentinel_",) if parts.scheme.endswith("+sentinel") else ()
    own = {name: value for name, value in options.items() if not name.startswith(apart)}
    # connects nowhere, but knows its options
    (SSLConnection if base == "rediss" else Connection)(**own)
    return options


def sentinel(
    service: str,
    addresses: list[tuple[str, int]],
    options: dict[str, Any],
    retry: Retry,
    *,
    tls: bool,
) -> redis.Redis:
    """Return a client of the master ``service``; each connection goes where the Sentinels say that
    it is then.
    """
    to_master = {name: value for name, value in options.items() if not name.startswith("sentinel_")}
    to_sentinels = {
        name.removeprefix("sentinel_"): value
        for name, value in options.items()
        if name.startswith("sentinel_")
    }
    if tls:
        to_master["ssl"] = True
        to_sentinels = (
            {name: value for name, value in options.items() if name.startswith("ssl_")}
            | {"ssl": True}
            | to_sentinels
        )
    timeouts = {
        name: min(SENTINEL_TIMEOUT, float(options[name]))
        for name in ("socket_connect_timeout", "socket_timeout")
    }
    once = Retry(NoBackoff(), 0)
    watchers = Sentinel(addresses, sentinel_kwargs=timeouts | {"retry": once} | to_sentinels)
    master: redis.Redis = watchers.master_for(service, retry=retry, **to_master)
    return master


class Cluster(RedisCluster):
    """A client of a Redis Cluster that opens nothing before its first command, and gives up after a
    time-out, unlike redis-py's own.
    """

    ERRORS_ALLOW_RETRY: Any = tuple(
        error for error in RedisCluster.ERRORS_ALLOW_RETRY if error is not redis.TimeoutError
    )

    def __init__(self, **options: Any) -> None:
        self._opening = threading.RLock()
        self._options: dict[str, Any] | None = options

    def __getattr__(self, name: str) -> Any:
        """Connect when an attribute is missing: before the first command, all are."""
        if name in ("_opening", "_options"):  # of a half-made object
            raise AttributeError(name)
        with self._opening:
            options = self._options
            if options is not None:
                self._options = None
                try:
                    super().__init__(**options)
                except BaseException:
                    self._options = options
                    raise
        return object.__getattribute__(self, name)

    def close(self) -> None:
        """Close every connection; harmless if there is none."""
        if self.__dict__.get("_options") is None:
            super().close()


def servers(client: RedisClient) -> list[redis.Redis]:
    """Return a client of each server that holds keys: the masters of a Cluster, else the only
    one.
    """
    if isinstance(client, RedisCluster):
        return [client.get_redis_connection(node) for node in client.get_primaries()]
    return [client]
