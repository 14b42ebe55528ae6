"""The one way from Django's views and commands to crawls."""

from __future__ import annotations

from ...client import Library, shared
from ...errors import UnknownCrawl
from ...frontier import Frontier
from ...model import Snapshot


def library() -> Library:
    """The library of this process, as the project's settings describe it. Its connections are kept
    from call to call.

    Raises:
        SettingsError: they are wrong.
        SetupError: they name no Redis.
    """
    return shared()


def names(library: Library) -> list[str]:
    """The crawls that are known here or were ever started, in alphabetical order."""
    return sorted({*library.known, *Frontier.names(library.redis, library.settings.key_prefix)})


def seen(library: Library, name: str) -> Snapshot | None:
    """Where the crawl ``name`` stands; None if it was never started.

    Raises:
        UnknownCrawl: there is none of this name.
    """
    frontier = library.frontier(name)
    if frontier.digest() is not None:
        return frontier.snapshot()
    if name not in library.known:
        raise UnknownCrawl(name, tuple(names(library)))
    return None
