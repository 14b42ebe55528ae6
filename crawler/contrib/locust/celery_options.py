"""The options that :class:`CeleryUser` adds to Locust's command, and the Celery app that they
describe.
"""

from __future__ import annotations

from locust import events  # first: it makes the standard library cooperate

# isort: split
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from celery import Celery

from ...config.service_urls import with_verification

BROKER = "redis://127.0.0.1:6379/0"
#: Seconds after which a call counts as failed.
TASK_TIMEOUT = 30.0
#: Connections to the broker that are kept. They are opened when they are needed.
POOL_LIMIT = 100
#: What is done about the events of workers.
ENABLE, LISTEN, OFF = "enable", "listen", "off"
#: Seconds to connect to Redis, and for an answer of it.
SOCKET_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class CeleryOptions:
    """What the options say. ``backend`` None: beside the broker; ``queue`` None: as the app routes
    its tasks; ``task_timeout`` is seconds.
    """

    broker: str | None = None
    backend: str | None = None
    task_timeout: float = TASK_TIMEOUT
    broker_pool_limit: int = POOL_LIMIT
    queue: str | None = None
    task_events: str = ENABLE
    tls_ca: str | None = None
    tls_insecure: bool = False

    @classmethod
    def of(cls, parsed: Any) -> CeleryOptions:
        """Return the options of Locust's ``parsed`` ones. Values from its web page are text, and
        empty where nothing was filled in.
        """
        found: dict[str, Any] = {}
        for option, name in NAMES.items():
            value = getattr(parsed, option, None)
            if value not in (None, ""):
                found[name] = value
        return cls(**found)


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options to Locust's command and its web page."""
    parser.add_argument(
        "--broker",
        env_var="LOCUST_CELERY_BROKER",
        default="",
        is_secret=True,  # it may hold a password
        help=f"URL of Celery's broker ({BROKER})",
    )
    parser.add_argument(
        "--backend",
        env_var="LOCUST_CELERY_BACKEND",
        default="",
        is_secret=True,
        help="URL of Celery's result backend (the broker, if it is Redis, else rpc://)",
    )
    parser.add_argument(
        "--task-timeout",
        env_var="LOCUST_CELERY_TASK_TIMEOUT",
        type=float,
        default=TASK_TIMEOUT,
        help=f"Seconds after which a call counts as failed ({TASK_TIMEOUT:g})",
    )
    parser.add_argument(
        "--broker-pool-limit",
        env_var="LOCUST_CELERY_BROKER_POOL_LIMIT",
        type=int,
        default=POOL_LIMIT,
        help=f"Connections to the broker that a process keeps; users beyond wait ({POOL_LIMIT})",
    )
    parser.add_argument(
        "--queue",
        env_var="LOCUST_CELERY_QUEUE",
        default="",
        help="Queue of tasks that name none (as the app routes them)",
    )
    parser.add_argument(
        "--task-events",
        env_var="LOCUST_CELERY_TASK_EVENTS",
        choices=(ENABLE, LISTEN, OFF),
        default=ENABLE,
        help="Workers' events, for QUEUE and RUN: enable them during the test, only listen, off",
    )
    parser.add_argument(
        "--broker-tls-ca",
        env_var="LOCUST_CELERY_BROKER_TLS_CA",
        default="",
        help="File of the authority that signed the certificates behind rediss:// (the system's)",
    )
    parser.add_argument(
        "--broker-tls-insecure",
        env_var="LOCUST_CELERY_BROKER_TLS_INSECURE",
        action="store_true",
        default=False,
        help="Do not verify the certificates behind rediss://",
    )


NAMES = {
    "broker": "broker",
    "backend": "backend",
    "task_timeout": "task_timeout",
    "broker_pool_limit": "broker_pool_limit",
    "queue": "queue",
    "task_events": "task_events",
    "broker_tls_ca": "tls_ca",
    "broker_tls_insecure": "tls_insecure",
}


class LoadApp(Celery):
    """An app that only sends: by the URLs that it is given, whatever the environment says.

    Celery itself lets ``CELERY_BROKER_URL`` win over them.
    """

    def __init__(self, broker: str, backend: str, settings: Mapping[str, Any]) -> None:
        super().__init__("locust", set_as_current=False, fixups=[], broker=broker)
        self.load_broker, self.backend_cls = broker, backend
        self.conf.update(settings)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """Return a connection to send by."""
        return super().connection_for_write(url or self.load_broker, **options)

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        """Return a connection to receive by."""
        return super().connection_for_read(url or self.load_broker, **options)


def make_app(options: CeleryOptions, project: Celery | None = None) -> Celery:
    """Return the app that ``options`` describe; ``project`` is one of the user's own, whose
    settings count where no option was given.
    """
    if project is not None and not (options.broker or options.backend):
        project.conf.broker_pool_limit = options.broker_pool_limit
        return project
    broker = options.broker or (project and project.conf.broker_url) or BROKER
    backend = options.backend or (project and project.conf.result_backend)
    backend = backend or (broker if urlsplit(broker).scheme in ("redis", "rediss") else "rpc://")
    settings = dict(project.conf.changes) if project is not None else {}
    for name in ("broker_url", "broker_read_url", "broker_write_url", "result_backend"):
        settings.pop(name, None)
    settings["broker_pool_limit"] = options.broker_pool_limit
    if urlsplit(broker).scheme in ("redis", "rediss"):  # a frozen Redis is no user's end
        own = settings.get("broker_transport_options") or {}
        times = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT}
        settings["broker_transport_options"] = {**times, **own}
    settings.setdefault("redis_socket_timeout", SOCKET_TIMEOUT)
    settings.setdefault("redis_socket_connect_timeout", SOCKET_TIMEOUT)
    return LoadApp(encrypted(broker, options), encrypted(backend, options), settings)


def encrypted(url: str, options: CeleryOptions) -> str:
    """Return ``url`` with what its scheme rediss:// needs to verify certificates, or not to."""
    if not url.startswith("rediss://"):
        return url
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if options.tls_insecure:
        query["ssl_cert_reqs"] = "none"
    if options.tls_ca:
        query.setdefault("ssl_ca_certs", options.tls_ca)
    return with_verification(parts._replace(query=urlencode(query)).geturl())
