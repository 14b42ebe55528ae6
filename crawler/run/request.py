"""The step ``request``: go to a page, check its response, do the crawl's waits and steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

from ..browser.reasons import PATIENCE_STATUSES
from ..definition.bounds import scope_of
from ..definition.browser_profile import visit_of
from ..definition.extraction import conditions_of, needs_html
from ..definition.referers import referer_of
from ..definition.steps import Visit
from ..errors import PageError, Skip
from ..model import Link, Page, Response
from ..observe.logs import logger
from ..redaction import masked
from .moved import advice

if TYPE_CHECKING:
    from ..browser.browser import Browser
    from ..definition.crawl import Crawl
    from ..net.permits import Permits
    from ..net.robots_files import Browse

log = logger(__name__)

YEAR = 31_536_000.0
#: HTTP statuses of faults that may pass (RFC 9110; 522 and 524: a CDN cannot reach the origin).
RETRY_STATUSES = frozenset({408, 500, 502, 503, 504, 522, 524})

#: Raises LoggedOut if a response is not that of a user who is logged in.
LoginCheck = Callable[[Response], None]
#: Returns the crawl as a page sees it by the URL at which it has arrived.
Arrive = Callable[[Response], "Crawl"]


def accept(
    crawl: Crawl,
    page: Page,
    browser: Browser,
    permits: Permits,
    check_login: LoginCheck | None = None,
    arrive: Arrive | None = None,
    sending: Callable[[], None] = lambda: None,
) -> Response:
    """Return the response to ``page``, after the crawl's waits and steps. ``sending`` is called
    right before a form is sent.

    ``check_login`` sees the response before all other checks; its LoggedOut passes through. Those
    waits and steps count that the crawl has by ``arrive``.

    Raises:
        PageError: there is no document, its status is no success, a redirect or a step led out of
            the crawl's scope, or an element that is waited for did not appear.
        BrowserLost: the session died or hangs.
    """
    visit, html = visit_of(crawl), needs_html(crawl)
    if crawl.referer:
        page = replace(page, referer=referer_of(crawl, page))
    _capture(crawl, browser)
    try:
        if visit and check_login is None:  # the visit may change the page, so it is read afterwards
            response = browser.request(page, max_links=0, sending=sending)
        else:
            response = browser.request(page, html=html, sending=sending)
    except PageError as error:
        if check_login and error.status:  # an answer without a document
            check_login(Response(page.url, error.status))
        raise permits.explain(error) from error
    if check_login:
        check_login(response)
    # a form is not sent again, so its document must stay
    browse = browser.document_at if page.form is None else None
    if admit(response, crawl, page, browser, permits, browse):
        response = browser.request(page, html=html)  # the tab went to a robots.txt meanwhile
    if arrive and (view := arrive(response)) is not crawl:
        crawl, visit, html = view, visit_of(view) or Visit(), needs_html(view)
        _capture(crawl, browser)
    if visit is not None:
        admits = partial(_is_part, crawl, page, response)
        response = browser.settle(page, response, visit, html=html, admits=admits)
        admit(response, crawl, page, browser, permits)  # a step may have led elsewhere
    if crawl.keep_cookies:
        response = browser.with_cookies(response, crawl.keep_cookies)
    return browser.keep_html(page, response) if crawl.keep_html else response


def decide(
    crawl: Crawl,
    browser: Browser,
    url: str,
    status: int | None,
    *,
    document: bool = True,
    loaded: bool = True,
) -> None:
    """Raise the decision (Blocked, Retry, Skip) that the crawl declares about a page at ``url``: of
    the first of its conditions that holds. ``document``: the tab shows the page's; ``loaded``: it
    is the page itself, and no error. A page that did not come is not skipped for its URL alone.

    Raises:
        PageError: Chrome cannot read a selector of theirs.
    """
    conditions = conditions_of(crawl)
    asking = [condition for condition in conditions if condition.asks_document and document]
    matching: list[str] = []
    text = ""
    if asking:
        selectors = [css for condition in asking for css in condition.selectors]
        try:
            wants_text = any(condition.text for condition in asking)
            matching, text = browser.matching(selectors, text=wants_text)
        except ValueError as error:
            raise PageError(url, "bad_selector", status, advice=str(error)) from error
    for condition in conditions:
        if condition.decision is Skip and condition.asks_url_only and not loaded:
            continue
        known = document or not condition.asks_document
        if known and condition.holds(url, status, matching, text):
            raise condition.decide()


def _capture(crawl: Crawl, browser: Browser) -> None:
    """Have ``browser`` capture the responses that the page's crawl asks for."""
    if (responses := browser.responses) is not None:
        responses.patterns, responses.limit = crawl.capture, crawl.capture_limit
        responses.body_limit = crawl.capture_body_limit


def _is_part(crawl: Crawl, page: Page, response: Response, url: str) -> bool:
    """Whether a document at ``url``, in a frame of ``page``, belongs to the crawl."""
    return url == response.url or scope_of(crawl).judge(Link(url), page) is None


def admit(
    response: Response,
    crawl: Crawl,
    page: Page,
    browser: Browser,
    permits: Permits,
    browse: Browse | None = None,
) -> bool:
    """Raise PageError unless the crawl accepts ``response``, by its status and its URL.

    Return whether ``browse`` was used, as :meth:`Permits.check` does.
    """
    status = response.status
    if status is not None and status >= 400 and status not in crawl.accept_status:
        wait = None
        if status in PATIENCE_STATUSES and page.form is None:
            wait = retry_after(browser.header("Retry-After"))
        # the same reason as for a response without a document
        reason = "auth_required" if status == 401 else f"http_{status}"
        raise PageError(page.url, reason, status, status in RETRY_STATUSES, wait)
    refusal = scope_of(crawl).refuses(response.url, page)
    if refusal:
        raise _moved(crawl, page, response, f"redirect_{refusal}", refusal)
    if response.url == page.url:
        return False
    try:
        return permits.check(response.url, page.lane, browse)
    except PageError as error:
        if page.depth or error.reason not in ("private_address", "robots"):
            raise
        raise _moved(crawl, page, response, error.reason, error.reason) from error


def _moved(crawl: Crawl, page: Page, response: Response, reason: str, refusal: str) -> PageError:
    """Return the error for a page that led out of bounds; for one of the definition itself, with
    an advice, which is logged, too.
    """
    hint = "" if page.depth else advice(crawl, page, response.url, refusal)
    error = PageError(page.url, reason, response.status, advice=hint)
    if hint:
        log.warning("%s: %s", crawl.name, masked(str(error)))
    return error


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for: a number, or a date (RFC 9110, 10.2.3).

    None: there is no such header, or it is garbage.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), YEAR)  # "9" a few hundred times is infinite otherwise
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
