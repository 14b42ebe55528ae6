"""``list``: the crawls that are known here, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import click

from ..client.client import Client
from ..config import settings as configuration
from ..definition.loading import load_each
from ..errors import SetupError
from ..model import Json
from ..output.report import status, waiting
from .common import find_crawl, names, open_client
from .terminal import echo

#: The status of a crawl that was never started.
NOT_STARTED = "not started"
#: The columns, and whether each holds numbers.
COLUMNS = {
    "name": False,
    "status": False,
    "done": True,
    "failed": True,
    "waiting": True,
    "definition": False,
}
#: Spaces between two columns.
GAP = "  "


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of objects.")
def list(as_json: bool) -> None:  # noqa: A001, the command's name
    """List the crawls that were started, and those of CRAWLER_CRAWLS.

    The definition of a crawl is `code`, if CRAWLER_CRAWLS has it; `stored`, if it has no code and
    is kept with the frontier; or `elsewhere`, if only others have its code.
    """
    settings = configuration.load()
    known, faults = load_each(settings.crawls)
    try:
        with open_client() as client:
            records = [record_of(client, name, known) for name in names(client)]
    except SetupError:
        if settings.redis_url or not known:
            raise
        records = []  # no crawl has run here
    begun = {record["name"] for record in records}
    records += [not_started(name) for name in sorted(known) if name not in begun]
    if as_json:
        echo(json.dumps(records, ensure_ascii=False))
    else:
        for line in table(records):
            echo(line)
    for fault in faults:
        echo(f"warning: {fault}", err=True)


def record_of(client: Client, name: str, known: Mapping[str, object]) -> dict[str, Json]:
    """Return what the list says of a crawl that was started; ``known`` are those with code."""
    crawl, snapshot = find_crawl(client, name)
    plan = crawl.frontier.plan()
    is_code = plan is None or plan.definition is None or plan.base is not None
    code = plan.base or name if plan else name
    return {
        "name": name,
        "status": status(snapshot),
        "done": snapshot.done,
        "failed": snapshot.failed,
        "waiting": waiting(snapshot),
        "definition": ("code" if code in known else "elsewhere") if is_code else "stored",
    }


def not_started(name: str) -> dict[str, Json]:
    """Return what the list says of a crawl that has code and no frontier."""
    numbers = dict.fromkeys((column for column, number in COLUMNS.items() if number), 0)
    return {"name": name, "status": NOT_STARTED, **numbers, "definition": "code"}


def table(records: Sequence[dict[str, Json]]) -> Iterator[str]:
    """Yield the lines of the table, its head first; no record: a line that says so."""
    if not records:
        yield "no crawl is known here"
        return
    rows = [tuple(COLUMNS), *(tuple(str(one[column]) for column in COLUMNS) for one in records)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, COLUMNS.values(), strict=True)
        )
        yield GAP.join(cells).rstrip()
