"""Whose services crawls of ``start`` run on: those that are configured, or private ones."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..client.client import Client
from ..config import settings as configuration
from ..config.settings import Settings
from ..errors import FrontierUnavailable, SetupError
from ..storage.errors import nothing_listens, redis_errors
from .click_errors import with_fallback

#: Schemes of one server, and names of this machine.
SCHEMES, HERE = ("redis", "rediss", "unix"), ("", "localhost", "127.0.0.1", "::1")


class NoRedis(SetupError):
    """There is no Redis where one is looked for by default; nobody asked for another one."""


def find_services(settings: Settings) -> Client | None:
    """Return a client of the configured services; None: private ones are to be started, because
    there is no Redis by default, which is said aloud.

    One that a variable names is never replaced. The Django project's is, if its settings say that
    it is on this machine, and nothing listens there: as on that of somebody who tries things out.
    """

    @with_fallback(
        NoRedis, "private", True, f"a private Redis in {settings.state_dir}, and workers of its own"
    )
    def find(*, private: bool = False) -> Client | None:
        return None if private else configured(settings)

    return find()


def configured(settings: Settings) -> Client:
    """Return a client of the configured services.

    Raises:
        NoRedis: there is none by default.
    """
    if not settings.redis_url:
        raise NoRedis("no CRAWLER_REDIS_URL")
    client = Client(settings)
    if not configuration.is_given("redis_url") and is_here(settings.redis_url):
        try:
            with redis_errors():
                client.redis.ping()
        except FrontierUnavailable as error:
            if nothing_listens(error):
                raise NoRedis(f"{error} (an address of the Django project)") from error
    return client


def is_here(url: str) -> bool:
    """Whether ``url`` is of one server on this machine."""
    parts = urlsplit(url)
    return parts.scheme in SCHEMES and (parts.hostname or "") in HERE
