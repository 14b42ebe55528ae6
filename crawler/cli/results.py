"""``export`` and ``report``: the results of a crawl, and its end report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..frontier.listing import Listing
from ..output import report as end_report
from ..output.export import FORMATS, Stream, kind_of, print_export, write_export
from ..output.whole_files import WholeFile
from .click_errors import Mistake
from .common import find_crawl, open_client
from .parameters import CRAWL_NAME
from .terminal import TerminalOutput, echo

#: How to export to a file that is there, and is not known as an earlier export.
ADVICE = "choose another file, or replace it with --overwrite"


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option(
    "-o", "--file", "file", default="-", help="Where to; - is standard output. [default: -]"
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="[default: by the name of the file, else jsonl]",
)
@click.option(
    "--raw",
    is_flag=True,
    help="CSV: leave texts that a spreadsheet would run as a formula as they are; without this, an"
    " apostrophe is put before them.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace FILE, whatever it holds. [default: if we wrote it]"
)
def export(name: str, file: str, kind: str | None, raw: bool, overwrite: bool) -> None:
    """Write the results of NAME as JSON lines, CSV, Parquet or SQLite."""
    path = None if file == "-" else Path(file)
    kind = kind or (format_of(path) if path else "jsonl")
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        results = Listing(crawl.frontier).results
        if path:
            target = WholeFile(path, client.settings.state_dir, advice=ADVICE, overwrite=overwrite)
            stream = write_export(target, results, kind, raw=raw)
        else:
            stream = Stream(results)
            out = TerminalOutput() if sys.stdout.isatty() else sys.stdout
            print_export(out, stream, kind, raw=raw)
    if path:
        echo(f"{stream.pages} pages in {path}", err=True)
    if stream.lost:
        echo(
            f"warning: {stream.lost} older results are no longer in Redis (results_limit)", err=True
        )


def format_of(path: Path) -> str:
    """Return the format that the name of a file stands for.

    Raises:
        Mistake: it stands for none.
    """
    if kind := kind_of(path):
        return kind
    if path.suffix.lower() in (".ndjson", ".json", ".jl", ""):
        return "jsonl"
    raise Mistake(f"{path} does not say its format: --format {', '.join(FORMATS)}")


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def report(name: str, as_json: bool) -> None:
    """Say what the crawl NAME did, and why it ended, if it has."""
    with open_client() as client:
        _, snapshot = find_crawl(client, name)
    if as_json:
        echo(json.dumps(end_report.report(snapshot)))
    else:
        echo("\n".join(end_report.lines(snapshot)))
