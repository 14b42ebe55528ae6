"""``start``: a whole crawl. With a configured Redis it starts and watches the crawl; without, it
also starts all services, and ends them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..client.start_report import IfExists
from ..config import environment
from ..config import settings as configuration
from ..config.settings import Settings
from ..local.embedded import Embedded
from ..local.private_files import crawl_folder
from ..model import Snapshot
from ..output import report
from ..output.export import FORMATS
from .click_errors import Mistake
from .field_options import FieldCommand, changes_of, field_options, set_option
from .orders import Asked, Order, check_files, order_of
from .parameters import CRAWL_REFERENCE
from .start_run import crawl_embedded, watch_shared
from .start_services import find_services
from .terminal import echo


@click.command(cls=FieldCommand)
@click.argument("crawls", metavar="CRAWL...", type=CRAWL_REFERENCE, nargs=-1, required=True)
@click.option(
    "-o",
    "--file",
    "results",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=(
        "The items, one row each: JSON lines, written as they come; a table, written at the end, if"
        " the name ends in .csv, .parquet or .sqlite. May be repeated. [default: NAME.jsonl]"
    ),
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help=(
        "A folder for items.jsonl, pages.jsonl, failed.jsonl, report.json, report.html, errors/"
        " with what Chrome showed at each kind of failure, and files/ with what pages leave."
    ),
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    help="The format of items in the folder of --output. May be repeated. [default: jsonl]",
)
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1, 64),
    help="Browsers at once, without a configured Redis. [default: the crawl's limit]",
)
@click.option(
    "--local",
    is_flag=True,
    help="With a private Redis and workers of its own, also if CRAWLER_REDIS_URL is set.",
)
@set_option("Another value for any field, as in TOML; for a crawl with code, of a limit only.")
@click.option(
    "--reset",
    is_flag=True,
    help=(
        "Begin again: forget what an earlier crawl of this name knows, and overwrite its files;"
        " those of a crawl that has not ended are kept as FILE.old."
    ),
)
@click.option("--restart", is_flag=True, help="As --reset, but only if it has ended.")
@click.option(
    "--recrawl",
    is_flag=True,
    help=(
        "If it has ended: visit all its pages again, and say of each whether it is new, changed or"
        " the same, and which vanished; its files are overwritten. Refused while it goes on."
    ),
)
@click.option(
    "--update",
    is_flag=True,
    help=(
        "Go on with a definition that has changed, also if it starts elsewhere. (One that starts at"
        " the same host needs no --update.)"
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print the end report as JSON.")
@field_options()
def start(
    crawls: tuple[str, ...],
    results: tuple[Path, ...],
    output: Path | None,
    formats: tuple[str, ...],
    concurrency: int | None,
    local: bool,
    changes: tuple[str, ...],
    reset: bool,
    restart: bool,
    recrawl: bool,
    update: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Crawl all of CRAWL, and end when nothing is left. Started again, it goes on where it was
    interrupted; a crawl that has ended is not crawled again, but its files are completed.

    Of several crawls each has its own files: -o '{name}.jsonl', or --output DIR with a folder for
    each.

    Options that are named like fields set them: of a crawl without code all, of one with code those
    that are limits, until its next --update.
    """
    if local:
        environment.leave_redis()
    settings = configuration.load()
    if Path("-") in results:
        raise Mistake(
            "start continues a file after an interruption, so -o - has no meaning; for a pipe:"
            " crawler export NAME | ..."
        )
    if formats and not output:
        raise Mistake("--format is for --output; the name of a file says its format: -o items.csv")
    if reset + restart + recrawl + update > 1:
        raise Mistake("of --reset, --restart, --recrawl and --update, name one")
    words = {
        IfExists.RESET: reset,
        IfExists.RESTART: restart,
        IfExists.RECRAWL: recrawl,
        IfExists.UPDATE: update,
    }
    if_exists = next((word for word, given in words.items() if given), None)
    changes += changes_of(fields)
    asked = Asked(crawls, results, output, formats, changes, concurrency, local)
    orders = [order_of(one, asked, if_exists, settings) for one in dict.fromkeys(crawls)]
    check_files(orders)
    client = None if local else find_services(settings)
    if client is None and settings.redis_url and not local:  # the project's, which is not there
        environment.leave_redis()
        settings = configuration.load()
        orders = [replace(one, asked=replace(asked, local=True)) for one in orders]
    if client is None:
        ends = crawl_embedded(orders, Embedded(settings))
    elif concurrency:
        raise Mistake(
            "--concurrency is for a crawl with its own workers; CRAWLER_REDIS_URL is set, so"
            " the workers' own counts hold (or: --local)"
        )
    else:
        ends = watch_shared(orders, client)
    if as_json:
        records = [report.report(end.snapshot) for end in ends if end.snapshot]
        echo(json.dumps(records[0] if len(crawls) == 1 else records))
    for end in () if as_json else ends:
        if end.snapshot:
            print_end(end.order, end.snapshot, settings, own=client is None)
    if status := max(end.status for end in ends):
        sys.exit(status)


def print_end(order: Order, snapshot: Snapshot, settings: Settings, *, own: bool) -> None:
    """Print the report of a crawl, and where its files are."""
    echo("\n".join(report.lines(snapshot)))
    echo(f"  results  {', '.join(map(str, order.files))}")
    errors = order.shared and crawl_folder(order.shared / "errors", order.crawl.name)
    if errors and errors.is_dir():
        echo(f"  errors   {errors} (what Chrome showed)")
    usual = settings.files_dir or order.files_dir or settings.state_dir / "files"
    if own and (kept := crawl_folder(usual, order.crawl.name)).is_dir():
        echo(f"  files    {kept}")
