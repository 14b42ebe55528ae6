"""The files of ``crawler start``: checked before a crawl begins, brought up to date while it goes
on, complete at its end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..definition.bounds import canonical
from ..errors import SetupError
from ..frontier.listing import Listing
from ..local.private_files import check_space, crawl_folder, make_private
from ..model import Json, Snapshot, page_id
from ..output import report
from ..output.error_files import kept_of_pages, note_folder
from ..output.export import Rows, Stream, check_format, kind_of, lines_of, write_export
from ..output.files.items_file import ItemsFile
from ..output.files.pages_file import PagesFile
from ..output.files.whole_files import WholeFile, put_lines, put_text

if TYPE_CHECKING:
    from ..client.crawl_handle import CrawlHandle
    from ..definition.crawl import Crawl
    from ..frontier.entries import FailedPage
    from ..frontier.frontier import Frontier

#: Formats of files that are tables, written from the lines of JSON at the end.
TABLES = ("csv", "parquet", "sqlite")
#: The fields of each line of ``failed.jsonl``.
FAILED_FIELDS = {"url", "reason", "status", "attempts", "depth"}
#: The files of a folder for all that a crawl gives; those of items are ``items.`` and their format.
PAGES, FAILED, REPORT, PAGE = "pages.jsonl", "failed.jsonl", "report.json", "report.html"

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
    """A CSV, Parquet or SQLite file of items, made of the file ``pages`` at the end."""

    kind: str
    file: WholeFile
    pages: PagesFile

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    def write(self, counts: dict[Path, int]) -> None:
        """Write the table, whole or not at all, and its number of rows to ``counts``. Raises
        SetupError.
        """
        rows = Rows(Stream(lines_of(self.pages.path)))
        write_export(self.file, rows, self.kind)
        counts[self.path] = rows.count


class StartFiles:
    """The files at ``paths`` for the items of ``crawl``, and those of the folder ``output``, with
    its items in ``formats``.

    Each is made of a file of pages: that of the folder, else one of its own in the private state.
    ``errors`` is the folder of the crawls' error snapshots, ``command`` the command line that
    completes the files; ``say`` prints a line for people.
    """

    def __init__(
        self,
        crawl: Crawl,
        frontier: Frontier,
        paths: tuple[Path, ...],
        output: Path | None,
        state: Path,
        *,
        formats: tuple[str, ...] = (),
        errors: Path | None = None,
        command: str,
        say: Say,
    ) -> None:
        self._crawl, self._frontier = crawl, frontier
        self._state, self._say, self._command = state, say, command
        self._output, self._errors = output, errors
        self._pages: list[PagesFile] = []
        self._items: list[ItemsFile] = []
        self._tables: list[Table] = []
        self._failed = self._report = self._page = None
        if output:
            from .crawl_report import report_file  # only for a folder

            pages = self._add_pages(output / PAGES)
            for path in items_in(output, formats):
                self._add_items(path, pages)
            self._failed = WholeFile(output / FAILED, state, is_ours=is_failed_list, kind="failed")
            self._report = WholeFile(output / REPORT, state, is_ours=self._is_report, kind="report")
            self._page = report_file(output / PAGE, crawl.name, state)
        for path in paths:
            self._add_items(path, self._add_pages(WholeFile(path, state).spool, shown=path))
        self._aside: list[tuple[Path, str | None]] = []  # with the other crawl that they are of
        self._faults: list[str] = []

    def _add_pages(self, path: Path, shown: Path | None = None) -> PagesFile:
        file = PagesFile(
            path,
            self._crawl.name,
            FrontierResults(self._frontier),
            self._state,
            identity=self._identity,
            say=self._say,
            shown=shown,
        )
        self._pages.append(file)
        return file

    def _add_items(self, path: Path, pages: PagesFile) -> None:
        kind = kind_of(path)
        if kind in TABLES:
            self._tables.append(Table(kind, WholeFile(path, self._state), pages))
        else:
            self._items.append(ItemsFile(path, pages, self._state, say=self._say))

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
        # lines in the private state, of a file that is no longer there, may go
        kept = [items.pages for items in self._items if items.path.exists()]
        kept += [table.pages for table in self._tables if table.path.exists()]
        idle = [file for file in self._spools if file not in kept]
        for file in self._pages:
            file.claim(reset=reset, replace=file in idle)
        if not reset:
            for file in idle:
                self._put_aside(file)
        for items in self._items:
            items.claim(reset=reset)

    @property
    def _spools(self) -> list[PagesFile]:
        """The files of pages in the private state."""
        return [file for file in self._pages if file.path.parent == self._state / "exports"]

    @property
    def _wholes(self) -> list[WholeFile]:
        others = [file for file in (self._failed, self._report, self._page) if file]
        return [*(table.file for table in self._tables), *others]

    def _put_aside(self, file: PagesFile) -> None:
        """Rename lines in the private state that are of another crawl."""
        if file.other_crawl and (aside := file.set_aside()):
            self._aside.append((aside, file.other_crawl))

    def set_aside(self) -> None:
        """Rename files with results, so that the crawl begins with new ones."""
        for file in (*self._pages, *self._items):
            if aside := file.set_aside():
                self._aside.append((aside, file.other_crawl))
        for table in self._tables:
            if aside := table.file.set_aside():
                self._aside.append((aside, table.pages.other_crawl))

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
        for file in (*self._pages, *self._items):
            file.begin()
        if self._errors:
            note_folder(self._state, self._crawl.name, self._errors)

    # -- while it goes on, and at the end

    def follow(self, *, last: bool = False) -> None:
        """Bring the files up to date. ``last``: the crawl has ended."""
        for file in self._pages:
            file.follow(last=last)
        for items in self._items:
            if items.pages.held:
                items.follow(last=last)

    def finish(self, handle: CrawlHandle, snapshot: Snapshot) -> bool:
        """Write what is left. Return whether all files are complete; say what is not."""
        self.follow(last=snapshot.status.ended)
        problems = [file.problem for file in (*self._pages, *self._items) if file.problem]
        for pages in self._pages:
            if pages.lost and not pages.problem:
                self._say(
                    f"warning: {pages.lost} results were gone from Redis before they reached"
                    f" {pages.shown} (results_limit)"
                )
                self._faults.append("lost")
        counts = {items.path: items.position.lines for items in self._items if not items.problem}
        for table in self._tables:
            if not table.pages.problem:
                problems += _tried(partial(table.write, counts))
        problems += self._finish_folder(handle, snapshot)
        for problem in problems:
            self._say(f"error: {problem}")
        if problems:
            self._say(f"the files are not complete; complete them with: {self._command}")
        elif empty := ", ".join(str(path) for path, count in counts.items() if not count):
            self._say_empty(empty, snapshot)
        return not problems and not self._faults

    def _say_empty(self, empty: str, snapshot: Snapshot) -> None:
        if snapshot.done:
            see = f"crawler export {self._crawl.name} --pages -o pages.jsonl"
            self._say(f"no page gave an item, so none is in {empty}; the pages: {see}")

    def _finish_folder(self, handle: CrawlHandle, snapshot: Snapshot) -> list[str]:
        problems: list[str] = []
        if self._output and self._errors and (file := self._failed):
            kept = kept_of_pages([crawl_folder(self._errors, self._crawl.name)])
            failed = (with_pictures(page, kept, self._output) for page in handle.failed())
            problems += _tried(lambda: file.write(lambda path: put_lines(path, failed)))
        if whole := self._report:
            text = json.dumps(report.report(snapshot), indent=2) + "\n"
            problems += _tried(lambda: whole.write(lambda path: put_text(path, text)))
        if page := self._page:
            from .crawl_report import report_page

            html = report_page(handle, snapshot, self._state, None)
            problems += _tried(lambda: page.write(lambda path: put_text(path, html)))
        return problems

    def close(self) -> None:
        """Close the files."""
        for file in (*self._pages, *self._items):
            file.close()


def items_in(output: Path, formats: tuple[str, ...]) -> list[Path]:
    """Return the files of items in the folder ``output``."""
    return [output / f"items.{kind}" for kind in dict.fromkeys(formats or ("jsonl",))]


def with_pictures(
    failed: FailedPage, kept: Mapping[str, Mapping[str, str]], folder: Path
) -> dict[str, Json]:
    """Return the record of a failed page, with the paths of its error snapshot, from ``folder``."""
    paths = kept.get(failed.page.id, {})
    names = {"png": "picture", "html": "html"}
    return failed.record() | {
        name: os.path.relpath(paths[kind], folder) for kind, name in names.items() if kind in paths
    }


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
