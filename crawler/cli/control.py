"""``stop`` and ``clear``: commands that change a crawl from outside."""

from __future__ import annotations

import click

from ..model import Status
from .door import Mistake, existing, library


@click.command()
@click.argument("name")
def stop(name: str) -> None:
    """Begin no further page of the crawl NAME; pages in flight finish."""
    with library() as there:
        frontier, seen = existing(there, name)
        if seen.status.ended:
            click.echo(f"{name} has ended already: {seen.status.value.lower()}")
            return
        frontier.stop("stopped by crawler stop")
        now = frontier.snapshot()
        click.echo(f"{name}: {now.status.value.lower()}, {now.processing} in flight")


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(name: str, yes: bool) -> None:
    """Forget the crawl NAME: its pages, its results, all it knows. Result files stay."""
    with library() as there:
        frontier, seen = existing(there, name)
        if seen.status is Status.ACTIVE and seen.processing:
            raise Mistake(f"{name} is at work on {seen.processing} pages: `crawler stop {name}` first")
        if not yes:
            click.confirm(f"Forget {name} with {seen.accepted} known pages?", abort=True)
        frontier.clear()
        click.echo(f"{name}: forgotten")
