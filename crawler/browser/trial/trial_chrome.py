"""A Chrome that tells more of a page than its crawl asks for, to people; hooks see no more of it.

A crawl that reads ``response.headers`` must ask for them. If it need not where it is tried, it
would only fail where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from selenium.common.exceptions import WebDriverException

from ...errors import BrowserError
from ...model import Json, Page, Response
from ...profile import Profile
from ...text.encodable import encodable
from ..artifacts import screenshots
from ..artifacts.page_responses import CapturedResponse, PageResponses, matches
from ..browser import LINKS_MAX, Browser
from ..frames import FrameReader
from ..pool import Chrome
from ..transport.base import TabState, TransportError
from ..transport.javascript import script

if TYPE_CHECKING:
    from ...definition.steps import Visit
    from ..artifacts.network_log import Exchange

#: What a response has only where a crawl asks for it, by the wish in its profile.
DETAILS: Mapping[str, tuple[str, ...]] = {
    "exchanges": ("headers", "request_headers", "status_text", "redirects"),
    "console": ("console",),
    "timings": ("timings",),
}
#: Bytes of the bodies of responses that are kept: of one, and of all of a page.
BODY_MAX, BODIES_MAX = 5_000_000, 20_000_000
#: Errors of a tab that cannot be asked.
UNASKABLE = (WebDriverException, BrowserError, TransportError)
#: Whether the document was read by the rules of today, which its first line decides.
STANDARD = "return document.compatMode === 'CSS1Compat'"


@dataclass
class PageRecord:
    """All that a page left: its ``response`` with every detail, the source of its document as it
    was rendered, with shadow roots (``html``), a picture (``png``), ``cookies``, and the responses
    that it loaded: those that its crawl captures, JSON and style sheets. Empty: not asked for, or
    not to be had.
    """

    response: Response | None = None
    html: str = ""
    #: The source of each document in a frame, by its URL, where the crawl reads them.
    frames: dict[str, str] = field(default_factory=dict)
    png: bytes = b""
    cookies: list[dict[str, Json]] = field(default_factory=list)
    responses: tuple[CapturedResponse, ...] = ()
    #: Patterns of the responses that the crawl captures.
    capture: tuple[str, ...] = ()

    @property
    def captured(self) -> list[CapturedResponse]:
        """The responses that the crawl captures."""
        return [one for one in self.responses if any(matches(one.url, it) for it in self.capture)]


class TrialBrowser(Browser):
    """A browser whose session tells every detail; its hooks see those that were ``asked`` for."""

    asked: Profile
    #: The response to the page, with every detail; None: none came yet.
    full: Response | None = None

    def request(
        self,
        page: Page,
        *,
        html: bool = False,
        max_links: int = LINKS_MAX,
        sending: Callable[[], None] = lambda: None,
    ) -> Response:
        """Return the response to ``page``, as :meth:`Browser.request` does."""
        self.full = None
        self.full = super().request(page, html=html, max_links=max_links, sending=sending)
        return self._as_asked(self.full)

    def settle(self, page: Page, response: Response, visit: Visit, **options: Any) -> Response:
        """Return the response after the visit, as :meth:`Browser.settle` does."""
        before = replace(response, **details_of(self.full)) if self.full else response
        self.full = super().settle(page, before, visit, **options)
        return self._as_asked(self.full)

    def record(self, *, picture: bool = False, bodies: bool = False) -> PageRecord:
        """Return what the page that is shown left; as far as it can be asked, with a ``picture`` of
        it, and with the ``bodies`` of what it loaded. Raises nothing.
        """
        record = PageRecord(self.full, capture=self.responses.patterns if self.responses else ())
        if not self.health.good or self.health.tab is not TabState.REQUESTED:
            return record
        with suppress(*UNASKABLE):
            standard = self.transport.ask(STANDARD)
            source = encodable(str(self.transport.ask(script("source.js"))["html"]))
            record.html = ("<!doctype html>\n" if standard else "") + source
        if self.asked.frames in ("inner", "part"):
            with suppress(*UNASKABLE):
                reader = FrameReader(self.driver, 0, admits=self.admits)
                reader.documents = record.frames
                reader.read()
        with suppress(*UNASKABLE):
            record.cookies = self.cookies
        if bodies or record.capture:
            with suppress(*UNASKABLE):
                record.responses = self.kept_responses(record.capture)
        if picture:
            with suppress(*UNASKABLE):
                record.png = screenshots.whole(self.driver)
        return record

    def loaded(self, pattern: str) -> list[CapturedResponse]:
        """Return the responses that the page loaded so far whose URLs match ``pattern``, with their
        bodies. Raises an error of ``UNASKABLE``.
        """
        return [one for one in self.kept_responses((pattern,)) if matches(one.url, pattern)]

    def kept_responses(self, also: tuple[str, ...]) -> tuple[CapturedResponse, ...]:
        """Return the responses that the page loaded so far, of those that are worth keeping, and of
        those whose URLs match a pattern of ``also``. Raises an error of ``UNASKABLE``.
        """
        kept = KeptResponses(self._network, self.transport)
        kept.also = also
        return tuple(kept.captured())

    def source(self) -> tuple[str, str]:
        """Return the source of the document at this moment, and its URL. Raises an error of
        ``UNASKABLE``.
        """
        return self._source()

    def _as_asked(self, response: Response) -> Response:
        """Return ``response`` without the details that its crawl does not ask for."""
        hidden: dict[str, Any] = {
            name: None
            for wish, names in DETAILS.items()
            if not getattr(self.asked, wish)
            for name in names
        }
        return replace(response, **hidden)


class KeptResponses(PageResponses):
    """The responses of a page that are worth keeping: JSON, style sheets, and those whose URLs
    match a pattern of ``also``.
    """

    also: tuple[str, ...] = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.patterns, self.body_limit, self.limit = ("*",), BODY_MAX, BODIES_MAX

    def _answered(self) -> Iterator[tuple[str, Exchange]]:
        for request, one in super()._answered():
            kind = one.mime or ""
            wanted = "json" in kind or kind == "text/css"
            if wanted or any(matches(one.url, pattern) for pattern in self.also):
                yield request, one


class TrialChrome(Chrome):
    """A Chrome whose browsers are of the kind above. ``browser`` is the one that was lent last."""

    browser_class = TrialBrowser
    browser: TrialBrowser | None = None

    @contextmanager
    def session(
        self, profile: Profile, on_wait: Callable[[], None] | None = None
    ) -> Iterator[Browser]:
        """Lend this thread's session, as :meth:`Chrome.session` does."""
        with super().session(self.widened(profile), on_wait) as browser:
            self.browser = cast("TrialBrowser", browser)
            self.browser.asked = profile
            yield browser

    def widened(self, profile: Profile) -> Profile:
        """Return ``profile`` with a wish for every detail."""
        return replace(profile, exchanges=True, console=True, timings=True, captures=True)

    @contextmanager
    def again(self) -> Iterator[TrialBrowser | None]:
        """Lend the last session once more, which still shows its page; None: it is gone. Afterwards
        it shows the page no longer.
        """
        last = self.browser
        if last is None or not last.health.good:
            yield None
            return
        with self.session(last.asked) as browser:
            yield last if browser is last else None

    def record(self, *, picture: bool = False, bodies: bool = False) -> PageRecord:
        """Return what the page left that the last session shows; see
        :meth:`TrialBrowser.record`.
        """
        if self.browser is None:
            return PageRecord()
        return self.browser.record(picture=picture, bodies=bodies)


def details_of(response: Response) -> dict[str, Any]:
    """Return the details of ``response`` by their names."""
    return {name: getattr(response, name) for names in DETAILS.values() for name in names}
