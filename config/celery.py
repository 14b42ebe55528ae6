"""Celery's settings, as plain values: a page is run once, messages are small, waits are bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kombu import Exchange, Queue
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from . import SettingsError
from .service_urls import SENTINEL_SCHEMES
from .settings import RECRAWL, Settings

#: The module of our transports, by the name that it is installed under.
TRANSPORTS = "crawler.tasks.transport"
#: Characters of a path that may stand in a URL's host as they are.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
#: Seconds to wait for a Sentinel, which has little to do.
SENTINEL_TIMEOUT = 1.0
#: Seconds that a sender waits for an answer of the broker. It asks a silent broker three times: to
#: send, to connect, to send again.
SEND_TIMEOUT = 1.4


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Return the configuration of the stand-alone app.

    A Django project has an app of its own, and merges :func:`routes` into its configuration.
    """
    queue = settings.queue
    return {
        **broker(settings),
        "broker_connection_retry_on_startup": True,
        # For beat; workers have crawler.tasks.reconnection.
        "broker_connection_max_retries": None,
        "broker_pool_limit": 10,
        # JSON only: a writer to the broker could otherwise run code here.
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # No result backend: results are in the frontier and in the crawl's sinks.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # Early acks and no prefetch: when a worker dies its message is gone, and the lease and the
        # tick bring the page back. With late acks every page in flight runs a second time, in
        # parallel, as soon as the broker's connections drop.
        "task_acks_late": False,
        "worker_disable_prefetch": True,
        "worker_prefetch_multiplier": 1,
        "worker_eta_task_limit": 100,
        # One queue. A typing error in a name must not make another that no worker reads.
        "task_default_queue": queue,
        "task_queues": [Queue(queue, Exchange(queue, type="direct"), routing_key=queue)],
        "task_create_missing_queues": False,
        "task_routes": routes(settings),
        "task_soft_time_limit": settings.run_timeout,
        "task_time_limit": settings.hard_timeout,
        "worker_soft_shutdown_timeout": settings.soft_shutdown_timeout,
        "worker_send_task_events": settings.events,
        # A message that is sent and not yet received is a wake-up, not a page; an event for it
        # would cost each page 0.4 ms.
        "task_send_sent_event": False,
        "worker_consumer": "crawler.tasks.consumer:Consumer",
        "worker_hijack_root_logger": False,
        # If Redis is frozen, a sender raises one clear error after a few seconds.
        "task_publish_retry_policy": {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.2,
        },
        "enable_utc": True,
        **({"beat_schedule": schedule(settings)} if settings.schedule else {}),
    }


def schedule(settings: Settings) -> dict[str, Any]:
    """Return what beat sends, and when.

    Raises:
        SettingsError: an entry is no crontab.
    """
    from celery.schedules import ParseException, crontab  # loads Celery, for beat alone

    entries = {}
    for entry in settings.schedule:
        name, *times, last = entry.split()
        how = last if last == RECRAWL else "restart"
        times += [last] if how != last else []
        try:
            when = crontab.from_string(" ".join(times))
        except (ParseException, ValueError) as error:
            raise SettingsError(f"CRAWLER_SCHEDULE: {entry!r}: {error}") from error
        entries[entry] = {
            "task": "crawler.start",
            "args": (name,),
            "kwargs": {"if_exists": how},
            "schedule": when,
        }
    return entries


def sender_settings(settings: Settings) -> dict[str, Any]:
    """Return the configuration of an app that only sends messages.

    It gives up a frozen broker within 5 s; a worker waits longer.
    """
    config = celery_settings(settings)
    config["broker_transport_options"]["socket_timeout"] = min(SEND_TIMEOUT, settings.redis_timeout)
    return config


def routes(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the routes of our tasks: a worker discards a task that it does not know."""
    return {"crawler.*": {"queue": settings.queue}}


def broker(settings: Settings) -> dict[str, Any]:
    """Return the place and the transport of the broker, in Celery's words."""
    url = settings.broker_url or ""
    if urlsplit(url).scheme in SENTINEL_SCHEMES:
        return sentinels(settings, url)
    socket = url.startswith("redis+socket://")
    return {
        "broker_url": _socket_url(url) if socket else settings.broker_url,
        "broker_transport": f"{TRANSPORTS}:{'SocketTransport' if socket else 'Transport'}",
        "broker_transport_options": transport_options(settings),
    }


def _socket_url(url: str) -> str:
    """Return the URL of a socket in the form that its transport takes.

    Kombu takes a prefix such as "redis+" for the name of a transport, whatever the settings say. It
    reads a host in lower case, and per cent codes in it.
    """
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    path = "".join(
        character if character in PLAIN else "".join(f"%{byte:02x}" for byte in character.encode())
        for character in unquote(parts.path)
    )
    return f"redis://{user}{at}{path}/{dict(parse_qsl(parts.query)).get('virtual_host', 0)}"


def sentinels(settings: Settings, url: str) -> dict[str, Any]:
    """Return the places of the Sentinels of ``url`` in Celery's words.

    Kombu wants the Sentinels in three places; ``redis+sentinel://`` names them in one.
    """
    options = transport_options(settings)
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    options_of_url = parse_url(parts._replace(scheme="redis", netloc="localhost", path="").geturl())
    tls = {name: value for name, value in options_of_url.items() if name.startswith("ssl_")}
    to_sentinels = {
        name.removeprefix("sentinel_"): value
        for name, value in options_of_url.items()
        if name.startswith("sentinel_")
    }
    encrypted = parts.scheme == "rediss+sentinel"
    options["master_name"] = service
    options["sentinel_kwargs"] = {
        **({"ssl": True} | tls if encrypted else {}),
        "socket_connect_timeout": min(SENTINEL_TIMEOUT, settings.redis_connect_timeout),
        "socket_timeout": min(SENTINEL_TIMEOUT, settings.redis_timeout),
        "retry": Retry(NoBackoff(), 0),  # there are others to ask
        **to_sentinels,
    }
    return {
        "broker_url": ";".join(
            f"sentinel://{user}{at}{host}/{database or 0}" for host in hosts.split(",")
        ),
        "broker_transport": f"{TRANSPORTS}:SentinelTransport",
        "broker_failover_strategy": same_address,
        "broker_transport_options": options,
        **({"broker_use_ssl": tls or {"ssl_cert_reqs": "required"}} if encrypted else {}),
    }


def same_address(urls: Sequence[str]) -> Iterator[str]:
    """Yield the host of the first of ``urls``, without end, as the address to try next.

    A channel asks all Sentinels by itself. Kombu would go to the next URL, and take its scheme for
    the name of a transport.
    """
    return repeat(urlsplit(urls[0]).hostname or "localhost")


def transport_options(settings: Settings) -> dict[str, Any]:
    """Return the options of kombu's connections, for workers and for senders."""
    return {
        "visibility_timeout": round(settings.visibility_timeout),
        "socket_connect_timeout": settings.redis_connect_timeout,
        "socket_timeout": settings.redis_timeout,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "global_keyprefix": settings.key_prefix,
        # In this queue, a worker of the stand-alone app refuses what is no message for it.
        "crawler_queue": settings.queue,
    }
