"""Kombu's Redis transport, fitted to wake-ups: fewer trips to the broker, one wait and one fault
less.

Celery takes it from the setting ``broker_transport``, by name; nothing of kombu's is changed. A
project with a Celery app of its own opts in with that one line (see ``docs/django.md``), and
works without it: each page then costs about a millisecond more, and no health check sees a silent
broker.

It stands beside the senders: among the tasks, it would bring Selenium into each web process that
starts a crawl.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from queue import Empty
from typing import Any
from urllib.parse import quote

from kombu.transport import redis, virtual
from kombu.utils.url import as_url, maybe_sanitize_url
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import ResponseError

from ..text.encodable import text_of_error, type_of_error
from .messages import Refused, checked_command, checked_task, refusals, sized

#: Arguments of a connection that a Unix socket has no use for.
TCP_PARAMETERS = (
    *("host", "port", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"),
)

#: The option of the transport that names the queue of this project's messages; without it, every
#: queue is a project's own.
OWN_QUEUE = "crawler_queue"
#: The end of the name of a group's queue.
GROUP = re.compile(r"\.[0-9a-f]{8}")
#: Ends of the names of queues of remote control: of commands, and of the answers to them.
COMMANDS, REPLIES = ".pidbox", "reply.celery.pidbox"


def is_own(queue: str, own: str) -> bool:
    """Whether ``queue`` is ``own``, or that of a group of workers; see
    :func:`crawler.client.forwarding.group_queue`.
    """
    return queue == own or (queue.startswith(f"{own}.") and bool(GROUP.fullmatch(queue, len(own))))


def refuse_unreadable(queue: str, error: Exception) -> None:
    """Refuse what should be a message: ``error`` came when it was parsed. It has left ``queue``."""
    refusals.add(queue, f"it is no JSON ({type_of_error(error)})")


def sized_answer(answer: Any, **_: Any) -> Any:
    """Return the ``answer`` to BRPOP: the queue and its message, unless that is too large."""
    return (answer[0], sized(answer[1])) if answer else None


# kombu has no types: what is derived from it is Any, or unknown, by version of its stubs.


class QoS(redis.QoS):  # type: ignore[misc, name-defined, unused-ignore]
    """The messages that a worker has taken from the broker and not begun yet.

    It differs from kombu's class in two points. First, a wake-up for now is not noted in the
    broker, and not deleted there: two transactions, which cost each page half a millisecond. If the
    worker dies before it begins the run, kombu would put the wake-up back an hour later, which is
    too late; the crawl's tick sees after a minute that it is missing. A worker that ends in order
    puts it back.

    Second, kombu closes the connection to a dead broker twice, and the second time ends the worker
    with an AttributeError. That happens to a worker that holds an unacknowledged message: each
    wake-up for later is one.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unnoted: set[str] = set()  # the delivery tags of wake-ups for now

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a message that the worker has taken."""
        if message.headers.get("task") == "crawler.run" and not message.headers.get("eta"):
            self._unnoted.add(delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message: its task has begun, or it is of no use."""
        if delivery_tag in self._unnoted:
            self._unnoted.discard(delivery_tag)
            virtual.QoS.ack(self, delivery_tag)
        else:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back, or forget it."""
        self._note(delivery_tag)
        super().reject(delivery_tag, requeue=requeue)

    def restore_unacked(self, client: Any = None) -> Any:
        """Put unacknowledged messages back, if there is a connection to do it with."""
        if self.channel.connection.client is None:
            return None
        self._flush()
        for tag in [*self._unnoted]:
            self._note(tag)
        return super().restore_unacked(client)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> Any:
        """Put a message back that its worker did not acknowledge in time; forget what is none."""
        try:
            return super().restore_by_tag(tag, client, leftmost)
        except self.channel._errors:
            raise
        except Exception:
            refusals.add("of messages that were not acknowledged", "it is none")
            with self.channel.conn_or_acquire(client) as connection:
                connection.hdel(self.unacked_key, tag)
                connection.zrem(self.unacked_index_key, tag)
            return None

    def _note(self, tag: str) -> None:
        """Note a message in the broker, unless it is noted; kombu puts it back from there."""
        if tag in self._unnoted:
            self._unnoted.discard(tag)
            super().append(self._delivered[tag], tag)


class _Channel:
    """The differences between our channels and kombu's."""

    QoS = QoS
    _cached_client: Any = None
    #: The socket on which messages are asked for, and its id in the broker, if that is known.
    _waiting: tuple[Any, int | None] | None = None

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        """Errors of the connection, or of the Redis: of no message."""
        connection: Any = self.connection  # type: ignore[attr-defined]
        return (*connection.connection_errors, *connection.channel_errors)

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return a Redis client of this channel's pool. The client is kept as long as the pool.

        Kombu makes a client for each command, eight times in a run, and each fills a table of
        hundreds of callbacks. A client of a pool has no connection of its own, so one is enough.
        """
        channel: Any = super()
        if asynchronous:
            client = channel._create_client(asynchronous=True)
            if self.connection.own_queue:  # type: ignore[attr-defined] # a huge one is not parsed
                client.set_response_callback("BRPOP", sized_answer)
            return client
        pool = self.pool  # type: ignore[attr-defined]
        if self._cached_client is None or self._cached_client.connection_pool is not pool:
            self._cached_client = channel._create_client()
        return self._cached_client

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask the broker for the next message."""
        channel: Any = super()
        connection = self.client.connection  # type: ignore[attr-defined]
        if self._waiting is None or self._waiting[0] is not connection._sock:
            self._waiting = connection._sock, None  # not again on this one, whatever comes of it
            if connection._sock is not None:
                self._waiting = connection._sock, connection_id(connection)
        channel._brpop_start(timeout)

    def close(self) -> None:
        """Close this channel. Kombu waits for the broker's answer, as it may be a message: up to a
        second; so that is asked to answer now.
        """
        channel: Any = super()
        if self._in_poll and self._waiting and self._waiting[1]:  # type: ignore[attr-defined]
            with suppress(*self._errors):
                self._create_client().execute_command("CLIENT UNBLOCK", self._waiting[1])
        channel.close()

    def _brpop_read(self, **options: Any) -> Any:
        """Wait for the broker's answer whether there is a message, and note its time."""
        transport: Any = self.connection  # type: ignore[attr-defined]
        channel: Any = super()
        try:
            message = channel._brpop_read(**options)
        except Empty:  # the answer is: no message
            transport.last_broker_reply = time.time()
            raise
        except self._errors:
            raise
        except Exception as error:  # JSON names types, which kombu makes
            refuse_unreadable("of tasks", error)
            message = True
        transport.last_broker_reply = time.time()
        return message

    def _get(self, queue: str) -> Any:
        """Return the next message of ``queue``, which a worker without an event loop asks for."""
        channel: Any = super()
        try:
            return channel._get(queue)
        except Empty:
            raise
        except self._errors:
            raise
        except Exception as error:
            refuse_unreadable(queue, error)
            raise Empty from None

    def _receive_one(self, client: Any) -> Any:
        """Receive what was sent to all workers."""
        channel: Any = super()
        try:
            return channel._receive_one(client)
        except Empty:
            raise
        except self._errors:
            raise
        except Exception as error:
            refuse_unreadable("of remote control", error)
            return None


