"""The ways of one page with ``fetch="auto"``: which it takes, and what follows where it comes both
ways, by HTTP and by Chrome.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ..browser.reasons import PATIENCE_STATUSES
from ..definition.choosing import choose
from ..definition.fetching import AUTO, CHROME, HTTP
from ..definition.route_options import NO_ROUTE
from ..errors import PageError
from ..observe.logs import logger
from ..output.fetch_ways import DIFFERS
from ..redaction import masked
from .fetching import TRIAL, difference

if TYPE_CHECKING:
    from ..browser.browser import Browser
    from ..definition.crawl import Crawl
    from ..model import Json, Page, Response
    from .context import RunServices
    from .observer import Observer

log = logger(__name__)

#: Seconds of a host's delay that pass between the two requests of a page that comes both ways.
DELAY_MAX = 30.0


class Work(Protocol):
    """The work on a page, as far as it is done once for each way."""

    @property
    def page(self) -> Page:
        """The page, with the route that it takes by now."""

    def accept(self) -> Response:
        """Return the response by what the page is fetched by at present."""

    def extract_apart(self, response: Response) -> Json:
        """Return the page's data, or the error that it is; nothing else comes of that."""

    def go_beside(self) -> None:
        """Go on in a Chrome that is another visitor."""


class BothWays:
    """The ways of one page of ``crawl``, which is fetched in ``session``."""

    def __init__(
        self, crawl: Crawl, services: RunServices, observer: Observer, session: Browser
    ) -> None:
        self._crawl, self._services, self._observer = crawl, services, observer
        self._frontier, self._fetching = services.frontier, services.fetching
        self._session = session
        self._compares = False  # whether the page is to come both ways
        self._facts: dict[str, object] | None = None  # what came by HTTP, of one that did
        self._shape = ""  # of the page's scripts
        self._time = 0  # no later than the page is requested
        #: The route of a page that came by HTTP and was not compared; None: another one.
        self.doubt: str | None = None

    def choose(self, page: Page) -> str:
        """Have ``page`` come by Chrome, by HTTP, or both ways, as comparisons decided so far;
        return why by Chrome, "": it need not.
        """
        fetching = self._fetching
        if fetching is None:
            return "compared"
        way = fetching.way(self._frontier, page.route)
        if way == CHROME:
            return "compared"
        if way == TRIAL:
            self._compares = True
            self._session.for_page(chrome=True)  # both are to call themselves alike
        else:
            self._compares = fetching.is_due(page.route)
        self._time = fetching.time(self._frontier, fresh=self._compares)
        return ""

    def fetch(self, work: Work) -> Response:
        """Return the response by the page's way; by Chrome's, if both are to be compared."""
        if (fetching := self._fetching) is None:
            return work.accept()
        error: PageError | None = None
        began = time.perf_counter()
        try:
            response = work.accept()
        except PageError as raised:
            if raised.status in PATIENCE_STATUSES:
                raise
            error, self._compares = raised, True
        else:
            if self._session.brought:  # it is Chrome's already
                self._compares = False
                return response
            self._shape = self._session.shape
            self._compares = self._compares or not fetching.knows(work.page.route, self._shape)
            if not self._compares:
                return response
        by_http = time.perf_counter() - began
        if error:
            self._facts = {"error": error.reason}
        else:
            self._facts = self._facts_of(work.page, response, work.extract_apart(response))
        robots = self._services.permits.crawl_delay(work.page.url) or 0.0
        time.sleep(min(max(self._crawl.delay, robots), DELAY_MAX))
        work.go_beside()
        began = time.perf_counter()
        try:
            response = work.accept()
        except PageError as raised:
            self._conclude(work.page, {"error": raised.reason})
            raise
        if error is None and fetching.warm:
            self._observer.count("fetch_timed")
            for way, seconds in ((HTTP, by_http), (CHROME, time.perf_counter() - began)):
                self._observer.count(f"fetch_{way}_us", number=round(seconds * 1_000_000))
        fetching.warm = fetching.warm or error is None
        return response

    def conclude(self, page: Page, response: Response, data: Json) -> None:
        """If the page came both ways, compare them: ``response`` and ``data`` are Chrome's."""
        if self._facts is not None:
            self._conclude(page, self._facts_of(page, response, data))

    def noted(self, response: Response, fetch: str, page: Page) -> Response:
        """Return ``response`` with the way by which it came, which is counted. ``fetch`` is how
        pages like ``page`` come.
        """
        brought = self._session.brought
        way = response.fetch or CHROME
        if brought:
            way = CHROME
            self._observer.count("fetch_brought", f"{page.url} ({brought})")
        self._observer.count(f"fetch_{way}")
        if response.not_modified:
            self._observer.count("fetch_not_modified")
        if why := self._session.unkept:
            self._observer.count("fetch_unkept", f"{page.url} ({why})")
        if way == HTTP and fetch == AUTO:
            self.doubt = page.route
        return replace(response, fetch=way)

    def _facts_of(self, page: Page, response: Response, data: Json) -> dict[str, object]:
        """Return what is compared of a page: its URL, status, links in scope, and item."""
        chosen = choose(self._crawl, page, response.links, response=response)
        links = sorted({one.key or one.url for one in chosen.pages})
        return {"status": response.status, "url": response.url, "links": links, "item": data}

    def _conclude(self, page: Page, by_chrome: dict[str, object]) -> None:
        """Compare the page's two ways, and note for its route what that says."""
        fetching, by_http = self._fetching, self._facts
        self._facts = None
        if fetching is None or by_http is None:
            return
        self._observer.count("fetch_compared")
        differs = "the tab: it is asked for" if self._session.brought else ""
        differs = differs or difference(by_http, by_chrome)
        if not differs:
            fetching.note_same(self._frontier, page.route, self._shape, self._time)
            return
        what = f"{page.url} ({differs})"
        self._observer.count("hint_fetch_differs", what)
        self._observer.count(f"{DIFFERS}{page.route or NO_ROUTE}", what)
        log.info("%s: by HTTP and by Chrome differs %s", self._crawl.name, masked(what))
        fetching.note_difference(self._frontier, page.route, masked(what))
