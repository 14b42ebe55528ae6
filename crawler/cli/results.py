"""``export`` and ``report``: what a crawl gave, and how it went."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..output import export as exporting
from ..output import report as reporting
from ..output.export import FORMATS
from .common import Mistake, client, handle


@click.command()
@click.argument("name")
@click.option(
    "-o", "--file", "file", default="-", help="Where to; - is standard output. [default: -]"
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="[default: by the name of the file, else jsonl]",
)
def export(name: str, file: str, kind: str | None) -> None:
    """Write the results of NAME as JSON lines, CSV or Parquet."""
    path = None if file == "-" else Path(file)
    kind = kind or (kind_of(path) if path else "jsonl")
    with client() as there:
        crawl, _ = handle(there, name)
        stream = exporting.write_export(path, crawl.frontier.results, kind, sys.stdout)
    if path:
        click.echo(f"{stream.pages} pages in {path}", err=True)
    if stream.lost:
        click.echo(
            f"warning: {stream.lost} older results are no longer in Redis (results_limit)", err=True
        )


def kind_of(path: Path) -> str:
    """The format that the name of a file means."""
    kind = path.suffix.lower().lstrip(".")
    if kind in FORMATS:
        return kind
    if kind in ("ndjson", "json", "jl", ""):
        return "jsonl"
    raise Mistake(f"{path} does not say its format: --format {', '.join(FORMATS)}")


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def report(name: str, as_json: bool) -> None:
    """What the crawl NAME did, and why it ended, if it has."""
    with client() as there:
        _, seen = handle(there, name)
    click.echo(json.dumps(reporting.report(seen)) if as_json else "\n".join(reporting.lines(seen)))
