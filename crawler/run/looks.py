"""Second looks at pages that held hardly anything when they were read: did more come soon after?

A result that looks right and is empty gets a hint that way. A crawl looks at a sample of such
pages, for a small part of its time; a dry run at its one page.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..errors import BrowserError

if TYPE_CHECKING:
    from ..browser.browser import Browser
    from ..browser.document import Thin
    from ..definition.crawl import Crawl
    from ..model import Json, Page, Response
    from ..urls.scope import Chosen

#: Seconds for which a crawl looks at a page again, at most; a dry run at a page that holds hardly
#: anything, and at any other one.
LOOK, DRY_LOOK, DRY_GLANCE = 2.0, 4.0, 1.0
#: The first page of a host that holds hardly anything is looked at, then one in so many.
ONE_IN = 50
#: The part of a process's time that looks may take, after the first ones, which may take so many
#: seconds.
SHARE, FIRST_LOOKS = 0.02, 4.0
#: Kinds of documents that have scripts.
HTML = ("text/html", "application/xhtml+xml")
#: Hosts whose pages are counted; then those forgotten longest ago are new again.
HOSTS_MAX = 1_000


@dataclass
class Looks:
    """Decides which pages of a crawl are looked at again, in one process."""

    began: float = field(default_factory=time.monotonic)
    spent: float = 0.0  # seconds of looks so far
    # suspicious ones, by reason and host
    pages: OrderedDict[str, int] = field(default_factory=OrderedDict)
    scrolls: ClassVar[bool] = False

    def seconds(self, host: str, why: str) -> float:
        """Return for how long a page of ``host`` is looked at that is suspicious for the reason
        ``why`` ("": it is not); 0: it is not looked at.
        """
        if not why:
            return 0.0
        kind = f"{why} {host}"
        number = self.pages.get(kind, 0)
        self.pages[kind] = number + 1
        self.pages.move_to_end(kind)
        if len(self.pages) > HOSTS_MAX:
            self.pages.popitem(last=False)
        allowed = FIRST_LOOKS + SHARE * (time.monotonic() - self.began)
        return LOOK if number % ONE_IN == 0 and self.spent + LOOK <= allowed else 0.0

    def note(self, seconds: float) -> None:
        """Note that a look took ``seconds``."""
        self.spent += seconds


class DryLooks(Looks):
    """Looks at every page, for longer, and scrolls it."""

    scrolls = True

    def seconds(self, host: str, why: str) -> float:  # noqa: ARG002
        """Return the time for a page that is suspicious, or is not."""
        return DRY_LOOK if why else DRY_GLANCE


class StillLooks(Looks):
    """Looks at no page again: what counts is what it holds when it is read."""

    def seconds(self, host: str, why: str) -> float:  # noqa: ARG002
        """Return 0."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Late:
    """What a second look found: the page is at another URL (``left``), or has ``grown``; ``css``
    selects something that came, ``scrolled`` links came by scrolling.
    """

    left: bool
    grown: bool
    css: str = ""
    scrolled: int = 0


def look_again(
    browser: Browser, response: Response, seconds: float, *, scroll: bool
) -> Late | None:
    """Look at the page of ``response`` again, for at most ``seconds``; None: it cannot be seen."""
    thin = browser.thin
    held = (thin.links, thin.text) if thin else (None, None)
    try:
        found = browser.look_again(seconds, *held, scroll=scroll)
    except BrowserError:
        return None
    if not isinstance(found, dict) or not isinstance(url := found.get("url"), str):
        return None  # a page that has broken what scripts stand on
    if url.partition("#")[0] != response.url.partition("#")[0]:
        return Late(left=True, grown=False)
    scrolled = found.get("scrolled")
    return Late(
        left=False,
        grown=found.get("grown") is True,
        css=str(found.get("css") or ""),
        scrolled=int(scrolled) if isinstance(scrolled, int | float) else 0,
    )


def suspicion(
    crawl: Crawl, page: Page, response: Response, thin: Thin | None, data: Json, chosen: Chosen
) -> str:
    """Return why what came of ``page`` may not be all of it, in a word; "": no reason."""
    if response.content_type not in HTML or (thin and (thin.is_frames or not thin.scripts)):
        return ""
    if thin and thin.leads and crawl.interstitial_wait:
        return ""  # it was waited for already
    if thin and thin.is_bare:
        return "bare"
    if asks_for_fields(crawl) and is_empty(data):
        return "empty"
    if not response.links:
        return "linkless"
    return "alone" if page.depth == 0 and crawl.depth_limit != 0 and not chosen.pages else ""


def asks_for_fields(crawl: Crawl) -> bool:
    """Whether the crawl's author says what an item is."""
    return crawl.fields.extract is not None or "extract" in crawl.hooks


def is_empty(data: Json) -> bool:
    """Whether an item has fields, and no value in any of them."""
    match data:
        case dict():
            return bool(data) and all(value in (None, "", [], {}) for value in data.values())
        case list():
            return bool(data) and all(map(is_empty, data))
    return False
