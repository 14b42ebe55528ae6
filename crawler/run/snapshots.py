"""Error snapshots: for each kind of failure of a crawl, once over all workers, what Chrome showed,
as files for people.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..browser.artifacts.capture import capture
from ..browser.browser import Browser
from ..frontier.frontier import Frontier
from ..model import Page
from ..urls.url import InvalidURL, host_of

log = logging.getLogger(__name__)

#: Characters of HTML, and bytes of a picture, that a snapshot may have; HTML is cut, a larger
#: picture is left out.
HTML_MAX, PNG_MAX = 1_000_000, 5_000_000
#: Characters of the reason, and of the host, in the name of a file.
NAME_MAX = 60
#: What every page may not do when it is opened from a folder: load anything, or run.
INERT = (
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src"
    " 'unsafe-inline'; img-src data:\">"
)
#: The list of the snapshots, one JSON object per line.
INDEX = "errors.jsonl"


@dataclass(frozen=True, slots=True)
class ErrorSnapshots:
    """Keeps snapshots of one crawl in ``folder``; at most ``limit`` over all workers.

    The folder is open to its owner only: pages of somebody who is logged in may hold anything.
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
        """Keep what ``browser`` shows of the failure of ``page``, if it is the first of its kind;
        the file, if there is one.

        Takes a second or so, some at most, and raises nothing. ``hide`` takes secrets out of a
        text.
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
        sight = capture(browser, HTML_MAX, PNG_MAX)
        if sight is None:
            self.frontier.first_of_kind(kind, 0)
            return None
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stem = f"{slug(kind_of(reason))}-{slug(host(page.url))}-{page.id}"
        about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "url": hide(page.url),
            "shown": hide(sight.url),
            "reason": reason,
            "status": status,
            "html": f"{stem}.html",
            "png": f"{stem}.png" if sight.png else None,
        }
        note = "; ".join(
            f"{name} {value}" for name, value in about.items() if name in ("at", "url", "reason")
        ).replace("--", "- -")
        self._write(
            f"{stem}.html",
            f"<!doctype html>{INERT}<!-- {note} -->\n{hide(sight.html)}\n".encode(
                "utf-8", "replace"
            ),
        )
        if sight.png:
            self._write(f"{stem}.png", sight.png)
        line = json.dumps(about, ensure_ascii=False) + "\n"
        # in one piece: other processes write there, too
        self._write(INDEX, line.encode("utf-8", "replace"), os.O_APPEND)
        log.info(
            "%s: error snapshot of %s in %s",
            self.frontier.name,
            hide(page.url),
            self.folder / f"{stem}.html",
        )
        return self.folder / f"{stem}.html"

    def _write(self, name: str, content: bytes, how: int = os.O_TRUNC) -> None:
        with os.fdopen(
            os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb", buffering=0
        ) as file:
            file.write(content)


def kind_of(reason: str) -> str:
    """A reason without what is particular to one page: step and class of a hook's error, but not
    its text.
    """
    return ": ".join(reason.split(": ")[:2])


def host(url: str) -> str:
    """The host of ``url``; "" if it has none."""
    try:
        return host_of(url)
    except InvalidURL:
        return ""


def slug(text: str) -> str:
    """``text`` as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:NAME_MAX]
