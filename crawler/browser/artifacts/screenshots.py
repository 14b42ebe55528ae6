"""Pictures and prints of the page that Chrome shows."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

from ...definition.steps import Visit
from ...model import File, Page
from ..transport.webdriver import Driver
from . import files

log = logging.getLogger(__name__)

#: Pixels of a page's height that are in a picture of the whole of it: Chrome's own limit for one
#: surface.
HEIGHT_MAX = 16_384
#: Bytes that a picture or a PDF may have to be kept by an option of the crawl.
SIZE_MAX = 20_000_000


def window(driver: Driver) -> bytes:
    """What the window shows, as PNG."""
    return bytes(driver.get_screenshot_as_png())


def whole(driver: Driver) -> bytes:
    """The whole page, as PNG; of a longer one the upper ``HEIGHT_MAX`` pixels."""
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
    """The page as PDF, with its backgrounds."""
    return base64.b64decode(driver.cdp("Page.printToPDF", printBackground=True)["data"])


def keep(driver: Driver, page: Page, visit: Visit, folder: Path | None) -> tuple[File, ...]:
    """The picture and the print that ``visit`` asks for, as files in ``folder``. What is too large
    is not kept.
    """
    made = {}
    if visit.screenshot and folder:
        made["png"] = whole(driver) if visit.screenshot == "page" else window(driver)
    if visit.pdf and folder:
        made["pdf"] = pdf(driver)
    for ending in [ending for ending, data in made.items() if len(data) > SIZE_MAX]:
        log.warning(
            "the %s of %s has %s bytes and is not kept; at most %s are",
            ending,
            page.url,
            len(made.pop(ending)),
            SIZE_MAX,
        )
    return (
        tuple(files.keep(folder, page, ending, data) for ending, data in made.items())
        if folder
        else ()
    )
