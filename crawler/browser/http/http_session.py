"""A session without a browser: it fetches pages by HTTP, and is what a run has in place of a
:class:`Browser`. It brings one for what only a tab can do, in the same run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...definition.steps import Visit
from ...errors import PageError
from ...model import Json, Link, Page, Response
from ...net.cookie_jar import CookieJar
from ...net.http_client import Exchange, HttpClient, HttpError, Way
from ...profile import Profile
from ...redaction import Secrets
from ...urls.joining import joined
from ...urls.url import Address, parse_url
from ..artifacts.cookies import LONG, MANY, OVERFULL_STATUSES
from ..artifacts.files import keep_bytes
from ..artifacts.response_details import HIDDEN, without_secrets
from ..artifacts.screenshots import keep_source
from ..navigation import CHALLENGES, INTERSTITIALS_MAX
from ..page import LivePage
from ..reasons import page_error
from ..transport.base import FOLLOW, Health, TabState
from .charsets import decoded
from .conditional_requests import ConditionalRequests
from .hard_documents import hard_reason
from .http_login import HttpLogin
from .http_visitor import HttpVisitor
from .kept_answers import KeptAnswers
from .parsed_document import ParsedDocument
from .parsed_page import ParsedPage, ParsedReaders

if TYPE_CHECKING:
    from ..browser import Browser, BrowserOptions
    from ..document import Thin
    from ..page import Tab

LINKS_MAX = 100_000
#: Types that are parsed, and types that are shown as plain text.
HTML_TYPES = frozenset(("text/html",))
TEXT_TYPES = frozenset((
    "text/plain", "application/json", "text/json", "text/css", "text/javascript",
    "application/javascript", "application/x-javascript", "application/ecmascript", "text/csv",
)) - {"text/csv"}  # fmt: skip
#: Types that a browser shows, and that are left to it.
_SHOWN = re.compile(r"(?:image|audio|video)/|(?:text|application)/(?:[\w.-]+\+)?xml$|multipart/")
_MARKUP = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|title|script|h1|p|div|a|table|br|b"
    rb"|style|font|iframe)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_FILENAME = re.compile(r"""filename\*?\s*=\s*(?:UTF-8'[^']*')?("?)([^";]+)\1""", re.IGNORECASE)


