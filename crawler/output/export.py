"""Exports: items, or pages, from the frontier's stream as JSON lines, CSV, Parquet or SQLite, in
bounded memory.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ..errors import SetupError
from ..model import Json
from ..text.encodable import encodable
from .files.result_stream import Read
from .files.whole_files import WholeFile
from .items import Row, item_line, item_rows, page_row

#: Rows of a Parquet file that are compressed together.
ROW_GROUP = 5_000
FORMATS = ("jsonl", "csv", "parquet", "sqlite")
#: Endings of the names of SQLite's files.
SQLITE_ENDINGS = ("sqlite", "sqlite3", "db")
#: The tables in such a file.
ITEMS_TABLE, PAGES_TABLE = "items", "pages"
#: Columns that SQLite allows a table, as most programs are built.
SQLITE_COLUMNS = 2_000
#: Lines of a file of results that are read at a time.
LINES_AT_ONCE = 500

#: Characters before a formula that a reader may drop: white space, control characters and those
#: without width, quotes.
BEFORE_FORMULA = r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2060\ufeff\"']*"
#: The beginning of a text that a spreadsheet runs as a formula, wide and small signs included.
FORMULA = re.compile(
    rf"[\t\r\n]|{BEFORE_FORMULA}[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
)
#: A text that is no more than a number, with separators, a unit of money or a per cent sign.
NUMBER = re.compile(
    r"[+-]?[ \u00a0]?[$\u20ac\u00a3\u00a5]?(\d[\d., '\u2019\u00a0\u202f]*|[.,]\d+)([eE][+-]?\d+)?"
    r"[ \u00a0]?[%$\u20ac\u00a3\u00a5]?",
    re.ASCII,
)


class Output(Protocol):
    """A file for text, or what stands in for one."""

    def write(self, text: str, /) -> object:
        """Write ``text``."""


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

    kinds: dict[str, set[str]] = field(default_factory=lambda: {"url": set()})

    def add(self, row: Row) -> None:
        """Add the columns and kinds of ``row``."""
        for name, value in row.items():
            kinds = self.kinds.setdefault(name, set())
            if value is not None:
                is_huge = isinstance(value, int) and not -(2**63) <= value < 2**63
                kinds.add("str" if is_huge else type(value).__name__)


@dataclass
class Rows:
    """The rows of ``stream``: one for each item, or, with ``of_pages``, one for each page.
    ``count`` is how many the last reading had.
    """

    stream: Stream
    of_pages: bool = False
    count: int = 0

    @property
    def table(self) -> str:
        """The name of their table."""
        return PAGES_TABLE if self.of_pages else ITEMS_TABLE

    def __iter__(self) -> Iterator[Row]:
        self.count = 0
        for line in self.stream:
            record = json.loads(line)
            for row in [page_row(record)] if self.of_pages else item_rows(record):
                self.count += 1
                yield row

    def lines(self) -> Iterator[str]:
        """Yield the rows as lines of JSON; pages as they are in the stream, with their items."""
        if not self.of_pages:
            yield from map(item_line, self)
            return
        self.count = 0
        for line in self.stream:
            self.count += 1
            yield encodable(line)


def write_export(file: WholeFile, rows: Rows, kind: str, *, raw: bool = False) -> None:
    """Write all ``rows`` to ``file``, whole or not at all.

    Texts that a spreadsheet would run as formulas are made harmless in CSV, except with ``raw``.

    Raises:
        SetupError: the file cannot be written, or Parquet needs pyarrow, which is not installed.
    """
    check_format(kind)
    file.write(maker(rows, kind, raw=raw))


def maker(rows: Rows, kind: str, *, raw: bool = False) -> Callable[[Path], None]:
    """Return a function that writes ``rows`` to a new file."""

    def put(path: Path) -> None:
        if kind == "parquet":
            _parquet(path, rows, _pyarrow())
        elif kind == "sqlite":
            _sqlite(path, rows)
        else:
            with path.open("w", encoding="utf-8", newline="") as out:
                print_export(out, rows, kind, raw=raw)

    return put


def print_export(out: Output, rows: Rows, kind: str, *, raw: bool = False) -> None:
    """Write all ``rows`` to ``out`` as they come.

    Raises:
        SetupError: ``kind`` is Parquet or SQLite, which need a file.
    """
    if kind in ("parquet", "sqlite"):
        raise SetupError(f"{kind} needs a file: -o items.{kind}")
    if kind == "csv":
        _csv(out, rows, raw=raw)
    else:
        for line in rows.lines():
            out.write(line + "\n")


def kind_of(path: Path) -> str | None:
    """Return the format that the name of a file stands for; None: none of ``FORMATS``."""
    ending = path.suffix.lower().lstrip(".")
    if ending in SQLITE_ENDINGS:
        return "sqlite"
    return ending if ending in FORMATS else None


def check_format(kind: str) -> None:
    """Raise SetupError if ``kind`` is Parquet, and pyarrow is not installed."""
    if kind == "parquet":
        _pyarrow()


def lines_of(path: Path) -> Read:
    """Return a function that reads a file of results as a stream is read."""

    def read(place: str) -> list[tuple[str, int, str]]:
        offset, _, number = place.partition("-")
        start, count = int(offset), int(number or 0)
        batch = []
        with path.open("rb") as file:
            file.seek(start)
            for line in islice(file, LINES_AT_ONCE):
                if not line.endswith(b"\n"):
                    break
                start, count = start + len(line), count + 1
                batch.append((f"{start}-{count}", count, line.decode().rstrip("\n")))
        return batch

    return read


def _csv(file: Output, rows: Rows, *, raw: bool) -> None:
    def cell(value: Json) -> Json:
        return value if raw or not isinstance(value, str) else harmless(value)

    columns = _columns(rows)
    writer = csv.writer(file)
    writer.writerow(map(cell, columns.kinds))
    for row in rows:
        writer.writerow([_cell(cell(row.get(name))) for name in columns.kinds])


def _parquet(path: Path, rows: Rows, pyarrow: Any) -> None:
    columns = _columns(rows)
    types = {name: _type(kinds, pyarrow) for name, kinds in columns.kinds.items()}
    schema = pyarrow.schema(list(types.items()))
    texts = {name for name, type_ in types.items() if type_ == pyarrow.string()}
    rest = iter(rows)
    with importlib.import_module("pyarrow.parquet").ParquetWriter(path, schema) as writer:
        while group := list(islice(rest, ROW_GROUP)):
            values = {
                name: [_cell(row.get(name)) if name in texts else row.get(name) for row in group]
                for name in types
            }
            writer.write_table(pyarrow.table(values, schema=schema))


def _sqlite(path: Path, rows: Rows) -> None:
    """Write the table of a new SQLite database. Raises SetupError: too many columns."""
    columns = _columns(rows)
    if len(columns.kinds) > SQLITE_COLUMNS:
        raise SetupError(
            f"the items have {len(columns.kinds):,} fields, and SQLite takes {SQLITE_COLUMNS:,}"
            " columns: choose jsonl, or csv"
        )
    types = {name: _sqlite_type(kinds) for name, kinds in columns.kinds.items()}
    names = ", ".join(map(quoted, apart(types).values()))
    declared = ", ".join(f"{quoted(name)} {types[key]}" for key, name in apart(types).items())
    holes = ", ".join("?" * len(types))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE {rows.table} ({declared})")
        database.executemany(
            f"INSERT INTO {rows.table} ({names}) VALUES ({holes})",  # noqa: S608, quoted
            ([_value(row.get(name), types[name]) for name in types] for row in rows),
        )


def apart(names: Iterable[str]) -> dict[str, str]:
    """Return the name in SQLite of each of ``names``: it does not tell capital letters from small
    ones.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        shown, number = encodable(name).replace("\0", " "), 1
        while (shown if number == 1 else f"{shown}_{number}").lower() in taken:
            number += 1
        found[name] = shown if number == 1 else f"{shown}_{number}"
        taken.add(found[name].lower())
    return found


def quoted(name: str) -> str:
    """Return ``name`` as SQL writes the name of a column, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _sqlite_type(kinds: set[str]) -> str:
    """Return the type of a column; kinds that do not fit together become text."""
    match sorted(kinds):
        case ["bool"] | ["int"]:
            return "INTEGER"
        case ["float"] | ["float", "int"]:
            return "REAL"
    return "TEXT"


def _value(value: Json, type_: str) -> Json:
    return _cell(value) if type_ == "TEXT" else value


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


def _columns(rows: Rows) -> Columns:
    columns = Columns()
    for row in rows:
        columns.add(row)
    return columns


def harmless(text: str) -> str:
    """Return ``text`` with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _cell(value: Json) -> Json:
    """Return ``value`` as text that can be encoded, any other value than a text as JSON."""
    if value is None:
        return None
    return encodable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
