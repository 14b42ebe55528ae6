"""``run`` and ``validate``: what a definition does, before it is let loose."""

from __future__ import annotations

import json

import click

from ..browser.pool import Chrome
from ..definition.loading import load
from ..definition.network import guard_of, proxies_of
from ..net.permits import Permits
from ..run.dry_run import dry_run
from ..services import endpoint
from .common import settings


@click.command()
@click.argument("crawl", metavar="CRAWL")
@click.option("--url", help="Another page of it than the entry.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another value for a field, for a crawl without code.",
)
def run(crawl: str, url: str | None, as_json: bool, changes: tuple[str, ...]) -> None:
    """Run one page of CRAWL, without Redis and without following links: what it extracts, and which
    links it would keep.
    """
    definition = load(crawl, changes)
    definition.validate()
    given = settings()
    chrome = Chrome(endpoint(given))
    try:
        permits = Permits(
            guard_of(definition),
            obey=definition.robots,
            proxies=proxies_of(definition, chrome.endpoint.secrets),
        )
        seen = dry_run(definition, chrome, permits, url)
    finally:
        chrome.close()
    if as_json:
        kept = [page.url for page in seen.kept]
        dropped = [{"url": link.url, "reason": reason} for link, reason in seen.dropped]
        click.echo(
            json.dumps(
                {**seen.result.record(), "kept": kept, "dropped": dropped}, ensure_ascii=False
            )
        )
        return
    result = seen.result
    click.echo(
        f"{result.response.url}  status {result.response.status or 'unknown'}  {result.ms:.0f} ms"
    )
    click.echo(json.dumps(result.data, ensure_ascii=False, indent=2))
    click.echo(f"{len(seen.kept)} links kept")
    for page in seen.kept:
        click.echo(f"  {page.url}")
    click.echo(f"{len(seen.dropped)} links dropped")
    for link, reason in seen.dropped:
        click.echo(f"  {reason:<12} {link.url}")


@click.command()
@click.argument("crawl", metavar="CRAWL")
def validate(crawl: str) -> None:
    """Say everything that is wrong with CRAWL at once."""
    definition = load(crawl)
    definition.validate()
    hooks = ", ".join(definition.hooks) or "none"
    click.echo(f"{definition.name}: well formed; hooks: {hooks}")
