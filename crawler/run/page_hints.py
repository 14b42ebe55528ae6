"""What may be wrong with a page although it is done: counted as hints, see ``output/hints.py``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..definition.bounds import scope_of
from .looks import Late, Looks, asks_for_fields, is_empty, look_again, suspicion

if TYPE_CHECKING:
    from ..browser.browser import Browser
    from ..definition.crawl import Crawl
    from ..model import Json, Page, Response
    from ..urls.scope import Chosen
    from .observer import Observer


class PageHints:
    """Counts, for ``observer``, what ``page`` and what came of it tell; ``crawl`` is as the page
    sees it. ``looks`` may look at it again, in ``browser``.
    """

    def __init__(
        self, crawl: Crawl, page: Page, observer: Observer, looks: Looks, browser: Browser
    ) -> None:
        self._crawl, self._page, self._observer = crawl, page, observer
        self._looks, self._browser = looks, browser

    def note(self, response: Response, data: Json, chosen: Chosen) -> None:
        """Count what may be wrong with the page.

        If it holds hardly anything, or gave nothing, it may be looked at again, for seconds.
        """
        crawl, page, thin = self._crawl, self._page, self._browser.thin
        count, looks = self._observer.count, self._looks
        for link in response.links:
            if link.rel == "refresh" and scope_of(crawl).judge(link, page):
                count("hint_refresh_out", f"{page.url} to {link.url}")
        if thin and thin.is_frames:
            count("hint_frames", page.url)
        if asks_for_fields(crawl) and is_empty(data):
            count("hint_empty", page.url)
        why = suspicion(crawl, page, response, thin, data, chosen)
        if seconds := looks.seconds(page.lane, why):
            began = time.monotonic()
            late = look_again(self._browser, response, seconds, scroll=looks.scrolls)
            looks.note(time.monotonic() - began)
            if late:
                self._note_late(late)

    def _note_late(self, late: Late) -> None:
        """Count what a second look found."""
        count, url = self._observer.count, self._page.url
        count("looks")
        if late.left:
            count("hint_left", url)
        elif late.grown:
            count("hint_late", url)
            if late.css:
                count("late_css", late.css)
        elif late.scrolled and not self._crawl.scroll:
            count("hint_scroll", url)
