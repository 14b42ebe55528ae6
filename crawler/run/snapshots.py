"""Error snapshots: the document and the picture of a failed page, as files for people.

Each kind of failure of a crawl has one, over all workers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..browser.artifacts.capture import capture
from ..browser.browser import Browser
from ..frontier.frontier import Frontier
from ..hooks import without_place
from ..local.private_files import make_private, open_private
from ..model import Json, Page
from ..observe.logs import logger
from ..output.error_files import INDEX
from ..urls.url import InvalidURL, host_of
from .inert_document import inert

log = logger(__name__)

#: Characters of HTML, and bytes of a picture, of a snapshot: longer HTML is cut, a larger picture
#: is left out.
HTML_MAX, PNG_MAX = 1_000_000, 5_000_000
#: Characters of the reason, and of the host, in the name of a file.
NAME_MAX = 35
#: A page that is opened from the folder must not do anything. :func:`inert` takes out of it what
#: could; this says it to the browser, too.
INERT = (
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; base-uri 'none';"
    " form-action 'none'\"><meta charset=utf-8><meta name=referrer content=no-referrer>"
)


@dataclass(frozen=True, slots=True)
class ErrorSnapshots:
    """Keeps snapshots of one crawl in ``folder``; at most ``limit`` over all workers.

    The folder is open to its owner only: pages behind a log-in may hold private data.
    """

    folder: Path
    frontier: Frontier
    limit: int

    def take(
        self,
        browser: Browser,
        page: Page,
        reason: str,
        status: int | None,
        hide: Callable[[str], str],
    ) -> Path | None:
        """Keep the document that ``browser`` shows, if the failure of ``page`` is the first of its
        kind; return the file.

        None: no snapshot is kept. Takes a second, or a few; raises nothing. ``hide`` takes secrets
        out of a text.
        """
        try:
            return self._take(browser, page, reason, status, hide)
        except Exception as error:
            log.warning("no error snapshot of %s: %s", hide(page.url), hide(str(error)))
            return None

    def _take(
        self,
        browser: Browser,
        page: Page,
        reason: str,
        status: int | None,
        hide: Callable[[str], str],
    ) -> Path | None:
        if not self.limit or not browser.health.good:
            return None
        kind = f"{kind_of(reason)} {host(page.url)}"
        if not self.frontier.first_of_kind(kind, self.limit):
            return None
        view = capture(browser, HTML_MAX, PNG_MAX)
        if view is None:
            self.frontier.first_of_kind(kind, 0)
            return None
        make_private(self.folder)
        # no dots first: CON.x would be a device on some systems
        stem = f"{slug(kind_of(reason)).replace('.', '-')}-{slug(host(page.url))}-{page.id}"
        record = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "url": hide(page.url),
            "shown": hide(view.url),
            "reason": reason,
            "status": status,
            "html": f"{stem}.html",
            "png": f"{stem}.png" if view.png else None,
        }
        path = self._keep(record, hide(view.html), view.png)
        log.info("%s: error snapshot of %s in %s", self.frontier.name, hide(page.url), path)
        return path

    def _keep(self, record: Mapping[str, Json], html: str, png: bytes | None) -> Path:
        """Write the files of a snapshot, and its ``record`` to the index; return the HTML file."""
        note = "; ".join(f"{name} {record[name]}" for name in ("at", "url", "reason"))
        head = f"<!doctype html>{INERT}<!-- {note.replace('--', '- -')} -->"
        self._write(record["html"], f"{head}\n{inert(html)}\n".encode("utf-8", "replace"))
        if png:
            self._write(record["png"], png)
        line = json.dumps(record, ensure_ascii=False) + "\n"
        # in one write: other processes write to the index, too
        self._write(INDEX, line.encode("utf-8", "replace"), os.O_APPEND)
        return self.folder / str(record["html"])

    def _write(self, name: str, content: bytes, mode: int = os.O_TRUNC) -> None:
        handle = open_private(self.folder / name, os.O_WRONLY | os.O_CREAT | mode)
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(content)


def kind_of(reason: str) -> str:
    """Return a reason without what is particular to one page.

    Of a hook's error, that is the step and the class, without the text and the line.
    """
    return ": ".join(without_place(reason).partition(": leads to ")[0].split(": ")[:2])


def host(url: str) -> str:
    """Return the host of ``url``; "" if it has none."""
    try:
        return host_of(url)
    except InvalidURL:
        return ""


def slug(text: str) -> str:
    """Return ``text`` as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:NAME_MAX]
