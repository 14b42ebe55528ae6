"""The files of ``crawler start``: checked before a crawl begins, brought up to date while it goes
on, complete at its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..definition.bounds import canonical
from ..errors import SetupError
from ..frontier.listing import Listing
from ..local.private_files import check_space, make_private
from ..model import Snapshot, page_id
from ..output import report
from ..output.export import check_format, kind_of, lines_of, write_export
from ..output.results import ResultsFile
from ..output.whole_files import WholeFile, put_lines

if TYPE_CHECKING:
    from ..client.crawl_handle import CrawlHandle
    from ..definition.crawl import Crawl
    from ..frontier.frontier import Frontier

#: Formats of files that are tables, written from the lines of JSON at the end.
TABLES = ("csv", "parquet", "sqlite")
#: The fields of each line of ``failed.jsonl``.
FAILED_FIELDS = {"url", "reason", "status", "attempts", "depth"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FrontierResults:
    """The results of a crawl in the frontier."""

    frontier: Frontier

    def origin(self) -> str:
        """Return when the crawl was created."""
        return self.frontier.origin()

    def results_from(self, place: str) -> list[tuple[str, int, str]]:
        """Return results from ``place`` on, its own too."""
        return Listing(self.frontier).results_from(place)


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV, Parquet or SQLite file, made at the end of the lines of ``spool``, a file in the
    private state.
    """

    kind: str
    file: WholeFile
    spool: ResultsFile

    def write(self) -> None:
        """Write the table, whole or not at all. Raises SetupError."""
        write_export(self.file, lines_of(self.spool.path), self.kind)


class StartFiles:
    """The files at ``paths`` for the results of ``crawl``, and those of the folder ``output``.

    ``command`` is the command line that completes them; ``say`` prints a line for people.
    """

    def __init__(
        self,
        crawl: Crawl,
        frontier: Frontier,
        paths: tuple[Path, ...],
        output: Path | None,
        state: Path,
        *,
        command: str,
        say: Say,
    ) -> None:
        self._crawl, self._frontier = crawl, frontier
        self._state, self._say, self._command = state, say, command
        self._tables: list[Table] = []
        self._files = [self._follower(path) for path in paths]
        folder = output or Path()
        self._failed = (
            WholeFile(folder / "failed.jsonl", state, is_ours=is_failed_list) if output else None
        )
        self._report = (
            WholeFile(folder / "report.json", state, is_ours=self._is_report) if output else None
        )
        self._aside: list[tuple[Path, str | None]] = []  # with the other crawl that they are of
        self._faults: list[str] = []

    def _follower(self, path: Path) -> ResultsFile:
        """Return the file that follows the stream for the results file ``path``."""
        kind = kind_of(path)
        if kind not in TABLES:
            return self._lines(path, self._say)
        table = WholeFile(path, self._state)
        spool = self._lines(table.spool, self._say, shown=path)
        self._tables.append(Table(kind, table, spool))
        return spool

    def _lines(self, path: Path, say: Say, shown: Path | None = None) -> ResultsFile:
        return ResultsFile(
            path,
            self._crawl.name,
            FrontierResults(self._frontier),
            self._state,
            identity=self._identity,
            say=say,
            shown=shown,
        )

    def _identity(self, url: str) -> str:
        return page_id(canonical(self._crawl, url))

    def _is_report(self, path: Path) -> bool:
        facts = json.loads(path.read_bytes())
        return isinstance(facts, dict) and facts.get("crawl") == self._crawl.name

    # -- before

    def claim(self, *, reset: bool) -> None:
        """Open and lock the files. Nothing in them changes.

        Raises:
            SetupError: one cannot be written, or holds something else.
        """
        check_state(self._state)
        for table in self._tables:
            check_format(table.kind)
        for whole in self._wholes:
            whole.check()
        missing = [table for table in self._tables if not table.file.path.exists()]
        for file in self._files:
            # lines in the private state, of a table that is no longer there, may go
            file.claim(reset=reset, replace=any(table.spool is file for table in missing))
        if not reset:
            self._set_aside_spools(missing)

    def _set_aside_spools(self, tables: list[Table]) -> None:
        for table in tables:
            if table.spool.other_crawl and (aside := table.spool.set_aside()):
                self._aside.append((aside, table.spool.other_crawl))

    @property
    def _wholes(self) -> list[WholeFile]:
        others = [file for file in (self._failed, self._report) if file]
        return [*(table.file for table in self._tables), *others]

    def set_aside(self) -> None:
        """Rename files with results, so that the crawl begins with new ones."""
        for file in self._files:
            if aside := file.set_aside():
                self._aside.append((aside, file.other_crawl))
        for table in self._tables:
            if aside := table.file.set_aside():
                self._aside.append((aside, table.spool.other_crawl))

    def begin(self, *, forget: bool) -> None:
        """Follow the crawl that was started. ``forget``: the files that were set aside go, as the
        earlier crawl had ended; those of other crawls stay.
        """
        for aside, other_crawl in self._aside:
            if aside.parent == self._state / "exports" or (forget and other_crawl is None):
                aside.unlink(missing_ok=True)
            else:
                whose = f"crawl {other_crawl!r}" if other_crawl else "crawl before"
                self._say(f"the results of the {whose} are kept in {aside}")
        for file in self._files:
            file.begin()

    # -- while it goes on, and at the end

    def follow(self) -> None:
        """Bring the files up to date."""
        for file in self._files:
            file.follow()

    def finish(self, handle: CrawlHandle, snapshot: Snapshot) -> bool:
        """Write what is left. Return whether all files are complete; say what is not."""
        problems = []
        for file in self._files:
            file.follow(last=snapshot.status.ended)
            if file.problem:
                problems.append(file.problem)
            elif file.lost:
                self._say(
                    f"warning: {file.lost} results were gone from Redis before they reached"
                    f" {file.path} (results_limit)"
                )
                self._faults.append("lost")
        for table in self._tables:
            problems += [] if table.spool.problem else _tried(table.write)
        problems += self._finish_folder(handle, snapshot)
        for problem in problems:
            self._say(f"error: {problem}")
        if problems:
            self._say(f"the files are not complete; complete them with: {self._command}")
        return not problems and not self._faults

    def _finish_folder(self, handle: CrawlHandle, snapshot: Snapshot) -> list[str]:
        problems: list[str] = []
        if file := self._failed:
            failed = (page.record() for page in handle.failed())
            problems += _tried(lambda: file.write(lambda path: put_lines(path, failed)))
        if whole := self._report:
            text = json.dumps(report.report(snapshot), indent=2) + "\n"

            def put(path: Path) -> None:
                path.write_text(text)

            problems += _tried(lambda: whole.write(put))
        return problems

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def check_state(folder: Path) -> None:
    """Raise SetupError if nothing can be written to the private state in ``folder``."""
    try:
        make_private(folder)
        check_space(folder)
    except OSError as error:
        text = f"cannot write to {folder} (CRAWLER_STATE_DIR): {error.strerror}"
        raise SetupError(text) from error


def is_failed_list(path: Path) -> bool:
    """Whether a file lists pages that failed."""
    with path.open("rb") as file:
        return all(json.loads(line).keys() >= FAILED_FIELDS for line in file)


def _tried(write: Callable[[], object]) -> list[str]:
    """Return why ``write`` failed, in a list; an empty one if it did not."""
    try:
        write()
    except SetupError as error:
        return [str(error)]
    return []
