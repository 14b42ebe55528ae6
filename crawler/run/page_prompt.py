"""A page at a prompt: what code that somebody types sees of it, and how it goes to another one.

Pages are loaded as a crawl loads them (its log-in, headers, waits, steps, and all that keeps it
out of private networks). A page that a crawl would give up as it is (an error, one out of its
scope) is shown all the same, with a line that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

from ..definition.bounds import entry_pages, scope_of
from ..definition.browser_profile import profile_of
from ..definition.routes import arrived, routed, view_of
from ..definition.selectors.rules import table_faults
from ..definition.selectors.tables import extract_fields
from ..definition.submission import may_submit
from ..errors import PageError
from ..model import Link, Page, Response
from ..redaction import masked
from .context import Hooks
from .dry_run import NoFrontier
from .outcome import HookError
from .request import accept

if TYPE_CHECKING:
    from ..browser.artifacts.page_responses import CapturedResponse
    from ..browser.page import LivePage
    from ..browser.trial.trial_chrome import TrialBrowser, TrialChrome
    from ..definition.crawl import Crawl
    from ..frontier.frontier import Frontier
    from ..net.permits import Permits
    from ..output.saved_page import SavedPage

#: Reasons of failures after which nobody may look at the page.
FORBIDDEN = ("private_address", "redirect_private", "robots", "robots_unavailable")


class PagePrompt:
    """The page that ``browser`` shows, for code at a prompt. ``names`` are what that code can name;
    they change when it follows a link. ``note`` takes lines for whoever types.
    """

    def __init__(
        self,
        crawl: Crawl,
        browser: TrialBrowser,
        permits: Permits,
        note: Callable[[str], None],
        saved: SavedPage | None = None,
    ) -> None:
        self._crawl, self._browser, self._permits, self._note = crawl, browser, permits, note
        self._saved = saved
        self.page: LivePage | None = None
        #: The URL of the page that was asked for last; "": none was.
        self.url = ""
        self.names: dict[str, Any] = {
            "crawl": crawl,
            "css": self.css,
            "xpath": self.xpath,
            "responses": self.responses,
            "follow": self.follow,
        }

    def log_in(self, page: Page) -> None:
        """Call the hook ``before_all``, or do the log-in that the crawl declares. An error of the
        hook passes through.
        """
        hooks = Hooks(self._crawl, cast("Frontier", NoFrontier(self._crawl.name, page, first=True)))
        if "before_all" not in hooks:
            return
        self._browser.url_home = page.url
        self._browser.login.begin()
        self._call(hooks, "before_all", page, follow=lambda *_, **__: None)
        self._browser.login.keep()

    def go(self, page: Page) -> None:
        """Load ``page``, and name it.

        Raises:
            PageError: there is no document, or none that anybody may see. An error of the hook
                ``before`` passes through.
        """
        crawl, browser, permits = self._crawl, self._browser, self._permits
        page = routed(crawl, page)
        self.url = page.url
        frontier = cast("Frontier", NoFrontier(crawl.name, page, first=False))
        hooks = Hooks(crawl, frontier).of(page)
        self._name(None, Response(page.url))
        permits.check(page.url, page.lane, browser.document_at)
        browser.url_ahead = page.url
        if "before" in hooks and self._saved is None:
            self._call(hooks, "before", page, page=page)
        views = [view_of(crawl, page)]

        def arrive(response: Response) -> Crawl:
            views.append(view_of(crawl, arrived(crawl, page, response.url)))
            return views[-1]

        try:
            response = accept(views[0], page, browser, permits, arrive=arrive)
        except PageError as error:
            response = self._shown_anyway(error)
            self._note(f"a crawl gives this page up: {masked(str(error))}")
        self._name(browser.live(page, response), response)

    def follow(self, target: Any) -> None:
        """Go to another page: a URL (perhaps relative to this page), a link, or an element with an
        ``href``. What the names stand for is of that page then.
        """
        url = target
        if isinstance(target, Link | Page):
            url = target.url
        elif hasattr(target, "attrib"):
            url = target.attrib.get("href")
        if not isinstance(url, str) or not url:
            raise TypeError(f"{target!r} is no URL, no link, and no element with an href")
        if self._saved is not None:
            raise LookupError("this page was saved: without a network it leads nowhere")
        base = self._browser.url if self.page else self.url
        page = scope_of(self._crawl).entry(urljoin(base, url))
        self.go(page)

    def css(self, selector: str) -> list[Any]:
        """Return all that a selector gives, as a table of selectors reads it: texts of elements;
        ``::attr(href)``, ``::text``, ``re:`` and the other kinds work, too.
        """
        if faults := table_faults([selector]):
            raise ValueError(str(faults[0].what))
        html, url = self._browser.source()
        found: list[Any] = extract_fields(Response(url, html=html), [selector])[0]
        return found

    def xpath(self, path: str) -> list[Any]:
        """Return the texts that an XPath gives."""
        return self.css(f"xpath:{path}")

    def responses(self, pattern: str = "*") -> list[CapturedResponse]:
        """Return the responses that the page loaded so far, with their bodies: those whose URLs
        match ``pattern``, in which * stands for anything.
        """
        return self._browser.loaded(pattern)

    def _call(self, hooks: Hooks, step: str, at: Page, **arguments: Any) -> None:
        try:
            hooks.call(step, at, browser=self._browser, **arguments)
        except HookError as error:
            raise error.cause from None

    def _shown_anyway(self, error: PageError) -> Response:
        """Return the response of a page that failed by ``error``, if its document may be seen; else
        raise it.
        """
        full = self._browser.full
        if error.reason in FORBIDDEN:
            self._browser.rest()
            raise error
        if full is None:
            raise error
        return full

    def _name(self, page: LivePage | None, response: Response) -> None:
        self.page = page
        self.names |= {"page": page, "response": response, "links": list(response.links)}


@contextmanager
def prompt_at(
    crawl: Crawl,
    chrome: TrialChrome,
    permits: Permits,
    note: Callable[[str], None],
    url: str | None = None,
    saved: SavedPage | None = None,
) -> Iterator[PagePrompt]:
    """Load the entry of ``crawl``, or ``url``, or the page of ``chrome`` that was ``saved``, and
    give the prompt on it. Raises as :meth:`PagePrompt.go` does.
    """
    flags = permits.flags(local=chrome.local, fresh=True, submits=may_submit(crawl))
    page = entry_pages(crawl)[0] if url is None else scope_of(crawl).entry(url)
    with chrome.session(profile_of(crawl, flags)) as browser:
        prompt = PagePrompt(crawl, cast("TrialBrowser", browser), permits, note, saved)
        if saved is None:
            prompt.log_in(page)
        prompt.go(page)
        yield prompt
