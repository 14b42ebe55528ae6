"""Go to a page, and find out what came of it.

``driver.get`` returning tells nothing: after a 204, a download or a redirect to ``mailto:`` it
returns, and the document is still the previous page, with its links and its status; after an unsafe
port or a redirect loop it returns, and the document is Chrome's error page. So each navigation is
followed by one script (``collect.js``) that says what document is there and puts a mark in it. A
document that bears the mark of an earlier page, or that is older than the navigation, was not put
there by it.

Only in such doubt, and where Chrome's error page does not name its cause (a headless shell's is
empty), the page is asked for a second time, through the DevTools protocol, which gives the cause
but obeys no page-load time-out.
"""

from __future__ import annotations

import logging
import re
import secrets as random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from selenium.common.exceptions import (
    InsecureCertificateException,
    InvalidArgumentException,
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)

from ..definition.steps import Visit
from ..errors import BrowserLost, PageError
from ..model import File, Link, Page, Response
from ..profile import Profile
from ..secret_refs import reveal
from .artifacts import screenshots
from .artifacts.downloads import Downloads
from .artifacts.http_auth import HttpAuth
from .artifacts.login_state import LoginState
from .artifacts.response_details import ResponseDetails
from .page import LivePage, Tab
from .reasons import error_of
from .steps import StepRunner, links_in_frames
from .transport.devtools import DevTools
from .transport.isolated_world import evaluate_isolated
from .transport.javascript import script
from .transport.webdriver import Driver, aborted, first_line

log = logging.getLogger(__name__)

#: Seconds that a renderer has to say what it got, after the page-load time-out. One that is stuck
#: in a loop never does.
GRACE = 10.0
#: Times that a collection is repeated when the page navigates away in the midst of it, or breaks
#: what ChromeDriver leans on.
COLLECTIONS = 5
#: Times that it is repeated when a dialog stops the page. Each time one or two are dismissed.
DIALOGS = 25
#: Seconds that asking for a page's headers may take.
HEADER_TIMEOUT = 10.0
#: Links of one page that are read.
LINKS_MAX = 100_000
#: Further looks at a document that should be complete and is not. Those at one that has taken its
#: place do not count.
LOOKS = 3
#: Documents that may take each other's place, as they load, until a page counts as one that never
#: settles.
MOVES = 10
#: Seconds between two looks.
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """What ``collect.js`` found.

    ``stale``: the document was there before this navigation. ``age``: milliseconds since its own
    navigation began; ``origin``: when that was, by its own clock. ``reloaded``: it took the place
    of itself. ``worker``: a service worker answered.
    """

    url: str
    title: str
    mime: str | None
    ready: str
    status: int | None
    empty: bool
    error: str | None
    timing: dict[str, float]
    links: tuple[Link, ...]
    html: str | None
    stale: bool
    age: float
    origin: float | None
    reloaded: bool
    worker: bool

    @property
    def broken(self) -> bool:
        """Whether it is Chrome's error page."""
        return self.url.startswith("chrome-error:")

    @property
    def unnamed(self) -> bool:
        """Whether it is one that does not say what is wrong."""
        return self.broken and not (self.status or self.error)


