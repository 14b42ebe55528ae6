"""Downloads of a Chrome on this machine: each page's in a folder of its own, waited for, measured,
and taken from there.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import PageError
from ...model import File, Page
from . import files

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

#: Seconds in which a download begins, once Chrome knows of it.
BEGIN_TIMEOUT = 1.0
#: Seconds between two looks at its folder.
PAUSE = 0.05
#: Endings of files that Chrome has not finished.
PARTIAL = (".crdownload", ".tmp", ".part")


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

    def begin(self) -> None:
        """Begin another page: what an earlier one still downloads does not concern it."""
        shutil.rmtree(self._page_inbox, ignore_errors=True)
        self._number += 1
        self._page_inbox.mkdir(parents=True)
        self._driver.cdp(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self._page_inbox)
        )

    def begins(self) -> bool:
        """Whether a download of this page begins, within a second."""
        end = time.monotonic() + BEGIN_TIMEOUT
        while not any(self._page_inbox.iterdir()):
            if time.monotonic() >= end:
                return False
            time.sleep(PAUSE)
        return True

    def take(self, page: Page) -> tuple[File, ...]:
        """Wait for the downloads of ``page``, and return its files; none if no download begins.

        Raises:
            PageError: ``download_too_large`` or, if it may succeed another time,
                ``download_timeout``. The session is distrusted then, which ends what it downloads.
        """
        end = time.monotonic() + self._timeout
        while self.begins():
            paths = sorted(self._page_inbox.iterdir())
            if sum(size_of(path) for path in paths) > self._limit:
                self._driver.health.distrust("a download is too large")
                raise PageError(page.url, "download_too_large")
            if paths and not any(is_partial(path) for path in paths):
                return tuple(files.take(self._folder, page, path) for path in paths)
            if time.monotonic() > end:
                self._driver.health.distrust("a download does not end")
                raise PageError(page.url, "download_timeout", retryable=True)
            time.sleep(PAUSE)
        return ()

    @property
    def _page_inbox(self) -> Path:
        return self._inbox / str(self._number)


def is_partial(path: Path) -> bool:
    """Whether Chrome has not finished this file."""
    return path.name.endswith(PARTIAL) or path.name.startswith(".")


def size_of(path: Path) -> int:
    """Return the bytes of a file; 0 if it was renamed meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
