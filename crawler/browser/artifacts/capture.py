"""What the tab shows at this moment, for whoever wants to see it later: source and picture, within
seconds, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from selenium.common.exceptions import WebDriverException

from ...errors import BrowserError
from ..browser import Browser

#: Seconds that each of the two questions may take. A session that does not answer them is replaced.
SIGHT_TIMEOUT = 5.0

#: Null if the tab is blank, or shows an error page of Chrome without a word.
LOOK = """
const at = location.href, root = document.documentElement;
if (!root || at === "about:blank" || (at.startsWith("chrome-error:") && !document.body?.innerText.trim())) return null;
return [at, root.outerHTML.slice(0, arguments[0])];
"""


@dataclass(frozen=True, slots=True)
class Capture:
    """Where the tab was, the source of its document as scripts have left it, and what the window
    showed, as PNG (or None).
    """

    url: str
    html: str
    png: bytes | None


def capture(browser: Browser, html_max: int, png_max: int) -> Capture | None:
    """What is to be seen of the page that was requested last; None if that is nothing, or the
    session is in doubt.

    Sizes are characters and bytes.
    """
    if browser.doubt or browser.stale:
        return None
    driver = browser.driver
    try:
        with driver.within(SIGHT_TIMEOUT):
            found = driver.execute_script(LOOK, html_max)
        if found is None:
            return None
        with driver.within(SIGHT_TIMEOUT):
            png = driver.get_screenshot_as_png()
    except (WebDriverException, BrowserError):
        return None
    url, html = found
    return Capture(url, html, png if len(png) <= png_max else None)