def connection_id(connection: Any) -> int | None:
    """Return the id of ``connection`` in the broker; None: it may not be asked for."""
    try:
        connection.send_command("CLIENT", "ID")
        return int(connection.read_response())
    except (ResponseError, ValueError):
        return None


class Channel(_Channel, redis.Channel):  # type: ignore[misc, name-defined, unused-ignore]
    """A channel to a Redis that a URL names."""


class SocketChannel(Channel):
    """A channel to the Redis at a Unix socket; the host is its path."""

    connection_class = UnixDomainSocketConnection

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return the arguments of a connection, with a path in the place of host and port."""
        parameters = super()._connparams(asynchronous)
        path = parameters["host"]
        for name in TCP_PARAMETERS:
            parameters.pop(name, None)
        return {**parameters, "path": path}


class SentinelChannel(_Channel, redis.SentinelChannel):  # type: ignore[misc, name-defined, unused-ignore]
    """A channel to the Redis that Sentinels name."""


class _Transport:
    """The differences between our transports and kombu's."""

    #: The time, in epoch seconds, at which the broker last answered whether there is a message. A
    #: worker with a free process asks every second. None: it has not answered yet.
    last_broker_reply: float | None = None
    scheme = "redis"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # set on the instance only: kombu itself parses the URL, and asks as_uri() to write it
        self.can_parse_url = True
        connection: Any = self.client  # type: ignore[attr-defined]
        self.own_queue: str = (connection.transport_options or {}).get(OWN_QUEUE, "")

    def _deliver(self, message: Any, queue: str) -> None:
        """Hand ``message`` to the worker, if it is one that it can read.

        Whatever it does to the code that takes it, the worker lives: it is refused.
        """
        transport: Any = super()
        try:
            if self.own_queue and is_own(queue, self.own_queue):
                message = checked_task(message, queue)
            elif self.own_queue and queue.endswith(COMMANDS) and not queue.endswith(REPLIES):
                message = checked_command(message)
            transport._deliver(message, queue)
        except Refused as error:
            refusals.add(queue, str(error))
        except (*self.connection_errors, *self.channel_errors):  # type: ignore[attr-defined]
            raise
        except Exception as error:
            refusals.add(queue, f"it raised {type_of_error(error)}: {text_of_error(error)}")
            self._forget(message)

    def _forget(self, message: Any) -> None:
        """Acknowledge ``message``, in which the worker failed."""
        with suppress(KeyError, TypeError):
            tag = message["properties"]["delivery_tag"]
            for channel in self.channels:  # type: ignore[attr-defined]
                if tag in channel.qos._delivered:
                    channel.qos.ack(tag)

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        """Return the broker's URL as kombu's own transport would, in logs and for Flower.

        ``uri`` is the host.
        """
        connection: Any = self.client  # type: ignore[attr-defined]
        scheme = "rediss" if connection.ssl and self.scheme == "redis" else self.scheme
        where = connection.info()
        password = where["password"] if include_password else mask
        return str(
            as_url(
                scheme,
                uri or "localhost",
                where["port"],
                where["userid"],
                password,
                quote(where["virtual_host"]),
                sanitize=not include_password,
                mask=mask,
            )
        )


