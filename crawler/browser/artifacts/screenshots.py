"""Pictures and prints of the page that Chrome shows."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...definition.steps import Visit
from ...model import File, Page, Response
from ...observe.logs import logger
from ...text.encodable import encodable
from . import files

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

log = logger(__name__)

#: Pixels of a page's height that are in a picture of the whole of it: Chrome's own limit for one
#: surface.
HEIGHT_MAX = 16_384
#: Bytes that a picture, a PDF or the HTML of a page may have to be kept by an option of the crawl.
SIZE_MAX = 20_000_000


def window(driver: Driver) -> bytes:
    """Return a picture of the window, as PNG."""
    return bytes(driver.get_screenshot_as_png())


def whole(driver: Driver) -> bytes:
    """Return a picture of the whole page, as PNG; at most its upper ``HEIGHT_MAX`` pixels."""
    size = driver.cdp("Page.getLayoutMetrics")["cssContentSize"]
    clip = {
        "x": 0,
        "y": 0,
        "width": max(1, size["width"]),
        "height": max(1, min(size["height"], HEIGHT_MAX)),
        "scale": 1,
    }
    shot = driver.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    return base64.b64decode(shot["data"])


def pdf(driver: Driver) -> bytes:
    """Return the page as PDF, with its backgrounds."""
    return base64.b64decode(driver.cdp("Page.printToPDF", printBackground=True)["data"])


def keep(driver: Driver, page: Page, visit: Visit, folder: Path | None) -> tuple[File, ...]:
    """Write the picture and the print that ``visit`` asks for into ``folder``.

    A file that is too large is not kept; without a folder none is.
    """
    if folder is None:
        return ()
    contents = {}
    if visit.screenshot:
        contents["png"] = whole(driver) if visit.screenshot == "page" else window(driver)
    if visit.pdf:
        contents["pdf"] = pdf(driver)
    return tuple(
        files.keep(folder, page, ending, data)
        for ending, data in contents.items()
        if fits(page, ending, data)
    )


def keep_source(folder: Path | None, page: Page, response: Response) -> Response:
    """Write the HTML of ``response`` to a file of ``page``; return the response with that file.

    HTML that is too large is not kept; without a folder none is.
    """
    if folder is None or response.html is None:
        return response
    data = encodable(response.html).encode()
    if not fits(page, "html", data):
        return response
    return replace(response, files=(*response.files, files.keep(folder, page, "html", data)))


def fits(page: Page, ending: str, data: bytes) -> bool:
    """Whether a file is small enough to be kept; a warning says so where it is not."""
    if len(data) <= SIZE_MAX:
        return True
    text = "the %s of %s has %s bytes and is not kept; at most %s are"
    log.warning(text, ending, page.url, len(data), SIZE_MAX)
    return False
