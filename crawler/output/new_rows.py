"""What is new for one place since the last export to it: each row once over many exports, whatever
dies in between.

A small database in the private state knows the rows that a place was given, by digests. An export
that writes a file enters its rows before it puts the file in place, with the name that the file has
until then: where that name is gone afterwards, the file is in place, else the rows are taken back.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from ..errors import SetupError
from ..local.private_files import make_private, open_private
from ..text.encodable import encodable
from .export import Output, Rows, check_format, maker, print_export
from .files.whole_files import WholeFile
from .items import Row, item_line, item_rows, page_row

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, export INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS underway (export INTEGER, file TEXT);
"""


class ExportedRows:
    """The rows of the crawl ``crawl`` that the place ``place`` was given before; a context, in
    which no other process exports to that place.

    Raises:
        SetupError: another process does, or the private state cannot be written.
    """

    def __init__(self, state: Path, crawl: str, place: str) -> None:
        name = blake2b(f"{crawl}\n{place}".encode("utf-8", "surrogateescape"), digest_size=12)
        self.path = state / "exports" / f"new-{crawl}-{name.hexdigest()}.sqlite"
        self.spool = self.path.with_suffix(".jsonl")
        self._place = place

    def __enter__(self) -> ExportedRows:
        try:
            make_private(self.path.parent)
            self._lock = open_private(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(open_private(self.path, os.O_RDWR | os.O_CREAT))  # for its owner only
        except BlockingIOError:
            os.close(self._lock)
            raise SetupError(f"another export of what is new for {self._place} goes on") from None
        except OSError as error:
            raise SetupError(f"cannot write to {self.path.parent}: {error.strerror}") from error
        self._database = sqlite3.connect(self.path, isolation_level=None)
        self._database.executescript(SCHEMA)
        self._settle()
        last = self._database.execute("SELECT max(export) FROM rows").fetchone()[0]
        self._export = (last or 0) + 1
        self._database.execute("BEGIN")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()  # what is not entered is forgotten
        self.spool.unlink(missing_ok=True)
        os.close(self._lock)

    def _settle(self) -> None:
        """Finish what an export began that was killed."""
        for export, file in self._database.execute("SELECT export, file FROM underway").fetchall():
            self._database.execute("BEGIN")
            if os.path.lexists(file):  # it was not put in place
                self._database.execute("DELETE FROM rows WHERE export = ?", (export,))
            self._database.execute("DELETE FROM underway WHERE export = ?", (export,))
            self._database.execute("COMMIT")
            Path(file).unlink(missing_ok=True)

    def select(self, rows: Rows) -> SpooledRows:
        """Return those of ``rows`` that the place was not given before."""
        enter = "INSERT OR IGNORE INTO rows VALUES (?, ?)"
        with open(self.spool, "w", encoding="utf-8", opener=open_private) as spool:
            for key, line in keyed_lines(rows):
                if self._database.execute(enter, (key, self._export)).rowcount:
                    spool.write(line + "\n")
        return SpooledRows(rows.stream, rows.of_pages, path=self.spool)

    def enter(self, file: Path | None = None) -> None:
        """Take note that the place is given the selected rows, with ``file``, which is about to be
        renamed; None: it has them.
        """
        if file is not None:
            underway = (self._export, str(file.absolute()))
            self._database.execute("INSERT INTO underway VALUES (?, ?)", underway)
        self._database.execute("COMMIT")

    def end(self) -> None:
        """Take note that the file is in place."""
        self._database.execute("DELETE FROM underway")

    def undo(self) -> None:
        """Take back what was entered, unless the file is in place."""
        if not self._database.in_transaction:
            self._settle()


@dataclass
class SpooledRows(Rows):
    """Rows that stand in the file ``path``, a line each."""

    path: Path = Path()

    def __iter__(self) -> Iterator[Row]:
        for line in self.lines():
            row = json.loads(line)
            yield page_row(row) if self.of_pages else row

    def lines(self) -> Iterator[str]:
        """Yield the rows as lines of JSON."""
        self.count = 0
        with self.path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                self.count += 1
                yield line[:-1]


def keyed_lines(rows: Rows) -> Iterator[tuple[bytes, str]]:
    """Yield each of ``rows`` as a line of JSON, with digits that stand for it: the item on its
    page, or the visit of a page.
    """
    for text in rows.stream:
        if rows.of_pages:
            line = encodable(text)
            yield digits_of(line), line
            continue
        record = json.loads(text)
        page, alike = record.get("id") or record["url"], Counter[str]()
        for row in item_rows(record):
            line = item_line(row)
            yield digits_of(f"{page} {alike[line]} {line}"), line
            alike[line] += 1


def digits_of(text: str) -> bytes:
    """Return bytes that stand for ``text``."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def export_new(
    memory: ExportedRows, rows: Rows, target: WholeFile | None, out: Output, kind: str, *, raw: bool
) -> Rows:
    """Write those of ``rows`` that ``memory`` does not know to ``target``, or to ``out`` if there
    is none; return them. Who reads ``out`` gets them at least once: again, if this is killed.
    """
    check_format(kind)
    new = memory.select(rows)
    if target is None or target.is_device:
        if target is None:
            print_export(out, new, kind, raw=raw)
            flush = getattr(out, "flush", None)
            if flush:
                flush()
        else:
            target.write(maker(new, kind, raw=raw))
        memory.enter()
    else:
        target.write(maker(new, kind, raw=raw), before=memory.enter, undo=memory.undo)
        memory.end()
    return new
