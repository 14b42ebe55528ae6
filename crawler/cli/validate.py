"""``validate``: every fault of a definition, before it runs."""

from __future__ import annotations

import click

from ..definition.loading import load
from .group import echo


@click.command()
@click.argument("crawl", metavar="CRAWL")
def validate(crawl: str) -> None:
    """Say everything that is wrong with CRAWL at once."""
    definition = load(crawl)
    definition.validate()
    hooks = ", ".join(definition.hooks) or "none"
    echo(f"{definition.name}: well formed; hooks: {hooks}")
