"""Shared by commands about crawls: the way to the frontier, and a line on where a crawl stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..client.client import Client
from ..client.crawl_handle import CrawlHandle
from ..config import settings as configuration
from ..errors import SetupError
from ..frontier.frontier import Frontier
from ..local.embedded import Embedded
from ..model import Snapshot, Status
from ..output import report


@contextmanager
def open_client() -> Iterator[Client]:
    """Open the configured frontier; without one, the private frontier of this folder.

    The private one is started for this command alone, unless a crawl has it up.

    Raises:
        SetupError: none is configured, and no crawl has run in this folder.
    """
    settings = configuration.load()
    if settings.redis_url:
        yield Client(settings)
        return
    embedded = Embedded(settings)
    if embedded.running:
        yield Client(embedded.settings)
    elif embedded.exists:
        with embedded:
            yield Client(embedded.settings, attended=False)
    else:
        raise SetupError(
            f"no crawl has run here: there is no {embedded.folder}, and CRAWLER_REDIS_URL is"
            " not set"
        )


def find_crawl(client: Client, name: str) -> tuple[CrawlHandle, Snapshot]:
    """Return the crawl ``name`` and its snapshot.

    Raises:
        UnknownCrawl: no crawl has this name.
    """
    crawl = client.handle(name)
    return crawl, crawl.snapshot()


def standing(client: Client, snapshot: Snapshot) -> str:
    """Return where a crawl stands, in a line; a second line says who goes on with it, if no worker
    does.
    """
    line = report.standing(snapshot)
    if client.attended or snapshot.status.ended or snapshot.status is Status.PAUSED:
        return line
    return (
        f"{line}\nnobody is at work on it: `crawler start`, with what it was started with, goes on"
    )


def names(client: Client) -> list[str]:
    """Return the names of all crawls of the frontier, in alphabetical order."""
    return sorted(Frontier.names(client.redis, client.settings.key_prefix))
