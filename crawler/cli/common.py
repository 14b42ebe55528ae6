"""What all commands share: errors as one line, and the way to the frontier."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..client.client import Client, CrawlHandle
from ..config import settings as configuration
from ..config.settings import Settings, SettingsError
from ..errors import CrawlerError, CrawlExists, DefinitionError, SetupError, UnknownCrawl
from ..frontier.frontier import Frontier
from ..local.embedded import Embedded
from ..model import Snapshot, Status
from ..redaction import masked

#: Exit statuses: what a script can tell apart.
CRAWL_FAILED, MISTAKE, INTERRUPTED = 1, 2, 130


class Mistake(click.ClickException):
    """A mistake that the user can mend: one line (or one per fault), exit status 2."""

    exit_code = MISTAKE


class Group(click.Group):
    """Turns the client's errors into one line each; ``-v`` adds the cause. Programming errors
    pass: they should be seen.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)
        except (CrawlerError, SettingsError) as error:
            if ctx.params.get("verbose"):
                click.echo(masked(traceback.format_exc()), err=True)
            raise Mistake(masked(text_of(error))) from error


def text_of(error: Exception) -> str:
    """An error as its reader can mend it: the faults of a definition on a line each."""
    if isinstance(error, DefinitionError) and len(error.faults) > 1:
        return "\n".join(
            [
                f"the crawl {error.name!r} has {len(error.faults)} faults",
                *(f"  {fault}" for fault in error.faults),
            ]
        )
    if isinstance(error, CrawlExists):
        return f"{error} (crawler start --reset or --update)"
    return str(error)


@contextmanager
def client() -> Iterator[Client]:
    """The configured frontier; else the private one of this folder, started for this command alone
    if nobody else has it up.

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


def existing(client: Client, name: str) -> tuple[Frontier, Snapshot]:
    """The frontier of the crawl ``name``, which must exist, and its snapshot."""
    frontier = client.frontier(name)
    if frontier.plan() is None:
        raise UnknownCrawl(name, tuple(names(client)))
    return frontier, frontier.snapshot()


def handle(client: Client, name: str) -> tuple[CrawlHandle, Snapshot]:
    """The crawl ``name``, which must exist, and its snapshot."""
    found = client.handle(name)
    return found, found.snapshot()


def standing(client: Client, seen: Snapshot) -> str:
    """Where a crawl stands, in a line; and who goes on with it, if nobody is there."""
    reason = f" ({seen.reason})" if seen.reason else ""
    counts = (
        f"{seen.done} done, {seen.failed} failed, {seen.queued + seen.delayed} waiting,"
        f" {seen.processing} in flight"
    )
    text = f"{seen.name}: {seen.status.value.lower()}{reason}; {counts}"
    if client.attended or seen.status.ended or seen.status is Status.PAUSED:
        return text
    return (
        f"{text}\nnobody is at work on it: `crawler start`, with what it was started with, goes on"
    )


def names(client: Client) -> list[str]:
    """All crawls of the frontier."""
    return sorted(Frontier.names(client.redis, client.settings.key_prefix))


def settings() -> Settings:
    """The settings of the environment."""
    return configuration.load()
