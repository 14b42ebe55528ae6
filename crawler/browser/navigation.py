"""Go to a page, and find out what document came.

That a navigation ends without an error tells nothing: after a 204, a download or a redirect to
``mailto:`` WebDriver returns, and the document is still the previous page, with its links and its
status; after an unsafe port or a redirect loop it returns, and the document is Chrome's error page.
So each navigation is followed by one question to the document that is there.

Only if that leaves a doubt, and where Chrome's error page does not name its cause (a headless
shell's is empty), the page is asked for a second time, by ``Page.navigate``, which gives the cause
but obeys no page-load time-out.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urljoin

from ..errors import BrowserLost, PageError
from .document import PAUSE, Document, DocumentReader, ReadOptions
from .reasons import PATIENCE_STATUSES, page_error
from .transport.base import (
    FOLLOW,
    Arrival,
    DialogOpen,
    NoDocument,
    PageMoved,
    ScriptTimeout,
    TabState,
    Transport,
    TransportError,
    first_line,
)

#: Seconds that a renderer has to say what it got, after the page-load time-out. One that is stuck
#: in a loop never does.
GRACE = 10.0
#: Times that a document is read again that should be complete and is not. Documents that have taken
#: its place do not count.
REREADS = 3
#: Documents that may take each other's place, as they load, until a page counts as one that never
#: settles.
MOVES = 10
#: Pages with hardly anything that may lead to each other, one after the other, until that counts
#: as a circle.
INTERSTITIALS_MAX = 5
#: Statuses of errors that are perhaps none: a page that asks for patience, and leads on.
CHALLENGES = frozenset({403, 429, 503})
#: The value of a refresh, as HTML reads it: ``2;URL='x'``, ``5, url=x``, ``3``.
REFRESH = re.compile(
    r"\s*(\d+|(?=\.))[\d.]*(?:\s*[;,\s]\s*(?:url\s*=\s*)?(.*))?", re.IGNORECASE | re.DOTALL
)
#: Seconds between two looks at a page that may lead on, and seconds for which one that has
#: declared it may be late.
LOOK_PAUSE, LATE = 0.1, 1.0


class Navigation:
    """Takes the tab of one session from page to page.

    ``page_load_timeout`` is in seconds. ``start`` is the time, by perf_counter, of the navigation
    to the page that is shown. ``header`` asks the server of that page for one of its headers.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        page_load_timeout: float,
        load_strategy: str,
        header: Callable[[str], str | None] = lambda name: None,  # noqa: ARG005
    ) -> None:
        self._transport, self._health, self._header = transport, transport.health, header
        self.page_load_timeout = page_load_timeout
        # the states of a document that has loaded
        self._ready = ("complete",) if load_strategy == "normal" else ("interactive", "complete")
        self.reader = DocumentReader(transport)
        self.start = 0.0
        #: What led to the next page, as its request says; "": nothing.
        self.referer = ""
        self._url, self._options = "", ReadOptions(0)
        self._restless = False  # whether the page that is shown goes on to others by itself
        self._late = 0  # page-load time-outs in a row
        self._named = False  # whether the window has a name

    @property
    def pages(self) -> int:
        """The number of navigations of this session."""
        return self.reader.number

    def to(self, url: str, options: ReadOptions, is_download: Callable[[], bool]) -> Document:
        """Go to ``url``, and return the document that came; it is of the web.

        ``is_download`` says, where no document came, whether a download begins.

        Raises:
            PageError: no document came.
            BrowserLost: the session died or hangs.
        """
        self._prepare(url, options)
        document = self._go()
        if self._is_previous(document):
            self.leave()
            document = self._go()
        if document.stale and is_download():
            raise PageError(url, "download")
        if document.by_worker:
            self._bypass_workers()
            document = self._go()
        # the page led on to where no page can be
        leads_on = document.is_error_page and not document.stale
        if leads_on and not self._transport.address().startswith("http"):
            raise PageError(url, "unsupported_scheme")
        if document.stale or document.is_unexplained:
            document = self._ask_again(url)
        if document.is_unexplained:  # the page came, and led on to an address that gives none
            document = self._ask_again(self._transport.address())
        return self._checked(url, document)

    def submit(
        self,
        url: str,
        pairs: Sequence[tuple[str, str]],
        options: ReadOptions,
        is_download: Callable[[], bool],
        sending: Callable[[], None],
    ) -> Document:
        """Submit a form with ``pairs`` of names and values to ``url``, once, and return the
        document that came. ``sending`` is called right before: if it raises, nothing is sent.

        Raises:
            PageError, BrowserLost: as from :meth:`to`; the form may have been sent.
        """
        self._prepare(url, options)

        def begin() -> None:
            sending()
            self.start = time.perf_counter()  # documents are older that were there before

        self.reader.begin()
        try:
            arrival = self._transport.submit(url, pairs, self.page_load_timeout, begin)
        except DialogOpen as error:
            raise PageError(url, "dialogs") from error
        except NoDocument as error:
            if error.error:
                raise page_error(url, error.error) from error
            raise PageError(url, "no_form_document", retryable=True) from error
        except TransportError as error:
            self._health.distrust(first_line(error))
            raise PageError(url, "unknown", retryable=True) from error
        if arrival.new is False and not arrival.late and (arrival.download or is_download()):
            raise PageError(url, "download")
        document = self._arrived(arrival)
        if document.stale:
            raise PageError(url, "no_content")
        return self._checked(url, document)

    def _prepare(self, url: str, options: ReadOptions) -> None:
        """Make the tab ready to go to ``url``. Raises PageError: its scheme is not of the web."""
        self._health.request(url)
        if not url[:8].lower().startswith(("http://", "https://")):
            raise PageError(url, "unsupported_scheme")
        self._url, self._options = url, options
        if self._named:
            self._unname()
        if self._restless:
            self.leave()

    def _checked(self, url: str, document: Document) -> Document:
        """Return the ``document`` that came for ``url``, or the one that it led on to, if it had
        hardly anything on it. Raises PageError: it is no document of the web.
        """
        self._health.show(TabState.REQUESTED)
        if document.is_error_page or (document.empty and (document.status or 0) >= 400):
            # no body: Chrome shows its error page, a headless shell an empty one
            raise page_error(url, document.error, document.status)
        if not document.is_web:
            raise PageError(url, "unsupported_scheme")
        return self._followed(document) if document.thin else document

    def read_again(self, url: str, options: ReadOptions) -> Document:
        """Return the document that the page ``url``, which is shown, has become.

        Raises:
            PageError: a step led to where no document is.
            BrowserLost: the session died or hangs.
        """
        self._url, self._options = url, options
        document = self._complete()
        if document.is_error_page:
            raise page_error(url, document.error, document.status)
        if document.stale or not document.is_web:
            raise PageError(url, "no_document", retryable=True)
        return document

    def leave(self) -> None:
        """Leave the page: nothing of it runs any longer."""
        self._transport.reset()
        self._restless = False

    def elapsed_ms(self) -> float:
        """Return the milliseconds since the navigation to this page."""
        return (time.perf_counter() - self.start) * 1000

    def _unname(self) -> None:
        """Take the name of the window back that a page gave it: the next page would find it."""
        self._named = False
        with contextlib.suppress(TransportError):
            self._transport.ask("window.name = ''", timeout=GRACE)

    def _followed(self, document: Document) -> Document:
        """Return the document to which ``document``, which holds hardly anything, leads by itself
        within ``interstitial_wait``: by a refresh that it declares, or by a script; itself, if it
        stays. One that loads itself again is what there is, the second time.

        Raises:
            PageError: "refresh_loop": such pages lead to each other again and again.
        """
        for _ in range(INTERSTITIALS_MAX):
            document = self._with_header(document)
            after = self._after(document)
            stays = after.origin == document.origin or after.url == document.url
            if stays or after.thin is None:
                return after
            document = after
        raise PageError(self._url, "refresh_loop", document.status)

    def _with_header(self, document: Document) -> Document:
        """Return ``document`` with the refresh that a header declares, where only its server tells:
        one with nothing, and no form, is worth a request.
        """
        thin, patience = document.thin, self._options.interstitial_wait
        if thin is None or not thin.is_bare or thin.forms or thin.refresh or not patience:
            return document
        if document.status in PATIENCE_STATUSES:  # a host that asks for patience is not asked more
            return document
        if self._transport.tells_refresh or not (value := self._header("Refresh")):
            return document
        refresh = parse_refresh(value, document.url)
        if refresh is None or refresh[0] > patience:
            return document
        return replace(document, thin=replace(thin, refresh=refresh))

    def _after(self, document: Document) -> Document:
        """Return what becomes of ``document`` while it may lead on: the document that takes its
        place, or itself, with what it holds by then.
        """
        thin, patience = document.thin, self._options.interstitial_wait
        if thin is None or not patience:
            return document
        if (document.status or 0) >= 400 and document.status not in CHALLENGES:
            return document
        if thin.refresh and thin.refresh[0] <= FOLLOW:
            return document  # it was waited for, as the page loaded
        # who waits for something on each page waits for what a script brings
        if thin.refresh is None and not (thin.is_bare and thin.leads and self._options.links):
            return document
        seconds = patience if thin.refresh is None else thin.refresh[0] + LATE
        end, lean = time.perf_counter() + seconds, replace(self._options, html=False)
        while time.perf_counter() < end:
            time.sleep(LOOK_PAUSE)
            now = self.reader.read(self.start, lean, self.page_load_timeout + GRACE)
            if now.origin != document.origin:
                self._restless = True
                return self._next(document)
            if thin.refresh is None and thin.outgrown_by(now.thin):
                return self._complete()
        return document

    def _next(self, before: Document) -> Document:
        """Return the document that took the place of ``before``, with the links of both."""
        now = self._complete()
        if now.is_error_page:
            raise page_error(self._url, now.error, now.status)
        if now.stale or not now.is_web:
            raise PageError(self._url, "no_document" if now.stale else "unsupported_scheme")
        here = now.url.partition("#")[0]
        rest = [
            link
            for link in before.links
            if link.rel != "refresh" and link.url.partition("#")[0] != here
        ]
        return replace(now, links=tuple(dict.fromkeys((*now.links, *rest))))

    def _is_previous(self, document: Document) -> bool:
        """Whether the page before stands in the way of this one.

        Perhaps only the fragment differs: Chrome keeps the document then. Or the page before loaded
        itself again, while nothing came of this one.
        """
        if document.stale and "#" in self._url:
            return True
        return document.reloaded and document.url.partition("#")[0] != self._url.partition("#")[0]

    def _go(self) -> Document:
        """Navigate, and read the document.

        Raises:
            PageError: Chrome says by itself that none came.
        """
        url = self._url
        self.start = time.perf_counter()
        self._health.request(url)
        self.reader.begin()
        try:
            arrival = self._transport.go(url, self.page_load_timeout, self.referer)
        except DialogOpen as error:
            raise PageError(url, "dialogs") from error
        except TransportError as error:
            # no reason that we know: better another session than a wrong page
            self._health.distrust(first_line(error))
            raise PageError(url, "unknown", retryable=True) from error
        return self._arrived(arrival)

    def _arrived(self, arrival: Arrival) -> Document:
        """Read the document that came of a navigation. Raises PageError: none did."""
        url = self._url
        if arrival.download:
            raise PageError(url, "download")
        if arrival.error == "ERR_ABORTED" and arrival.new is False:
            raise PageError(url, "no_content")
        if arrival.error and not arrival.new and not arrival.late:
            raise page_error(url, arrival.error)
        if arrival.late:
            document = self._unfinished(arrival)
        else:
            self._late = 0
            document = self._complete()
        if document.is_error_page:
            document = replace(document, error=arrival.error or document.error)
        return replace(document, stale=document.stale or arrival.new is False)

    def _unfinished(self, arrival: Arrival) -> Document:
        """Return the document, as far as it came, that was not complete when time was up.

        After two such pages in a row the session may be the slow one.
        """
        self._late += 1
        if self._late > 1:
            self._health.distrust("two page-load time-outs in a row")
        document = None
        if arrival.new is not False:
            document = self.reader.read(self.start, self._options, GRACE)
        if document is None or document.stale:
            raise PageError(self._url, "timeout", retryable=True)
        # not the document that the time was spent on
        if document.age < self.page_load_timeout * 1_000 / 2:
            self._restless = True
            raise PageError(self._url, "unsettled", retryable=True)
        return document

    def _complete(self) -> Document:
        """Read a document that has loaded.

        One that has not, although the navigation has ended, was held up by a dialog (a question
        dismisses it, and another one waits for the rest), broke off in the midst of its body, or is
        the next one already, of a page that went on by itself.
        """
        document, rereads, moves = self._read(), REREADS, MOVES
        self._named = document.named
        while document.ready not in self._ready and not document.stale and document.is_web:
            # it had loaded, and then began to write itself again
            if rereads == 0 or "load" in document.timing:
                break
            late = time.perf_counter() - self.start > self.page_load_timeout
            if moves == 0 or late:
                raise PageError(self._url, "unsettled", retryable=True)
            time.sleep(PAUSE)
            before, document = document, self._read()
            if document.origin == before.origin:
                rereads -= 1
            else:
                moves -= 1
                self._restless = True
        if rereads == 0 and document.ready == "loading":
            raise PageError(self._url, "truncated", document.status, retryable=True)
        return document

    def _read(self) -> Document:
        return self.reader.read(self.start, self._options, self.page_load_timeout + GRACE)

    def _bypass_workers(self) -> None:
        """Let no service worker come between a page and its server from now on.

        Chrome only minds this while it reports every request to ChromeDriver, which costs CPU (2 ms
        for a small page, 30 for one with twenty files), so it is done for a tab when it first meets
        a worker, and no sooner.
        """
        sizes = dict.fromkeys(("maxTotalBufferSize", "maxResourceBufferSize", "maxPostDataSize"), 0)
        self._transport.cdp("Network.enable", **sizes)
        self._transport.cdp("Network.setBypassServiceWorker", bypass=True)

    def _ask_again(self, address: str) -> Document:
        """Ask by ``Page.navigate``, which says why there is no document; read one that comes now.

        ``address`` is the one that gave none: that of the page, or one that it led to.

        Raises:
            PageError: "download", "no_content" (the server answered, with nothing to show: a 204, a
                redirect to ``mailto:``), or Chrome's error.
        """
        url = self._url
        self.reader.begin()
        try:
            # it waits for the server, for ever
            with self._transport.within(self.page_load_timeout):
                answer = self._transport.cdp("Page.navigate", url=address)
        except BrowserLost as error:
            if not error.hung:
                raise
            raise PageError(url, "no_document", retryable=True) from error
        except (ScriptTimeout, PageMoved):
            answer = {}
        except TransportError as error:
            cause = re.search(r"net::(ERR_\w+)", str(error))
            if not cause:
                self._health.distrust(first_line(error))
            raise page_error(url, cause[1] if cause else None) from error
        code = answer.get("errorText", "").removeprefix("net::")
        if answer.get("isDownload"):
            raise PageError(url, "download")
        if code not in ("ERR_ABORTED", "ERR_HTTP_RESPONSE_CODE_FAILURE", ""):
            raise page_error(url, code)
        document = self._complete()
        if document.stale:
            raise PageError(url, "no_content" if code else "no_document")
        return document


def parse_refresh(value: str, url: str) -> tuple[float, str] | None:
    """Return the seconds and the target of the header ``Refresh`` of the page at ``url``; None: it
    is none, or does not lead to the web.
    """
    found = REFRESH.fullmatch(value)
    if not found:
        return None
    target = (found[2] or "").strip()
    if quote := re.match(r"""(["'])(.*?)(?:\1|$)""", target, re.DOTALL):
        target = quote[2]
    try:
        address = urljoin(url, target)
    except ValueError:
        return None
    return (float(found[1] or 0), address) if address.startswith(("http:", "https:")) else None
