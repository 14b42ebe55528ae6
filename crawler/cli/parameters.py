"""The parameters that many commands have, and what a shell completes in them."""

from __future__ import annotations

import socket

import click
from click.shell_completion import CompletionItem

from ..config import SettingsError
from ..config import settings as configuration
from ..errors import CrawlerError


class CrawlName(click.ParamType[str]):
    """The name of a crawl, which a shell completes."""

    name = "name"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002, click passes it
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the crawls that begin so. Starts nothing: without a Redis that is up, none."""
        from ..local.embedded import Embedded
        from .common import names, open_client

        try:
            settings = configuration.load()
            if not settings.redis_url and not Embedded(settings).running:
                return []
            with open_client() as client:
                return [CompletionItem(one) for one in names(client) if one.startswith(incomplete)]
        except (CrawlerError, SettingsError):
            return []


class CrawlReference(click.ParamType[str]):
    """What a crawl is loaded from: a URL, a file, ``module:attribute`` or a name. A shell completes
    files.
    """

    name = "crawl"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002, click passes it
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return what makes the shell look for files."""
        return [CompletionItem(incomplete, type="file")]


class Host(click.ParamType[str]):
    """A name or an address of this machine, at which a server can listen."""

    name = "host"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value; fail if nothing can listen there."""
        if not value:
            self.fail("is empty (0.0.0.0 is every address of this machine)", param, ctx)
        if why := why_deaf(value):
            self.fail(f"{value!r} is no address of this machine: {why}", param, ctx)
        return value


def why_deaf(host: str) -> str:
    """Return why nothing can listen at ``host``; "" if it can."""
    why = ""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or "no such name"
    for family, kind, _, _, place in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.bind(place)
        except OSError as error:
            why = error.strerror or str(error)
        else:
            return ""
    return why


CRAWL_NAME, CRAWL_REFERENCE, HOST = CrawlName(), CrawlReference(), Host()