class HttpSession(ParsedReaders):
    """One session. ``login`` is what it holds of the crawl's log-in, ``health`` says whether it may
    serve another page.

    ``open_chrome`` of a run lends a browser, ``way`` is that of its connections. ``kept`` are the
    answers of earlier visits; None: none are kept.
    """

    def __init__(
        self,
        client: HttpClient,
        profile: Profile,
        options: BrowserOptions,
        kept: KeptAnswers | None = None,
    ) -> None:
        self.client, self.profile, self.options = client, profile, options
        self.jar, self.secrets = CookieJar(), Secrets(options.secrets.values())
        self.health, self.login = Health(), HttpLogin(self.jar, self.secrets)
        self.url_ahead = self.url_home = ""
        self.cookies_cleared = self.pages = 0
        self.thin: Thin | None = None
        self.visitor = HttpVisitor(profile, options.secrets, self.jar, self.secrets)
        self._conditional = ConditionalRequests(kept)
        self._begin_run(None, lambda: Way())

    # -- a run

    def _begin_run(self, open_chrome: Callable[[], Browser] | None, way: Callable[[], Way]) -> None:
        self._open_chrome, self._way = open_chrome, way
        self._chrome: Browser | None = None
        self._shown: LivePage | None = None  # the page, as Chrome shows it
        self._document: ParsedDocument | None = None
        self._page: Page | None = None
        self._exchange: Exchange | None = None
        self._refresh: tuple[float, str] | None = None
        self._given: list[Callable[[Browser], None]] = []  # what hooks gave for the page
        self.visitor.begin_page()
        self._conditional.begin(None)
        #: Why a browser was brought; "": none was.
        self.brought = ""

    def begin(self, open_chrome: Callable[[], Browser], way: Callable[[], Way]) -> None:
        """Begin the run of another page."""
        self._begin_run(open_chrome, way)

    def end(self) -> None:
        """End the run: what hooks gave for its page is gone, and what a browser was told is here,
        if one was brought. Raises WebDriverException.
        """
        self.visitor.end_page()
        chrome, self._chrome = self._chrome, None
        if chrome is not None and self.brought and chrome.health.good:
            self.jar.put_from_chrome(chrome.driver.cdp("Network.getAllCookies")["cookies"])
        self.url_ahead = self.url_home = ""
        self._begin_run(None, self._way)

    def for_page(self, *, chrome: bool) -> Any:
        """Return what fetches the page at hand: this session, or a browser."""
        return self._chrome_apart() if chrome else self

    def _chrome_apart(self) -> Browser:
        """Return a browser for a page that this session does not fetch."""
        if self._chrome is None:
            if self._open_chrome is None:
                raise RuntimeError("a session brings a browser within a run only")
            self._chrome = chrome = self._open_chrome()
            chrome.url_ahead, chrome.url_home = self.url_ahead, self.url_home
            agent = chrome.transport.ask("return navigator.userAgent")
            if isinstance(agent, str) and not self.profile.user_agent:
                self.visitor.user_agent = agent
        return self._chrome

    def beside(self) -> Browser:
        """Return a browser for the page at hand that is another visitor of the site: it has the
        log-in and what hooks gave for the page, and no cookie of this session.
        """
        chrome = self._chrome_apart()
        if chrome.login.version != self.login.version and self.login.version:
            chrome.login.load(self.login.state, self.login.version)
        while self._given:
            self._given.pop(0)(chrome)
        return chrome

    def note_visited(self, *, before: bool) -> None:
        """Note whether the crawl visited the page at hand before: it is asked for only if it has
        changed then.
        """
        self._conditional.begin(before)

    @property
    def unkept(self) -> str:
        """Why the answer is not kept for the next visit although it should be; "": all is well."""
        return self._conditional.unkept

    @property
    def shape(self) -> str:
        """The shape of the page's scripts; "": it has none."""
        return self._document.shape if self._document else ""

    def bring(self, reason: str) -> Tab:
        """Return the page at hand as a browser shows it, which is brought for this ``reason``; the
        browser itself before a page was requested.

        Raises:
            BrowserUnavailable: there is none. What ``Browser.request`` raises, if it does not get
                the page.
        """
        first, self.brought = not self.brought, self.brought or reason
        chrome = self._chrome_apart()
        if first:
            self._hand_over(chrome)
        if self._page is None:
            return chrome
        if self._shown is None:
            page = self._page
            response = chrome.request(page, html=True)
            self._shown, self._document = chrome.live(page, response), None
            self.thin = chrome.thin
        return self._shown

    def _hand_over(self, chrome: Browser) -> None:
        """Give ``chrome`` the log-in, the cookies, and what hooks gave for the page."""
        if chrome.login.version != self.login.version and self.login.version:
            chrome.login.load(self.login.state, self.login.version)
        self.secrets.add(*chrome.driver.secrets)
        chrome.driver.secrets.add(*self.secrets)
        chrome.put_cookies([one.for_chrome() for one in self.jar])
        for give in self._given:
            give(chrome)

    # -- fetching

    @property
    def responses(self) -> None:
        """Nothing is captured: pages of which something is are a browser's."""
        return None

    @property
    def url_requested(self) -> str:
        """The URL of the page that was requested last; "" before the first."""
        return self.health.url

    @property
    def url(self) -> str:
        """The URL of the page that is shown."""
        if self._document is not None:
            return self._document.url
        return self._chrome.url if self._chrome else "about:blank"

    @property
    def cookies(self) -> list[dict[str, Json]]:
        """The cookies of the page that came."""
        if self._shown is not None:
            return self._shown.cookies
        url = self._document.url if self._document else self.url_ahead
        return [one.for_chrome() for one in self.jar.sent_to(parse_url(url))] if url else []

    def document(self) -> ParsedDocument | None:
        """Return the parsed document; None: a browser shows the page, or there is none."""
        return self._document

    def request(
        self,
        page: Page,
        *,
        html: bool = False,
        max_links: int = LINKS_MAX,
        sending: Callable[[], None] = lambda: None,
    ) -> Response:
        """Go to ``page``; return its response: as :meth:`Browser.request` does. What HTTP cannot
        show, such as a picture, a browser does.
        """
        if self.brought or page.form is not None:
            if not self.brought:
                self.bring("form")
            chrome = self._chrome_apart()
            response = chrome.request(page, html=html, max_links=max_links, sending=sending)
            self._page, self._shown = page, chrome.live(page, response)
            self._document, self.thin = None, chrome.thin
            self.health.request(page.url)
            self.health.show(TabState.REQUESTED)
            return response
        self._page, self._shown, self._document = page, None, None
        self.visitor.referer = page.referer
        self.health.request(page.url)
        self.pages += 1
        began = time.perf_counter()
        response, document = self._arrived(page, html, max_links)
        for _ in range(INTERSTITIALS_MAX):
            if (target := self._leads_to(document)) is None:
                break
            seconds, url = target
            time.sleep(seconds)
            before, self.visitor.referer = response, response.url
            shown = self._document, self.thin, self._exchange
            try:
                response, document = self._arrived(replace(page, url=url), html, max_links)
            except PageError as error:
                if error.reason not in ("download", "no_content"):
                    raise
                self._document, self.thin, self._exchange = shown  # the page stays
                break
            if seconds > FOLLOW:
                here = response.url.partition("#")[0]
                rest = (
                    link
                    for link in before.links
                    if link.rel != "refresh" and link.url.partition("#")[0] != here
                )
                links = tuple(dict.fromkeys((*response.links, *rest)))
                response = replace(response, links=links)
        else:
            if self._leads_to(document) is not None:
                raise PageError(page.url, "refresh_loop", response.status, retryable=False)
        self.health.show(TabState.REQUESTED)
        total = (time.perf_counter() - began) * 1_000
        return replace(response, timing={**response.timing, "total": total})

    def _leads_to(self, document: ParsedDocument | None) -> tuple[float, str] | None:
        """Return after how many seconds the document leads elsewhere, and where; None: it stays, as
        one does that holds something.
        """
        if document is None or self._refresh is None:
            return None
        seconds, url = self._refresh
        if url.partition("#")[0] == document.url.partition("#")[0]:
            return None
        status = self._exchange.status if self._exchange else 200
        stays = self.thin is None or (status >= 400 and status not in CHALLENGES)
        return None if stays and seconds > FOLLOW else self._refresh

    def _arrived(
        self, page: Page, html: bool, max_links: int
    ) -> tuple[Response, ParsedDocument | None]:
        """Return the response to ``page`` and its document; None: a browser, or a file, has it."""
        exchange = self._exchange = self._fetched(page)
        url = exchange.url
        status, kind = exchange.status, _essence(exchange.header("content-type"))
        self.thin = self._refresh = None
        if status == 401 and self.visitor.knows_more_than_basic(exchange):
            return self._by_chrome(page, "a password other than Basic", html, max_links), None
        if status == 407:
            raise PageError(page.url, "bad_response", status)
        if status in (204, 205):
            raise PageError(page.url, "no_content", status)
        if not exchange.body and status >= 400:
            raise page_error(page.url, None, status)
        disposition = (exchange.header("content-disposition") or "").strip().lower()
        if not kind:
            kind = "text/html" if _MARKUP.match(exchange.body) else ""
        if disposition.startswith("attachment") and 200 <= status < 300:
            return self._download(page, exchange), None
        if kind not in HTML_TYPES and kind not in TEXT_TYPES:
            if not kind or kind == "application/xhtml+xml" or _SHOWN.match(kind):
                return self._by_chrome(page, f"type {kind or 'unknown'}", html, max_links), None
            if not 200 <= status < 300:
                raise page_error(page.url, None, status)
            return self._download(page, exchange), None
        if not exchange.whole:
            return self._by_chrome(page, "a large document", html, max_links), None
        text, encoding = decoded(exchange.body, exchange.header("content-type"))
        if not encoding:
            return self._by_chrome(page, "no charset", html, max_links), None
        if kind in TEXT_TYPES:
            text = f"<html><head></head><body><pre>{_escaped(text)}</pre></body></html>"
        if hard := hard_reason(text):
            return self._by_chrome(page, hard, html, max_links), None
        document = ParsedDocument(text, url, encoding)
        if own := document.differs:
            return self._by_chrome(page, own, html, max_links), None
        self._document = document
        self._conditional.keep(exchange)
        return self._response(exchange, document, kind, html, max_links), document

    def _response(
        self, exchange: Exchange, document: ParsedDocument, kind: str, html: bool, max_links: int
    ) -> Response:
        profile, patience = self.profile, self.profile.interstitial_wait
        frames = profile.frames in ("links", "inner")
        links = document.links(max_links, fragments=profile.keep_fragment, frames=frames)
        refresh = self._refresh = document.refresh(exchange.header("refresh"), patience)
        self.thin = document.thin(len(links) if max_links else THIN_ENOUGH, refresh)
        if refresh and max_links:
            target = refresh[1] if profile.keep_fragment else refresh[1].partition("#")[0]
            if target.partition("#")[0] != document.url.partition("#")[0]:
                links = tuple(dict.fromkeys((*links, Link(target, "refresh"))))
        headers = without_secrets(_joined_headers(exchange.headers), profile.headers_shown)
        return Response(
            document.url,
            exchange.status,
            status_text=exchange.status_text or None,
            headers=headers,
            content_type=kind,
            html=document.html if html else None,
            title=document.title,
            redirects=exchange.redirects,
            timing={"response": exchange.first_byte * 1_000},
            links=links,
            request_headers=without_secrets(exchange.sent),
            fetch="http",
            not_modified=self._conditional.not_modified,
        )

    def _fetched(self, page: Page) -> Exchange:
        """Return the answer to ``page``, its URL as browsers write it. Raises PageError."""
        exchange = self._once(page)
        if exchange.status == 401 and self.visitor.answers(exchange):
            exchange = self._once(page)
        if exchange.status in OVERFULL_STATUSES and self._clear_cookies(exchange.url):
            exchange = self._once(page)
        exchange.url = joined(exchange.url, exchange.url) or exchange.url
        return exchange

    def _once(self, page: Page) -> Exchange:
        timeout = self.options.page_load_timeout
        try:
            ask = partial(self.client.get, page.url, self._headers, self.jar, timeout=timeout)
            return self._conditional.settled(ask(self._way())) or ask(self._way())
        except HttpError as error:
            if self.health.fault:
                raise self.health.lost(self.health.fault) from error
            raise PageError(
                page.url, error.reason, error.status, retryable=error.retryable
            ) from error

    def _headers(self, to: Address) -> dict[str, str]:
        """Return the headers of a request to ``to``, but for its cookies."""
        headers = self.visitor.headers_for(to)
        return self._conditional.added_to(headers, to.url, self.jar.header(to))

    def _clear_cookies(self, url: str) -> bool:
        """Clear the cookies that are sent to ``url`` if they are many, but those of the log-in."""
        sent = self.jar.sent_to(parse_url(url))
        length = sum(len(one.name) + len(one.value) for one in sent)
        excess = [one for one in sent if not self.login.has_cookie(one.for_chrome())]
        if not excess or (len(sent) < MANY and length < LONG):
            return False
        for one in excess:
            self.jar.drop(one.key)
        self.cookies_cleared += 1
        return True

    def _by_chrome(self, page: Page, reason: str, html: bool, max_links: int) -> Response:
        """Return the response to ``page`` by a browser, which is brought for this ``reason``."""
        self._page = None
        self.bring(reason)
        return self.request(page, html=html, max_links=max_links)

    def _download(self, page: Page, exchange: Exchange) -> Response:
        """Return the response that is a file. Raises PageError: none is to be kept."""
        folder = self.options.files
        if not self.profile.downloads or folder is None:
            raise PageError(page.url, "download", exchange.status)
        if not exchange.whole or len(exchange.body) > self.profile.download_limit:
            return self._by_chrome(page, "a large file", False, 0)
        found = _FILENAME.search(exchange.header("content-disposition") or "")
        own = urlsplit(exchange.url).path.rpartition("/")[2] or "download"
        file = keep_bytes(folder, page, found[2].strip() if found else own, exchange.body)
        self._document = ParsedDocument("", exchange.url)
        return Response(
            page.url, files=(file,), timing={"response": exchange.first_byte * 1_000}, fetch="http"
        )

    def settle(
        self,
        page: Page,
        response: Response,
        visit: Visit,
        *,
        html: bool = False,
        max_links: int = LINKS_MAX,
        admits: Callable[[str], bool] = lambda url: True,  # noqa: ARG005
    ) -> Response:
        """Do on ``page`` what ``visit`` asks for: in a browser, which is brought."""
        if not visit and self._document is not None and self._exchange is not None:
            again = (self._exchange, self._document, response.content_type or "", html, max_links)
            return replace(self._response(*again), timing=response.timing)
        shown, chrome = self.bring("a wait or a step"), self._chrome_apart()
        before = shown.response if isinstance(shown, LivePage) else response
        settled = chrome.settle(page, before, visit, html=html, max_links=max_links, admits=admits)
        self._shown, self.thin = chrome.live(page, settled), chrome.thin
        return settled

    def live(self, page: Page, response: Response) -> LivePage:
        """Return the page that came, for hooks."""
        if self._shown is not None:
            return self._chrome_apart().live(page, response)
        return ParsedPage(page, response, self.document, self.bring, lambda: self.cookies)

    def open(self, url: str) -> LivePage:
        """Go to ``url`` in a browser, and return the page that came."""
        self._page = None
        self.bring("open")
        return self._chrome_apart().open(url)

    def document_at(self, url: str) -> tuple[int | None, str] | None:
        """Return the status and the text of the document at ``url``, None if none came."""
        try:
            exchange = self._fetched(Page(url))
        except PageError as error:
            return (error.status, "") if error.status and error.status >= 400 else None
        text, _ = decoded(exchange.body, exchange.header("content-type") or "charset=utf-8")
        return exchange.status, "" if exchange.status >= 400 else text

    def header(self, name: str) -> str | None:
        """Return a header of the page that came; None: it has none."""
        return self._exchange.header(name.lower()) if self._exchange else None

    def keep_delay(self, seconds: float) -> None:
        """Let so long pass between two requests of a browser to a host."""
        if self._chrome is not None:
            self._chrome.keep_delay(seconds)

    def keep_html(self, page: Page, response: Response) -> Response:
        """Write the HTML of ``response`` to a file of ``page``; return the response with that."""
        return keep_source(self.options.files, page, response)

    def with_cookies(self, response: Response, shown: Collection[str]) -> Response:
        """Return ``response`` with the cookies of its page; *** where they are not ``shown``."""
        values = {str(one["name"]): str(one["value"]) for one in self.cookies}
        told = {name: value if name in shown else HIDDEN for name, value in values.items()}
        return replace(response, cookies=told)

    def look_again(self, *_: Any, **__: Any) -> None:
        """Return None: no script is at work that could bring anything."""
        return

    # -- what hooks give

    def headers(
        self, headers: Mapping[str, str], *, keep: bool = False, to: str | Sequence[str] = "host"
    ) -> None:
        """Send ``headers`` with the page that is about to come; see :meth:`Browser.headers`."""
        here = partial(self._target, self.url_ahead or self.url_home)
        self.visitor.give_headers(headers, here, keep=keep, to=to)
        self._give(lambda chrome: chrome.headers(headers, keep=keep, to=to))

    def cookie(
        self, name: str, value: str, url: str | None = None, *, keep: bool = False, **options: Any
    ) -> None:
        """Set a cookie for the page that is about to come, or for ``url``; see
        :meth:`Browser.cookie`.
        """
        keep = keep or not self.url_ahead
        self.visitor.give_cookie(name, value, self._target(url), keep=keep, **options)
        self._give(lambda chrome: chrome.cookie(name, value, url, keep=keep, **options))

    def basic_auth(
        self, user: str, password: str, url: str | None = None, *, keep: bool = False
    ) -> None:
        """Tell the host of the page that is about to come, or of ``url``, this user and password;
        see :meth:`Browser.basic_auth`.
        """
        self.visitor.give_credentials(user, password, self._target(url), keep=keep)
        self._give(lambda chrome: chrome.basic_auth(user, password, url, keep=keep))

    def _give(self, give: Callable[[Browser], None]) -> None:
        """Give a browser what a hook gave this session: now, or when one is brought."""
        if self.brought:
            give(self._chrome_apart())
        else:
            self._given.append(give)

    def _target(self, url: str | None) -> str:
        target = url or self.url_ahead or self.url_requested
        if not target.startswith(("http://", "https://")):
            raise ValueError(f"{target!r} is no URL of a page; say for which one")
        return target

    # -- its end

    def abandon(self) -> None:
        """End what this session does, from another thread."""
        self.health.distrust("abandoned")
        self.client.cut()
        if self._chrome is not None:
            self._chrome.abandon()

    def close(self) -> None:
        """Close what this session keeps open."""
        self.client.close()
        self._conditional.close()

    def parsed_source(self) -> tuple[str, str] | None:
        """Return URL and source of the document that came; None: there is none."""
        if self._shown is not None:
            return self._shown.url, self._shown.html
        return (self._document.url, self._document.html) if self._document else ("about:blank", "")

    def rest(self) -> None:
        """Leave the page."""
        self._document = None


#: A number of links with which no document is thin.
THIN_ENOUGH = 4


def _essence(content_type: str | None) -> str:
    return (content_type or "").partition(",")[0].partition(";")[0].strip().lower()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _joined_headers(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name, the values of one name a line each, as Chrome tells them."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}\n{value}" if key in headers else value
    return headers