class Transport(_Transport, redis.Transport):  # type: ignore[misc, name-defined, unused-ignore]
    """The transport to a Redis at ``redis://`` or ``rediss://``."""

    Channel = Channel


class SocketTransport(Transport):
    """The transport to a Redis at a Unix socket, whose path stands for the host, in per cent codes:
    ``redis://%2Frun%2Fredis.sock/0``.

    Kombu's own form, ``redis+socket://``, names kombu's transport, whatever the settings say; and
    ``socket://`` alone is no scheme to Celery where it shows its settings.
    """

    Channel = SocketChannel

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        """Return the broker's URL as kombu writes it; ``uri`` is the path of the socket."""
        where = self.client.info()
        names = (where["userid"], where["password"])
        user = ":".join(quote(name or "", safe="") for name in names) if any(names) else ""
        at = f"{user}@" if user else ""
        url = f"redis+socket://{at}{quote(uri)}?virtual_host={where['virtual_host'] or 0}"
        return url if include_password else str(maybe_sanitize_url(url, mask=mask))


class SentinelTransport(_Transport, redis.SentinelTransport):  # type: ignore[misc, name-defined, unused-ignore]
    """The transport to the Redis that Sentinels name: ``sentinel://``."""

    Channel = SentinelChannel
    scheme = "sentinel"
