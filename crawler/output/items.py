"""Items of results: a row for each, with the URL of its page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..model import Json, items_of
from ..text.printable import printable

Row = dict[str, Json]

#: The field of an item that is no object: a text, a number.
BARE = "data"


def item_rows(record: Mapping[str, Any]) -> Iterator[Row]:
    """Yield a row for each item of the result ``record``: its fields, behind the URL of its page,
    unless it has a ``url`` of its own.
    """
    for item in items_of(record.get("data")):
        fields = (
            {str(name): value for name, value in item.items()} if is_row(item) else {BARE: item}
        )
        yield fields if "url" in fields else {"url": record["url"], **fields}


def is_row(item: Json) -> bool:
    """Whether an item has fields."""
    return isinstance(item, Mapping)


def page_row(record: Mapping[str, Any]) -> Row:
    """Return the result ``record`` as the row of a table of pages: its items are a number."""
    row = {name: value for name, value in record.items() if name != "data"}
    return row | {"items": len(items_of(record.get("data")))}


def item_line(row: Row) -> str:
    """Return a row as a line of JSON, in which no character moves a cursor."""
    return printable(json.dumps(row, ensure_ascii=False, separators=(",", ":")))


def item_lines(lines: Iterable[str | bytes]) -> Iterator[str]:
    """Yield the line of each item of results, which are ``lines`` of JSON."""
    for line in lines:
        for row in item_rows(json.loads(line)):
            yield item_line(row)
