"""The way from Django's views and commands to crawls."""

from __future__ import annotations

from ...client.client import Client, shared
from ...errors import UnknownCrawl
from ...frontier.frontier import Frontier
from ...model import Snapshot


def client() -> Client:
    """Return the client of this process, as the project's settings describe it. Its connections are
    kept from call to call.

    Raises:
        SettingsError: the settings are wrong.
        SetupError: they name no Redis.
    """
    return shared()


def known_names(client: Client) -> list[str]:
    """Return the crawls that are defined here or were ever started, in alphabetical order."""
    return sorted({*client.known, *Frontier.names(client.redis, client.settings.key_prefix)})


def find_snapshot(client: Client, name: str) -> Snapshot | None:
    """Return the snapshot of the crawl ``name``; None if it was never started.

    Raises:
        UnknownCrawl: no crawl has this name.
    """
    frontier = client.frontier(name)
    if frontier.digest() is not None:
        return frontier.snapshot()
    if name not in client.known:
        raise UnknownCrawl(name, tuple(known_names(client)))
    return None
