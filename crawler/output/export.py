"""Exports: results from the frontier's stream as JSON lines, CSV or Parquet, in bounded memory."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from ..errors import SetupError
from ..model import Json
from .results import Read

#: Columns of the page, which stand before those of its ``extract``.
PAGE_COLUMNS = ("url", "final_url", "status", "depth", "links", "ms")
#: Rows of a Parquet file that are compressed together.
ROW_GROUP = 5_000
FORMATS = ("jsonl", "csv", "parquet")

Row = dict[str, Json]


@dataclass
class Stream:
    """The results of a crawl. A second reading ends where the first ended, so both have the same
    results.

    ``pages`` counts the results of the last reading; ``lost`` those that Redis dropped before.
    """

    read: Read
    last: str | None = None
    pages: int = 0
    lost: int = 0

    def __iter__(self) -> Iterator[str]:
        place, number = "0", 0
        self.pages = self.lost = 0
        while place != self.last and (batch := self.read(place)):
            for place, n, text in batch:
                self.lost, number = self.lost + max(0, n - number - 1), n
                self.pages += 1
                yield text
                if place == self.last:
                    break
        self.last = place


@dataclass
class Columns:
    """The columns of a table, in the order of their first row, and the kinds of values in each."""

    kinds: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in PAGE_COLUMNS}
    )

    def add(self, row: Row) -> None:
        """Add the columns and kinds of ``row``."""
        for name, value in row.items():
            kinds = self.kinds.setdefault(name, set())
            if value is not None:
                is_huge = isinstance(value, int) and not -(2**63) <= value < 2**63
                kinds.add("str" if is_huge else type(value).__name__)


def write_export(path: Path | None, read: Read, kind: str, out: TextIO) -> Stream:
    """Write all results to ``path``, whole or not at all; to ``out`` if ``path`` is None. Return
    the stream, which counts them.

    Raises:
        SetupError: the file cannot be written, or Parquet needs pyarrow, which is not installed.
    """
    stream = Stream(read)
    if kind == "parquet":
        pyarrow = _pyarrow()
        if path is None:
            raise SetupError("Parquet needs a file: -o results.parquet")
        _replacing(path, lambda temporary: _parquet(temporary, stream, pyarrow))
        return stream
    put = _csv if kind == "csv" else _jsonl
    if path is None:
        put(out, stream)
        return stream

    def into(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="") as file:
            put(file, stream)

    _replacing(path, into)
    return stream


def _replacing(path: Path, make: Callable[[Path], None]) -> None:
    temporary = path.with_name(path.name + ".new")
    try:
        make(temporary)
        temporary.replace(path)
    except OSError as error:
        raise SetupError(
            f"cannot write the results to {path}: {error.strerror or error}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _jsonl(file: TextIO, stream: Stream) -> None:
    for text in stream:
        file.write(text + "\n")


def _csv(file: TextIO, stream: Stream) -> None:
    columns = _columns(stream)
    writer = csv.writer(file)
    writer.writerow(columns.kinds)
    for row in rows(stream):
        writer.writerow([_cell(row.get(name)) for name in columns.kinds])


def _parquet(path: Path, stream: Stream, pyarrow: Any) -> None:
    columns = _columns(stream)
    types = {name: _type(kinds, pyarrow) for name, kinds in columns.kinds.items()}
    schema = pyarrow.schema(list(types.items()))
    texts = {name for name, type_ in types.items() if type_ == pyarrow.string()}
    rest = rows(stream)
    with importlib.import_module("pyarrow.parquet").ParquetWriter(path, schema) as writer:
        while group := list(islice(rest, ROW_GROUP)):
            values = {
                name: [_cell(row.get(name)) if name in texts else row.get(name) for row in group]
                for name in types
            }
            writer.write_table(pyarrow.table(values, schema=schema))


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise SetupError("Parquet needs pyarrow: pip install 'celery-crawler[parquet]'") from None


def _type(kinds: set[str], pyarrow: Any) -> Any:
    """Return the type of a column; kinds that do not fit together become text."""
    match sorted(kinds):
        case ["bool"]:
            return pyarrow.bool_()
        case ["int"]:
            return pyarrow.int64()
        case ["float"] | ["float", "int"]:
            return pyarrow.float64()
    return pyarrow.string()


def _columns(stream: Stream) -> Columns:
    columns = Columns()
    for row in rows(stream):
        columns.add(row)
    return columns


def rows(lines: Iterable[str]) -> Iterator[Row]:
    """Return the rows of a table: one per page, or one per item if a page has a list of items."""
    for line in lines:
        record = json.loads(line)
        page = {name: record.get(name) for name in PAGE_COLUMNS}
        data = record.get("data")
        for item in data if isinstance(data, list) and data else [data]:
            yield page | _fields(item)


def _fields(item: Json) -> Row:
    if not isinstance(item, Mapping):
        return {} if item is None else {"data": item}
    return {
        f"data.{name}" if name in PAGE_COLUMNS else str(name): value for name, value in item.items()
    }


def _cell(value: Json) -> Json:
    """Return ``value`` as text: a text as it is, any other value as JSON."""
    return (
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )
