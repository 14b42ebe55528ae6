"""Downloads of a Chrome on this machine: each page's in a folder of its own, waited for, measured,
and taken from there.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from ...errors import PageError
from ...model import File, Page
from ..transport.webdriver import Driver
from . import files

#: Seconds in which a download begins, once Chrome knows of it; and between two looks at its folder.
PATIENCE, PAUSE = 1.0, 0.05
#: How Chrome calls what it has not finished.
PARTIAL = (".crdownload", ".tmp", ".part")


class Downloads:
    """Lets ``driver`` download into ``inbox``, and moves what came to ``folder``. ``limit``: bytes,
    ``timeout``: seconds.
    """

    def __init__(
        self, driver: Driver, inbox: Path, folder: Path, *, limit: int, timeout: float
    ) -> None:
        self._driver, self._inbox, self._folder = driver, inbox, folder
        self._limit, self._timeout = limit, timeout
        self._number = 0

    def begin(self) -> None:
        """A new page: what an earlier one still downloads is none of its business."""
        shutil.rmtree(self._here, ignore_errors=True)
        self._number += 1
        self._here.mkdir(parents=True)
        self._driver.cdp(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self._here)
        )

    def take(self, page: Page, patience: float = PATIENCE) -> tuple[File, ...]:
        """The files of ``page``; none if no download begins within ``patience`` seconds.

        Raises:
            PageError: ``download_too_large`` or, if it may succeed another time,
                ``download_timeout``. The session is in doubt then, which ends what it downloads.
        """
        began = time.monotonic()
        while True:
            there = sorted(self._here.iterdir())
            waited = time.monotonic() - began
            if not there and waited >= patience:
                return ()
            if sum(size_of(path) for path in there) > self._limit:
                self._driver.doubt = "a download is too large"
                raise PageError(page.url, "download_too_large")
            if there and not any(
                path.name.endswith(PARTIAL) or path.name.startswith(".") for path in there
            ):
                return tuple(files.take(self._folder, page, path) for path in there)
            if waited > self._timeout:
                self._driver.doubt = "a download does not end"
                raise PageError(page.url, "download_timeout", retryable=True)
            time.sleep(PAUSE)

    @property
    def _here(self) -> Path:
        return self._inbox / str(self._number)


def size_of(path: Path) -> int:
    """Bytes of the file; 0 if it was renamed meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
