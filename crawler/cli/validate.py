"""``validate``: every fault of a definition, before it runs."""

from __future__ import annotations

import click

from ..config import settings as configuration
from ..definition.browser_profile import attached_warnings
from ..definition.loading import load
from ..definition.route_checks import route_warnings
from ..definition.routes import route_names
from .parameters import CRAWL_REFERENCE
from .terminal import echo


@click.command()
@click.argument("crawl", metavar="CRAWL", type=CRAWL_REFERENCE)
def validate(crawl: str) -> None:
    """Say everything that is wrong with CRAWL at once."""
    settings = configuration.load()
    definition = load(crawl, crawls=settings.crawls)
    definition.validate()
    hooks = ", ".join(definition.hooks) or "none"
    routes = f"; routes: {route_names(definition)}" if definition.routes else ""
    echo(f"{definition.name}: well formed; hooks: {hooks}{routes}")
    tables, fields = definition.routes, definition.fields
    for line in route_warnings(tables, fields, follows=definition.follows):
        echo(f"warning: {line}")
    if (settings.chrome_url or "").startswith(("ws://", "wss://")):
        for line in attached_warnings(definition):
            echo(f"warning: {line}")
