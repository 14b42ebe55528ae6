"""A Chrome that shows pages which were saved, and reaches no network.

The tab gets the saved document, as it was rendered, at its own address. Its scripts have run
already: a policy in its header keeps Chrome from running them again, while everything else is read
as with scripts (``noscript`` holds text, for one). Each request is held, and answered from the
saved page, or refused; a rule on the command line resolves no name at all.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ...definition.steps import Visit
from ...errors import BrowserUnavailable
from ...model import Page, Response
from ..artifacts.page_responses import CapturedResponse, PageResponses, matches
from ..browser import LINKS_MAX
from ..transport.base import NoLine
from ..transport.held_requests import HeldRequests
from .trial_chrome import DETAILS, TrialBrowser, TrialChrome

if TYPE_CHECKING:
    from ...output.saved_page import SavedPage
    from ...profile import Profile
    from ..pool import Session

#: Flag of a Chrome that finds no host.
NO_HOST = "--host-resolver-rules=MAP * ~NOTFOUND"
#: What a saved document may not do.
POLICY = "script-src 'none'; object-src 'none'"
#: Kinds of documents that are served as what they are; of another kind only its rendering is there.
DOCUMENTS = ("text/html", "application/xhtml+xml")
#: What only the network tells of a response, besides the details.
OF_NETWORK = ("status", "timing", "content_type")
#: Seconds for which a selector is waited for: whatever comes is there.
WAIT_TIMEOUT = 1.0


class SavedResponses(PageResponses):
    """The responses that a saved page loaded."""

    def __init__(self) -> None:
        self.patterns: tuple[str, ...] = ()
        self.body_limit = self.limit = 0
        self.saved: tuple[CapturedResponse, ...] = ()

    def begin(self) -> None:
        """Do nothing: they are what they are."""

    def captured(self, pattern: str | None = None) -> list[CapturedResponse]:
        """Return those whose URLs match one of ``patterns``, and ``pattern``, if one is given."""
        return [
            one
            for one in self.saved
            if any(matches(one.url, each) for each in self.patterns)
            and (pattern is None or matches(one.url, pattern))
        ]


class SavedBrowser(TrialBrowser):
    """A browser that shows one ``saved`` page after the other."""

    saved: SavedPage | None = None

    def kept_responses(self, also: tuple[str, ...]) -> tuple[CapturedResponse, ...]:  # noqa: ARG002
        """Return the responses that the saved page loaded."""
        return self.responses.saved if isinstance(self.responses, SavedResponses) else ()

    def show(self, saved: SavedPage) -> None:
        """Serve ``saved`` from now on."""
        if self.saved is None:
            self._requests = HeldRequests(self.driver, self._decide)
            self._requests.hold(["*"])
        self.saved = saved
        responses = self.responses = SavedResponses()
        responses.saved = tuple(
            CapturedResponse(one.url, one.method, one.status, one.headers, one.body, one.truncated)
            for one in saved.responses
        )

    def request(
        self,
        page: Page,
        *,
        html: bool = False,
        max_links: int = LINKS_MAX,
        sending: Callable[[], None] = lambda: None,  # noqa: ARG002 -- nothing is sent
    ) -> Response:
        """Show the saved page, if ``page`` is it, and return its response as it was.

        Raises:
            PageError: it is another page, or the saved one had no document.
        """
        if self.saved is None or page.url != self.saved.page.url:
            return super().request(page, html=html, max_links=max_links)
        shown = replace(page, url=self.saved.response.url, form=None, referer="")
        super().request(shown, html=html, max_links=max_links)
        return self._restored()

    def settle(self, page: Page, response: Response, visit: Visit, **options: Any) -> Response:
        """Wait for selectors, hardly, and read the page again. Steps were done before it was
        saved.
        """
        still = Visit(
            wait_for=visit.wait_for,
            wait_timeout=min(visit.wait_timeout, WAIT_TIMEOUT),
            frames=visit.frames,
        )
        super().settle(page, response, still, **options)
        return self._restored()

    def _restored(self) -> Response:
        """Return the response that is shown, with what only the network could tell as it was."""
        saved, shown = cast("SavedPage", self.saved), cast("Response", self.full)
        names = [*(name for names in DETAILS.values() for name in names), *OF_NETWORK]
        self.full = replace(shown, **{name: getattr(saved.response, name) for name in names})
        return self._as_asked(self.full)

    def _decide(self, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return how a request goes on: it is answered from the saved page, or refused."""
        url = str(params["request"]["url"])
        saved = self.saved
        if saved and params.get("resourceType") == "Document":
            if url == without_fragment(saved.response.url):
                return fulfilled(saved.html, saved.response.status, saved.response.content_type)
            for address, source in saved.frames.items():
                if url == without_fragment(address):
                    return fulfilled(source, 200, "text/html")
        for one in saved.responses if saved else ():
            kind = one.headers.get("content-type", "")
            if one.url == url and kind.startswith("text/css"):
                return fulfilled(one.body, one.status, kind)
        return "Fetch.failRequest", {"errorReason": "BlockedByClient"}


class SavedChrome(TrialChrome):
    """A Chrome that shows ``saved`` pages."""

    browser_class = SavedBrowser
    saved: SavedPage | None = None

    def widened(self, profile: Profile) -> Profile:
        """Return ``profile`` for a session that needs no network, and can be told what it gets."""
        wide = super().widened(profile)
        return replace(wide, line=True, flags=(*wide.flags, NO_HOST), interstitial_wait=0.0)

    def _ready(self, profile: Profile, on_wait: Callable[[], None] | None) -> Session:
        session = super()._ready(profile, on_wait)
        browser = cast("SavedBrowser", session.browser)
        if self.saved is not None and browser.saved is not self.saved:
            try:
                browser.show(self.saved)
            except NoLine as error:
                self._drop(session)
                raise BrowserUnavailable(
                    f"a saved page needs a Chrome that speaks its own protocol with us: {error};"
                    " unset CRAWLER_CHROME_URL"
                ) from error
        return session


def fulfilled(
    body: str | bytes, status: int | None, kind: str | None
) -> tuple[str, dict[str, Any]]:
    """Return the command that answers a request with ``body``."""
    kind = (kind or "text/html").partition(";")[0]
    if isinstance(body, str):
        body = body.encode("utf-8", "replace")
        kind = f"{kind if kind in DOCUMENTS else DOCUMENTS[0]}; charset=utf-8"
    headers = {
        "Content-Type": kind,
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": "*",
    }
    return "Fetch.fulfillRequest", {
        "responseCode": status or 200,
        "responseHeaders": [{"name": name, "value": value} for name, value in headers.items()],
        "body": base64.b64encode(body).decode(),
    }


def without_fragment(url: str) -> str:
    """Return ``url`` as it is requested."""
    return url.partition("#")[0]