class Browser(Tab):
    """A session at work: what hooks get as ``browser``, and what the life cycle fetches pages with.

    ``driver`` is the Selenium WebDriver; whatever a live page can do, this does on what the tab
    shows. ``pages`` counts the navigations of this session; ``login`` is what it holds of the
    crawl's.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        page_load_timeout: float,
        load_strategy: str = "normal",
        abandon: Callable[[], None] | None = None,
        profile: Profile | None = None,
        folder: Path | None = None,
        inbox: Path | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(driver)
        self.page_load_timeout = page_load_timeout
        self._abandon = abandon or driver.delete
        self.enough = ("complete",) if load_strategy == "normal" else ("interactive", "complete")
        self.pages = 0
        self.blank = False  # whether the tab surely shows about:blank
        self.stale = True  # whether it may show another page than the one that was requested last
        self.profile = profile or Profile("")
        self._telling = ResponseDetails(driver, self.profile)
        self.folder = folder  # of the files that pages leave
        self.secrets = secrets or {}  # what a crawl may refer to, by name
        driver.secrets.add(*self.secrets.values())
        self._credentials = HttpAuth(
            driver, {host: reveal(given, self.secrets) for host, given in self.profile.basic_auth}
        )
        self._downloads: Downloads | None = None
        if self.profile.downloads and inbox and folder:
            limit, timeout = self.profile.download_limit, self.profile.download_timeout
            self._downloads = Downloads(driver, inbox, folder, limit=limit, timeout=timeout)
        self._mark = "_" + random.token_hex(8)
        self.watch = "_" + random.token_hex(8)  # property in which watch.js keeps what pages load
        self._began = 0.0  # the navigation to the page that is shown, by perf_counter
        self._restless = False  # whether the page that is shown goes on to others by itself
        self._late = 0  # page-load time-outs in a row
        self.login = LoginState(driver)

    @property
    def doubt(self) -> str | None:
        """Why this session must not serve another page; None: it may."""
        return self.driver.doubt

    @doubt.setter
    def doubt(self, reason: str) -> None:
        self.driver.doubt = reason

    @property
    def session_id(self) -> str:
        """What the endpoint calls this session."""
        return str(self.driver.session_id)

    def request(self, page: Page, *, html: bool = False, max_links: int = LINKS_MAX) -> Response:
        """Go to ``page`` and return what came: with its links, and with its source if ``html``.

        An HTTP error with a document is a response. A document that was still loading at the
        page-load time-out is one too, as far as it came; its ``timing`` has no ``load`` then.

        Raises:
            PageError: no document came; the session is well (or replaced next time), and the
                previous page left no trace.
            BrowserLost: the session died or hangs.
        """
        self._telling.begin()
        if self._downloads:
            self._downloads.begin()
        try:
            return self._telling.of(self._admitted(page, html, max_links))
        except PageError as error:
            if error.status is None and not self.doubt and (status := self._telling.status()):
                raise PageError(
                    error.url, error.reason, status, error.retryable, error.retry_after
                ) from error
            raise

    def settle(
        self,
        page: Page,
        response: Response,
        visit: Visit,
        *,
        html: bool = False,
        max_links: int = LINKS_MAX,
    ) -> Response:
        """Do on ``page``, whose ``response`` is shown, what ``visit`` asks for, and read it anew.

        Raises:
            PageError: ``wait_timeout`` or ``step_<number>_<action>`` if something did not come (see
                :class:`StepRunner`); what :meth:`request` raises if a step led to where no document
                is.
            BrowserLost: the session died or hangs.
        """
        StepRunner(self.live(page, response), visit, self).run()
        found = self._complete(page.url, self._began, html, max_links)
        if found.broken:
            raise error_of(page.url, found.error, found.status)
        if found.stale or not found.url.startswith(("http:", "https:")):
            raise PageError(page.url, "no_document", retryable=True)
        links = found.links
        if visit.frames:
            links = tuple(dict.fromkeys(links + links_in_frames(self.driver, max_links)))[
                :max_links
            ]
        read = replace(
            response,
            url=found.url,
            status=found.status,
            content_type=found.mime,
            html=found.html,
            title=found.title,
            links=links,
            timing={**found.timing, "total": (time.perf_counter() - self._began) * 1000},
            files=response.files + self._files(page, visit),
        )
        return self._telling.of(read, response)

    def _files(self, page: Page, visit: Visit) -> tuple[File, ...]:
        """The files that a visit leaves: pictures, prints, and what its steps downloaded."""
        taken = self._downloads.take(page) if self._downloads and visit.steps else ()
        return screenshots.keep(self.driver, page, visit, self.folder) + taken

    def _admitted(self, page: Page, html: bool, max_links: int) -> Response:
        """What comes for ``page``; where its host asks for credentials that there are, they are
        given to it.
        """
        for offered in (False, True):
            try:
                response = self._request(page, html, max_links)
            except PageError as error:
                if (
                    error.reason == "download"
                    and self._downloads
                    and (kept := self._downloads.take(page))
                ):
                    return self._downloaded(page, kept)
                if error.reason != "auth_required":
                    raise
                where, wrong = page.url, error
            else:
                if response.status != 401 or not self._credentials.known(response.url):
                    return response
                where, wrong = response.url, PageError(page.url, "auth_required", response.status)
            if offered:
                self._credentials.refused(where)
            if offered or not self._credentials.offer(where):
                break
        raise wrong

    def _downloaded(self, page: Page, kept: tuple[File, ...]) -> Response:
        """The response of a page that is a file. Hooks see an empty page: the one before must not
        be taken for it.
        """
        self.rest()
        return Response(
            page.url, files=kept, timing={"total": (time.perf_counter() - self._began) * 1000}
        )

    def _request(self, page: Page, html: bool, max_links: int) -> Response:
        url = self.driver.at = page.url
        self.stale = True
        if not url[:8].lower().startswith(("http://", "https://")):
            raise PageError(url, "unsupported_scheme")
        if self._restless:
            self.rest()
        began = self._began = time.perf_counter()
        found = self._go(url, began, html, max_links)
        # Perhaps only the fragment differs from the page before: Chrome keeps the document then. Or
        # the page before loaded itself anew, while nothing came of this one.
        if (found.stale and "#" in url) or (
            found.reloaded and found.url.partition("#")[0] != url.partition("#")[0]
        ):
            self.rest()
            began = self._began = time.perf_counter()
            found = self._go(url, began, html, max_links)
        if found.stale and self._downloads and (kept := self._downloads.take(page)):
            return self._downloaded(page, kept)
        if found.worker:
            self._pass_workers()
            began = self._began = time.perf_counter()
            found = self._go(url, began, html, max_links)
        # what the page led on to
        if found.broken and not found.stale and not self.driver.current_url.startswith("http"):
            raise PageError(url, "unsupported_scheme")
        if found.stale or found.unnamed:
            found = self._ask_again(url, url, began, html, max_links)
        if found.unnamed:  # the page came, and led on to an address that gives none
            found = self._ask_again(url, self.driver.current_url, began, html, max_links)
        self.stale = False
        if found.broken or (found.empty and (found.status or 0) >= 400):
            # no body: Chrome shows its error page, a headless shell an empty one
            raise error_of(url, found.error, found.status)
        if not found.url.startswith(("http:", "https:")):
            raise PageError(url, "unsupported_scheme")
        self.login.arrived(found.url)
        return Response(
            url=found.url,
            status=found.status,
            content_type=found.mime,
            html=found.html,
            title=found.title,
            links=found.links,
            timing={**found.timing, "total": (time.perf_counter() - began) * 1000},
        )

    def open(self, url: str) -> LivePage:
        """Go to ``url``, of any site, and return the page that came: for hooks, before or beside
        the page of their run.

        Raises:
            PageError, BrowserLost: as from ``request``; an HTTP error with a document raises
                nothing.
        """
        page = Page(url)
        return self.live(page, self.request(page))

    def live(self, page: Page, response: Response) -> LivePage:
        """The page that this session shows now, for hooks."""
        return LivePage(self.driver, page, response)

    def header(self, name: str) -> str | None:
        """A header of the page that is shown, by asking its server for the headers once more; None
        if it is not to be had.

        WebDriver knows no headers. This costs a request, so it is for the few answers where a
        header decides (Retry-After).
        """
        try:
            with self.driver.within(HEADER_TIMEOUT):
                value = self.driver.execute_async_script(
                    script("header.js"), name, HEADER_TIMEOUT * 1_000 / 2
                )
        except (WebDriverException, BrowserLost):
            return None
        return value if isinstance(value, str) else None

    def abandon(self) -> None:
        """End this session from another thread: the command in flight fails with BrowserLost, and
        so does any other.

        A local one ends at once, a remote one when it is through with that command.
        """
        self.driver.doubt = "abandoned"
        if self.driver.wire is not None:
            self.driver.wire.cut()
        self._abandon()

    def rest(self) -> None:
        """Leave the page: nothing of it runs any longer."""
        try:
            self.driver.get("about:blank")
        except WebDriverException as error:
            raise self.driver.lost(first_line(error)) from error
        self.blank, self._restless = True, False

    def _go(self, url: str, began: float, html: bool, max_links: int) -> Found:
        """Navigate, and collect.

        Raises:
            PageError: Chrome said by itself that nothing came.
        """
        self.pages += 1
        self.blank = False
        self.driver.come_back()
        if self.driver.wire is not None:
            return self._go_by_wire(self.driver.wire, url, began, html, max_links)
        try:
            self.driver.get(url)
        except TimeoutException:
            return self._unfinished(url, began, html, max_links)
        except InvalidArgumentException as error:
            raise PageError(url, "malformed") from error
        except InsecureCertificateException as error:
            raise PageError(url, "certificate") from error
        except WebDriverException as error:
            if cause := re.search(r"net::(ERR_\w+)", error.msg or ""):
                raise error_of(url, cause[1]) from error
            # nothing that we know: better a new session than a wrong page
            self.doubt = first_line(error)
            raise PageError(url, "unknown", retryable=True) from error
        self._late = 0
        return self._complete(url, began, html, max_links)

    def _go_by_wire(
        self, wire: DevTools, url: str, began: float, html: bool, max_links: int
    ) -> Found:
        """The same over the wire, where Chrome says itself what came."""
        try:
            arrival = wire.go(url, self.page_load_timeout)
            # perhaps the page before was on its way elsewhere
            if arrival.error == "ERR_ABORTED" and not arrival.download:
                arrival = wire.go(url, self.page_load_timeout)
        except UnexpectedAlertPresentException as error:
            raise PageError(url, "dialogs") from error
        if arrival.download:
            raise PageError(url, "download")
        if arrival.error == "ERR_ABORTED" and not arrival.new:
            raise PageError(url, "no_content")
        if arrival.error.startswith("Cannot navigate"):
            raise PageError(url, "malformed")
        if arrival.late:
            found = self._unfinished(url, began, html, max_links, new=arrival.new)
        else:
            self._late = 0
            found = self._complete(url, began, html, max_links)
        if found.broken:
            found = replace(found, error=arrival.error or found.error)
        return replace(found, stale=found.stale or not arrival.new)

    def _unfinished(
        self, url: str, began: float, html: bool, max_links: int, *, new: bool = True
    ) -> Found:
        """What is there of a document that was not complete when time was up; not ``new``: there is
        none.

        After two such pages in a row it may be the session that is slow.
        """
        self._late += 1
        if self._late > 1:
            self.doubt = "two page-load time-outs in a row"
        found = self._collect(began, html, max_links, grace=GRACE) if new else None
        if found is None or found.stale:
            raise PageError(url, "timeout", retryable=True) from None
        # not the document that the time was spent on
        if found.age < self.page_load_timeout * 1_000 / 2:
            self._restless = True
            raise PageError(url, "unsettled", retryable=True) from None
        return found

    def _complete(self, url: str, began: float, html: bool, max_links: int) -> Found:
        """Collect a document that has loaded.

        One that has not, although ``get`` returned, was held up by a dialog (asking dismisses it,
        and asking again waits for the rest), broke off in the midst of its body, or is the next one
        already, of a page that went on by itself.
        """
        found = self._collect(began, html, max_links)
        looks, moves = LOOKS, MOVES
        while not (found.stale or found.ready in self.enough or not found.url.startswith("http")):
            # it had loaded, and then began to write itself anew
            if looks == 0 or "load" in found.timing:
                break
            if moves == 0 or time.perf_counter() - began > self.page_load_timeout:
                raise PageError(url, "unsettled", retryable=True)
            time.sleep(PAUSE)
            before, found = found, self._collect(began, html, max_links)
            if found.origin == before.origin:
                looks -= 1
            else:
                moves -= 1
                self._restless = True
        if looks == 0 and found.ready == "loading":
            raise PageError(url, "truncated", found.status, retryable=True)
        return found

    def _collect(
        self, began: float, html: bool, max_links: int, grace: float | None = None
    ) -> Found:
        """Ask the document what it is, as often as it takes.

        Raises:
            PageError: it cannot be asked; the session is in doubt then.
            BrowserLost: it does not answer.
        """
        arguments = (self._mark, self.pages, max_links, html)
        facts, apart, failures, dialogs = None, False, 0, 0
        with self.driver.within(grace or self.page_load_timeout + GRACE):
            while facts is None:
                try:
                    if apart:
                        facts = evaluate_isolated(
                            self.driver, self._mark, script("collect.js"), arguments
                        )
                    else:
                        facts = self.driver.ask(
                            script("collect.js"),
                            *arguments,
                            timeout=self.driver.patience,
                            follow=True,
                        )
                    if facts is None:  # a dialog opened meanwhile
                        dialogs += 1
                    elif facts["age"] is None and not apart:  # the page has replaced what tells
                        facts, apart = None, True
                except UnexpectedAlertPresentException:
                    dialogs += 1
                except WebDriverException as error:  # the page went elsewhere meanwhile, or has broken what scripts stand on
                    if isinstance(error, TimeoutException) and not aborted(error):
                        raise self.driver.lost("the page does not answer", hung=True) from error
                    failures, apart = failures + 1, True
                    if failures == COLLECTIONS:
                        self.doubt = first_line(error)
                        reason = "unsettled" if aborted(error) else "unreadable"
                        raise PageError(self.driver.at, reason, retryable=True) from error
                    time.sleep(PAUSE)
                if dialogs == DIALOGS:
                    self.doubt = "dialogs without an end"
                    raise PageError(self.driver.at, "dialogs")
        passed = (time.perf_counter() - began) * 1000
        age = facts["age"] or 0.0
        return Found(
            url=facts["url"],
            title=facts["title"],
            mime=facts["mime"],
            ready=facts["ready"],
            status=facts["status"],
            empty=facts["empty"],
            error=facts["error"],
            timing={
                name: ms
                for name, ms in zip(("response", "dom", "load"), facts["timing"], strict=True)
                if ms
            },
            links=tuple(Link(*row.split("\t")) for row in facts["links"].split("\n") if row),
            html=facts["html"],
            stale=facts["seen"]
            or facts["url"] == "about:blank"
            or facts["type"] == "back_forward"
            # Older than the navigation: a page that went elsewhere by itself, after it had been
            # collected. Clocks may drift.
            or age > passed * 1.001 + 1,
            age=age,
            origin=facts["origin"],
            reloaded=facts["type"] == "reload",
            worker=facts["worker"],
        )

    def _pass_workers(self) -> None:
        """From now on let no service worker come between a page and its server.

        Chrome only minds this while it reports every request to ChromeDriver, which costs CPU (2 ms
        for a small page, 30 for one with twenty files), so it is done for a tab when the first
        worker was met, and no sooner.
        """
        sizes = dict.fromkeys(("maxTotalBufferSize", "maxResourceBufferSize", "maxPostDataSize"), 0)
        self.driver.cdp("Network.enable", **sizes)
        self.driver.cdp("Network.setBypassServiceWorker", bypass=True)

    def _ask_again(self, url: str, there: str, began: float, html: bool, max_links: int) -> Found:
        """Ask through the DevTools protocol, which says why there is no document; if there is one
        now, collect it.

        ``there`` is the address that gave none: that of the page, ``url``, or one that it led to.

        Raises:
            PageError: "download", "no_content" (the server answered, with nothing to show: a 204, a
                redirect to ``mailto:``), or Chrome's error.
        """
        self.pages += 1
        try:
            with self.driver.within(self.page_load_timeout):  # it waits for the server, for ever
                answer = self.driver.cdp("Page.navigate", url=there)
        except BrowserLost as error:
            if not error.hung:
                raise
            raise PageError(url, "no_document", retryable=True) from error
        except TimeoutException:
            answer = {}
        except WebDriverException as error:
            cause = re.search(r"net::(ERR_\w+)", error.msg or "")
            if not cause:
                self.doubt = first_line(error)
            raise error_of(url, cause[1] if cause else None) from error
        code = answer.get("errorText", "").removeprefix("net::")
        if answer.get("isDownload"):
            raise PageError(url, "download")
        if code in ("ERR_ABORTED", "ERR_HTTP_RESPONSE_CODE_FAILURE", ""):
            found = self._complete(url, began, html, max_links)
            if not found.stale:
                return found
            raise PageError(url, "no_content" if code else "no_document")
        raise error_of(url, code)
