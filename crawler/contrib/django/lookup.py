"""What a client knows of the crawls of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnknownCrawl
from ...frontier.frontier import Frontier

if TYPE_CHECKING:
    from ...client.client import Client
    from ...model import Snapshot


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
