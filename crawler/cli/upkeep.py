"""``audit``, ``repair``, ``tick``: commands that find damage and lost work, and mend it."""

from __future__ import annotations

import json
import sys

import click

from ..config import settings as configuration
from ..errors import SetupError
from ..frontier.repair import audit_keys, repair_keys
from ..output import report
from ..output.report import ExitStatus
from .common import find_crawl, open_client
from .parameters import CRAWL_NAME
from .terminal import echo


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of sentences.")
def audit(name: str, as_json: bool) -> None:
    """Say what is wrong with the keys of NAME; exit status 1 if anything is."""
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        faults = audit_keys(crawl.frontier)
    if as_json:
        echo(json.dumps(faults))
    else:
        echo("\n".join(faults) or f"{name}: all is well")
        if faults:
            echo(f"mend it with: crawler repair {name}", err=True)
    if faults:
        sys.exit(ExitStatus.CRAWL_FAILED)


@click.command()
@click.argument("name", type=CRAWL_NAME)
def repair(name: str) -> None:
    """Mend what `audit` finds in NAME, which may go on meanwhile."""
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        mended = repair_keys(crawl.frontier)
        left = audit_keys(crawl.frontier)
        client.wake(name)
    echo("\n".join(f"mended: {sentence}" for sentence in mended) or f"{name}: all was well")
    if left:
        echo("\n".join(f"still wrong: {sentence}" for sentence in left), err=True)
        sys.exit(ExitStatus.CRAWL_FAILED)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object, by crawl.")
def tick(as_json: bool) -> None:
    """Find again what was lost, in every crawl, once. Workers do it by themselves."""
    settings = configuration.load()
    if not settings.redis_url:
        raise SetupError("a tick is for crawls whose workers run elsewhere: set CRAWLER_REDIS_URL")
    from ..services import Services  # loads Selenium

    services = Services(settings)
    ticks = services.tick()
    services.webhooks.join()
    if services.reaper:
        services.reaper.join()
    if as_json:
        echo(json.dumps(ticks))
        return
    for name, counts in ticks.items():
        echo(report.tick_line(name, counts))
    if not ticks:
        echo("no crawl is known here")
