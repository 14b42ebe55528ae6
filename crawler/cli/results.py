"""``export`` and ``report``: the results of a crawl, and its end report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..frontier.listing import Listing
from ..output import report as end_report
from ..output.export import FORMATS, Rows, Stream, kind_of, print_export, write_export
from ..output.files.whole_files import WholeFile, put_text
from ..output.new_rows import ExportedRows, export_new
from .click_errors import Mistake
from .common import find_crawl, open_client
from .crawl_report import report_file, report_page
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
@click.option("--pages", is_flag=True, help="A row for each page, instead of each item.")
@click.option(
    "--new",
    is_flag=True,
    help="Only rows that no earlier export with --new gave to this FILE, which then holds those.",
)
@click.option(
    "--place",
    metavar="TEXT",
    help="With --new: the name of the place that gets them, if FILE is another one each time.",
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
def export(
    name: str,
    file: str,
    kind: str | None,
    pages: bool,
    new: bool,
    place: str | None,
    raw: bool,
    overwrite: bool,
) -> None:
    """Write the items of NAME as JSON lines, CSV, Parquet or SQLite."""
    if place is not None and not new:
        raise Mistake("--place is for --new")
    path = None if file == "-" else Path(file)
    kind = kind or (format_of(path) if path else "jsonl")
    out = TerminalOutput() if sys.stdout.isatty() else sys.stdout
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        state = client.settings.state_dir
        target = None
        if path:
            target = WholeFile(path, state, advice=ADVICE, overwrite=overwrite)
        rows = Rows(Stream(Listing(crawl.frontier).results), pages)
        if new:
            given = f"{'pages' if pages else 'items'} {place or (path and path.absolute()) or '-'}"
            with ExportedRows(state, crawl.name, given) as memory:
                rows = export_new(memory, rows, target, out, kind, raw=raw)
        elif target:
            write_export(target, rows, kind, raw=raw)
        else:
            print_export(out, rows, kind, raw=raw)
    what = f"{'new ' if new else ''}{'pages' if pages else 'items'}"
    if path or not rows.count:
        of = "" if pages or new else f" of {rows.stream.pages} pages"
        echo(f"{rows.count} {what}{of} in {path or 'all'}", err=True)
    if not rows.count and not pages and not new and rows.stream.pages:
        echo(f"no page gave an item; the pages: crawler export {name} --pages", err=True)
    if rows.stream.lost:
        lost = f"{rows.stream.lost} older results are no longer in Redis (results_limit)"
        echo(f"warning: {lost}", err=True)


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
@click.option(
    "--html",
    "html",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="A page for a browser, which needs nothing else. [default of FILE: NAME.html]",
)
def report(name: str, as_json: bool, html: str | None) -> None:
    """Say what the crawl NAME did, and why it ended, if it has."""
    if as_json and html is not None:
        raise Mistake("of --json and --html, name one")
    with open_client() as client:
        crawl, snapshot = find_crawl(client, name)
        if html is not None:
            settings = client.settings
            file = report_file(Path(html or f"{name}.html"), name, settings.state_dir)
            file.check()
            page = report_page(crawl, snapshot, settings.state_dir, settings.errors_dir)
            file.write(lambda path: put_text(path, page))
            echo(f"the report of {name} is in {file.path}", err=True)
            return
    if as_json:
        echo(json.dumps(end_report.report(snapshot)))
    else:
        echo("\n".join(end_report.lines(snapshot)))
