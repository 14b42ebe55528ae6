"""Downloads of a Chrome on this machine: each page's in a folder of its own, waited for, measured,
and taken from there.

Chrome names a file as the site says. That fails where the name is too long, and a finished file may
be called as an unfinished one is. So where a name is in the way, the page is asked for once more,
and Chrome chooses the name.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import psutil

from ...errors import PageError
from ...local.private_files import folded, make_private
from ...model import File, Page
from . import files

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

#: Seconds in which a download begins, once Chrome knows of it.
BEGIN_TIMEOUT = 1.0
#: Seconds between two looks at its folder.
PAUSE = 0.05
#: The ending of files that Chrome has not finished, and of some that a site has called so.
PARTIAL = ".crdownload"
#: Seconds in which nothing grows before it is asked whether Chrome still writes.
QUIET = 1.0


class Downloads:
    """Lets ``driver`` download into ``inbox``, and moves the files of each page to ``folder``.

    ``limit`` is in bytes, ``timeout`` in seconds, both for each page.
    """

    def __init__(
        self, driver: Driver, inbox: Path, folder: Path, *, limit: int, timeout: float
    ) -> None:
        self._driver, self._inbox, self._folder = driver, inbox, folder
        self._limit, self._timeout = limit, timeout
        self._number = 0  # of the page
        self._names: set[str] = set()  # of the page's files, so far

    def begin(self, behavior: str = "allow") -> None:
        """Begin another page: what an earlier one still downloads does not concern it."""
        shutil.rmtree(self._page_inbox, ignore_errors=True)
        self._number += 1
        self._names.clear()
        make_private(self._page_inbox)
        self._driver.cdp(
            "Browser.setDownloadBehavior", behavior=behavior, downloadPath=str(self._page_inbox)
        )

    def begins(self) -> bool:
        """Whether a download of this page begins, within a second."""
        end = time.monotonic() + BEGIN_TIMEOUT
        while not any(self._page_inbox.iterdir()):
            if time.monotonic() >= end:
                return False
            time.sleep(PAUSE)
        return True

    def take(self, page: Page, again: Callable[[], object] | None = None) -> tuple[File, ...]:
        """Wait for the downloads of ``page``, and return its files; none if no download begins.

        ``again`` asks for the page once more, where the name of a file is in the way; None: it
        cannot be asked for.

        Raises:
            PageError: ``download_too_large`` or, if it may succeed another time,
                ``download_timeout``. The session is distrusted then, which ends what it downloads.
        """
        named = self._finished(page)
        if named is None and again:  # Chrome could not make a file of this name, or it is in doubt
            doubtful = [path.name for path in self._page_inbox.iterdir()]
            self.begin("allowAndName")
            again()
            paths = self._finished(page) or []
            own = unquote(urlsplit(page.url).path).rpartition("/")[2] or "download"
            name = doubtful[0] if len(doubtful) == 1 else own
            return self._moved(page, [(path, name) for path in paths])
        paths = sorted(self._page_inbox.iterdir()) if named is None else named
        return self._moved(page, [(path, path.name) for path in paths])

    def _finished(self, page: Page) -> list[Path] | None:
        """Return the files, once all are finished. None: none begins, or one is called as an
        unfinished one, and Chrome does not write it. Errors: see :meth:`take`.
        """
        end = time.monotonic() + self._timeout
        size, quiet_at = -1, 0.0
        while self.begins():
            paths = sorted(self._page_inbox.iterdir())
            now, size_now = time.monotonic(), sum(size_of(path) for path in paths)
            if size_now > self._limit:
                self._driver.health.distrust("a download is too large")
                raise PageError(page.url, "download_too_large")
            doubtful = [path for path in paths if is_partial(path)]
            if paths and not doubtful:
                return paths
            if size_now != size:
                size, quiet_at = size_now, now + QUIET
            elif now > quiet_at:
                if not is_written(doubtful):
                    return None
                quiet_at = now + QUIET
            if now > end:
                self._driver.health.distrust("a download does not end")
                raise PageError(page.url, "download_timeout", retryable=True)
            time.sleep(PAUSE)
        return None

    def _moved(self, page: Page, named: list[tuple[Path, str]]) -> tuple[File, ...]:
        """Move the files to the folder, each by its name."""
        moved = []
        for path, name in named:
            file = files.take(self._folder, page, path, name, self._names)
            self._names.add(folded(file.name.partition("-")[2]))
            moved.append(file)
        return tuple(moved)

    @property
    def _page_inbox(self) -> Path:
        return self._inbox / str(self._number)


def is_partial(path: Path) -> bool:
    """Whether Chrome may not have finished this file, by its name."""
    return path.name.endswith(PARTIAL) or path.name.startswith(".")


def is_written(paths: list[Path]) -> bool:
    """Whether a Chrome of this process has one of the files ``paths`` open; also if that cannot be
    known.
    """
    names = {str(path) for path in paths}
    try:
        for process in psutil.Process().children(recursive=True):
            if "chrom" in process.name().lower() or "headless" in process.name().lower():
                try:
                    if names & {file.path for file in process.open_files()}:
                        return True
                except psutil.AccessDenied:  # a part of it in a sandbox, which opens no files
                    continue
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return True
    return False


def size_of(path: Path) -> int:
    """Return the bytes of a file; 0 if it was renamed meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
