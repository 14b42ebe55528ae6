"""Capture what the tab shows at this moment, for people: source and picture, within seconds, or
nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException

from ...errors import BrowserError
from ..document import ReadOptions
from ..transport.base import TabState

if TYPE_CHECKING:
    from ..browser import Browser

#: Seconds that each of the two questions may take. A session that does not answer them is replaced.
CAPTURE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Capture:
    """The URL of the tab, the source of its document as scripts have left it, and a picture of the
    window, as PNG (or None).
    """

    url: str
    html: str
    png: bytes | None


def capture(browser: Browser, html_max: int, png_max: int) -> Capture | None:
    """Return what is to be seen of the page that was requested last.

    None: the tab shows nothing, or an error page of Chrome without a word, or the session is
    distrusted. ``html_max`` is in characters, ``png_max`` in bytes.
    """
    if not browser.health.good or browser.health.tab is not TabState.REQUESTED:
        return None
    if (parsed := browser.parsed_source()) is not None:
        return Capture(parsed[0], parsed[1][:html_max], None)
    try:
        options = ReadOptions(links=0, html=html_max)
        document = browser.navigation.reader.read(time.perf_counter(), options, CAPTURE_TIMEOUT)
        if document.url == "about:blank" or document.silent or document.html is None:
            return None
        with browser.driver.within(CAPTURE_TIMEOUT):
            png = browser.driver.get_screenshot_as_png()
    except (WebDriverException, BrowserError):
        return None
    return Capture(document.url, document.html, png if len(png) <= png_max else None)
