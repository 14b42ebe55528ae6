"""Documents in the frames of a page, of whatever site: their links, and their source in its."""

from __future__ import annotations

import html
import re
import secrets as random
from collections.abc import Callable
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException

from ..model import Link
from ..observe.logs import logger
from .document import links_of
from .transport.base import first_line
from .transport.javascript import script

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

    from .transport.webdriver import Driver

log = logger(__name__)

#: Frames that are read, and how deep they may lie in each other.
FRAMES_MAX, FRAME_DEPTH_MAX = 50, 4
#: Characters of the source of a page with all of its frames.
SOURCE_MAX = 20_000_000


class FrameReader:
    """Reads the frames of the page that the tab shows; frames that are gone meanwhile have none.

    ``links`` are those inside of them, at most ``limit``; ``fragments``: they keep what follows #.
    ``source`` is the page's own with that of each frame behind it, in a ``div`` whose
    ``data-frame`` is its URL. Of a frame whose URL ``admits`` refuses nothing is read; its address
    is among the links. A document without an address of its own belongs to the one around it.
    """

    def __init__(
        self,
        driver: Driver,
        limit: int,
        *,
        fragments: bool = False,
        admits: Callable[[str], bool] = lambda url: True,  # noqa: ARG005
    ) -> None:
        self._driver, self._limit, self._fragments = driver, limit, fragments
        self._admits, self._left, self._size = admits, FRAMES_MAX, 0
        self._mark = "data-" + random.token_hex(8)
        self._links: dict[Link, None] = {}
        self.count = 0  # documents in frames that were read
        #: The source of each document in a frame, by its URL; None: they are not kept.
        self.documents: dict[str, str] | None = None

    @property
    def links(self) -> tuple[Link, ...]:
        """The links inside of the frames that were read."""
        return tuple(self._links)[: self._limit]

    def read(self) -> str:
        """Read all frames; return the source."""
        try:
            return self._read(1, whole=True)
        finally:
            self._driver.leave_frame()

    def _read(self, depth: int, url: str = "", *, whole: bool = False) -> str:
        """Return the source of the document that WebDriver is in, at ``url``, with that of its
        frames.
        """
        found = self._driver.execute_script(script("framed.js"), self._mark, whole)
        source = str(found["html"])
        if self.documents is not None and url:
            self.documents[url] = re.sub(f' {self._mark}="[0-9]+"', "", source)
        self._size += len(source)
        for number, frame in enumerate(found["frames"]):
            if self._left <= 0 or depth > FRAME_DEPTH_MAX or self._size > SOURCE_MAX:
                break
            self._left -= 1
            url, inner = self._enter(frame, depth)
            source = with_frame(source, f' {self._mark}="{number}">', url, inner)
        return source

    def _enter(self, frame: WebElement, depth: int) -> tuple[str, str]:
        """Return the URL and the source of the document in ``frame``; empty: it is not read."""
        url = source = ""
        try:
            self._driver.switch_to.frame(frame)
        except WebDriverException:
            return "", ""
        try:
            wanted = (self._limit, False, self._fragments)
            facts = self._driver.execute_script(script("collect.js"), "_", 0, *wanted)
            url = str(facts["url"])
            if not url.startswith(("http:", "https:")) or self._admits(url):
                self._links.update(dict.fromkeys(links_of(facts)))
                self.count += 1
                source = self._read(depth + 1, url)
            else:
                self._links[Link(url, "iframe")] = None
        except WebDriverException as error:
            page, text = self._driver.health.url, first_line(error)
            log.debug("a frame of %s cannot be read: %s", page, text)
        self._driver.switch_to.parent_frame()
        return url, source


def with_frame(source: str, mark: str, url: str, inner: str) -> str:
    """Return ``source`` with ``inner`` behind the frame whose tag ends in ``mark``, and without
    that mark.
    """
    before, found, after = source.partition(mark)
    if not found:
        return source
    if before.rfind("<iframe") > before.rfind("<frame"):
        content, end, after = after.partition("</iframe>")
        before += f">{content}{end}"
    else:
        before += ">"
    part = f'<div data-frame="{html.escape(url)}">{inner}</div>' if inner else ""
    return before + part + after
