"""``audit``, ``repair``, ``tick``: commands that look after crawls."""

from __future__ import annotations

import json
import sys

import click

from ..errors import SetupError
from .common import CRAWL_FAILED, client, handle, settings


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of sentences.")
def audit(name: str, as_json: bool) -> None:
    """Say what is wrong with the keys of NAME; exit status 1 if anything is."""
    with client() as there:
        crawl, _ = handle(there, name)
        wrong = crawl.frontier.audit()
    if as_json:
        click.echo(json.dumps(wrong))
    else:
        click.echo("\n".join(wrong) or f"{name}: all is well")
        if wrong:
            click.echo(f"mend it with: crawler repair {name}", err=True)
    if wrong:
        sys.exit(CRAWL_FAILED)


@click.command()
@click.argument("name")
def repair(name: str) -> None:
    """Mend what `audit` finds in NAME, which may go on meanwhile."""
    with client() as there:
        crawl, _ = handle(there, name)
        wrong = crawl.frontier.repair()
        left = crawl.frontier.audit()
        there.wake(name)
    click.echo("\n".join(f"mended: {sentence}" for sentence in wrong) or f"{name}: all was well")
    if left:
        click.echo("\n".join(f"still wrong: {sentence}" for sentence in left), err=True)
        sys.exit(CRAWL_FAILED)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object, by crawl.")
def tick(as_json: bool) -> None:
    """Find again what was lost, in every crawl, once. Workers do it by themselves."""
    given = settings()
    if not given.redis_url:
        raise SetupError("a tick is for crawls whose workers run elsewhere: set CRAWLER_REDIS_URL")
    from ..services import Services  # brings Selenium along

    services = Services(given)
    found = services.tick()
    if services.reaper:
        services.reaper.join()
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, what in found.items():
        click.echo(f"{name}: {what['started']} runs started, {what['reaped']} pages taken back")
    if not found:
        click.echo("no crawl is known here")
