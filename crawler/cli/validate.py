"""``validate``: every fault of a definition, before it runs."""

from __future__ import annotations

import click

from ..definition.loading import load


@click.command()
@click.argument("crawl", metavar="CRAWL")
def validate(crawl: str) -> None:
    """Say everything that is wrong with CRAWL at once."""
    definition = load(crawl)
    definition.validate()
    hooks = ", ".join(definition.hooks) or "none"
    click.echo(f"{definition.name}: well formed; hooks: {hooks}")
