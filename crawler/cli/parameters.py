"""The parameters that many commands have, and what a shell completes in them."""

from __future__ import annotations

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


CRAWL_NAME, CRAWL_REFERENCE = CrawlName(), CrawlReference()
