"""The one way from Django's views and commands to crawls."""

from __future__ import annotations

from ...client.client import Client, shared
from ...errors import UnknownCrawl
from ...frontier.frontier import Frontier
from ...model import Snapshot


def client() -> Client:
    """The client of this process, as the project's settings describe it. Its connections are kept
    from call to call.

    Raises:
        SettingsError: they are wrong.
        SetupError: they name no Redis.
    """
    return shared()


def names(client: Client) -> list[str]:
    """The crawls that are known here or were ever started, in alphabetical order."""
    return sorted({*client.known, *Frontier.names(client.redis, client.settings.key_prefix)})


def seen(client: Client, name: str) -> Snapshot | None:
    """Where the crawl ``name`` stands; None if it was never started.

    Raises:
        UnknownCrawl: there is none of this name.
    """
    frontier = client.frontier(name)
    if frontier.digest() is not None:
        return frontier.snapshot()
    if name not in client.known:
        raise UnknownCrawl(name, tuple(names(client)))
    return None
