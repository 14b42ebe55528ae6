"""A session at work: it fetches pages, and is what hooks get as ``browser``.

The way to a page is :mod:`.navigation`'s; what a page leaves besides its document (downloads,
pictures, response details, a log-in) comes from :mod:`.artifacts`. This module puts the two
together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from selenium.common.exceptions import WebDriverException

from ..definition.forms import pairs_of
from ..definition.steps import Visit
from ..errors import PageError
from ..model import File, Json, Page, Response
from ..profile import Profile
from ..redaction import Secrets
from ..secret_refs import reveal
from ..urls.url import normal_host
from .artifacts import screenshots
from .artifacts.cookies import OVERFULL_STATUSES, clear_cookies
from .artifacts.downloads import Downloads
from .artifacts.host_headers import Reach
from .artifacts.http_auth import HttpAuth
from .artifacts.login_state import LoginState
from .artifacts.network_log import NetworkLog
from .artifacts.page_credentials import PageCredentials
from .artifacts.page_responses import PageResponses
from .artifacts.response_details import HIDDEN, ResponseDetails
from .document import Document, ReadOptions, Thin
from .frames import FrameReader
from .navigation import Navigation
from .page import LivePage, Tab
from .steps import StepRunner
from .transport.base import PageMoved
from .transport.javascript import script

if TYPE_CHECKING:
    from .transport.base import Transport
    from .transport.webdriver import Driver

#: Links of one page that are read.
LINKS_MAX = 100_000


@dataclass(frozen=True)
class BrowserOptions:
    """The time-out, folders and secrets of a session; a folder is None where there is none.

    ``files`` is the folder of the files that pages leave, ``inbox`` the one into which Chrome
    downloads. ``secrets`` are what a crawl may refer to, by name. ``watch`` is the property in
    which pages keep what they load.
    """

    page_load_timeout: float  # seconds
    watch: str = "_watch"
    files: Path | None = None
    inbox: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Browser(Tab):
    """One session. ``driver`` is its Selenium WebDriver, ``health`` says whether it may serve
    another page, ``login`` is what it holds of the crawl's log-in.

    Whatever a live page can do, this does on what the tab shows. ``end`` ends the session at once,
    from another thread; None: its endpoint is asked to.
    """

    def __init__(
        self,
        driver: Driver,
        transport: Transport,
        profile: Profile,
        options: BrowserOptions,
        end: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(driver, transport)
        self.health = transport.health
        self.profile, self.options = profile, options
        self.login = LoginState(driver)
        self._end = end or driver.delete
        self.cookies_cleared = 0  # times that a site's cookies were too many
        self._network = network = NetworkLog(driver)
        self._details = ResponseDetails(driver, profile, network)
        #: What is captured of the page; None: its crawl captures nothing.
        self.responses = PageResponses(network, transport) if profile.captures else None
        self.navigation = Navigation(
            transport,
            page_load_timeout=options.page_load_timeout,
            load_strategy=profile.load_strategy,
            # the answer's cookies may belong to a document of its own, as those of a form do
            header=partial(self._details.header, cookies=False),
        )
        self._session_id = str(driver.session_id)
        secrets = options.secrets
        driver.secrets.add(*secrets.values())
        self._http_auth = HttpAuth(
            driver, {host: reveal(value, secrets) for host, value in profile.basic_auth}
        )
        self._credentials = PageCredentials(driver, dict(profile.headers), self._http_auth)
        #: The URL of the page that the hook ``before`` is called for; "": none is about to come.
        self.url_ahead = ""
        #: The URL of the page whose run does ``before_all``; "": none does.
        self.url_home = ""
        self._fragments = profile.keep_fragment
        self._interstitial_wait = profile.interstitial_wait
        self._frames, self.in_frames = profile.frames, profile.frames == "part"
        #: How little the page holds that was read last; None: it holds links or text.
        self.thin: Thin | None = None
        self._downloads: Downloads | None = None
        if profile.downloads and options.inbox and options.files:
            limit, timeout = profile.download_limit, profile.download_timeout
            self._downloads = Downloads(
                driver, options.inbox, options.files, limit=limit, timeout=timeout
            )

    @property
    def session_id(self) -> str:
        """The name that the endpoint gave this session when it began."""
        return self._session_id

    @property
    def pages(self) -> int:
        """The number of navigations of this session."""
        return self.navigation.pages

    @property
    def url_requested(self) -> str:
        """The URL of the page that was requested last; "" before the first."""
        return self.health.url

    #: Why this browser was brought in place of a session without one; "": it was not.
    brought = ""

    @property
    def secrets(self) -> Secrets:
        """The secrets that this session came to know."""
        return self.driver.secrets

    def for_page(self, *, chrome: bool) -> Browser:  # noqa: ARG002
        """Return what fetches the page at hand: this browser."""
        return self

    def bring(self, reason: str) -> Browser:  # noqa: ARG002
        """Return a browser that shows the page: this one."""
        return self

    @property
    def shape(self) -> str:
        """The shape of the page's scripts is not looked at here."""
        return ""

    unkept = ""

    def note_visited(self, *, before: bool) -> None:
        """Note nothing: Chrome's own cache asks as it likes."""

    def beside(self) -> Browser:
        """Return a browser that is another visitor of the site: this session needs none."""
        return self

    def parsed_source(self) -> tuple[str, str] | None:
        """Return URL and source of the document of a session without a browser: this has one."""
        return None

    def put_cookies(self, cookies: Sequence[Mapping[str, Any]]) -> None:
        """Set ``cookies``, as Chrome's protocol tells them, beside those that there are."""
        self.login.put(cookies)

    def request(
        self,
        page: Page,
        *,
        html: bool = False,
        max_links: int = LINKS_MAX,
        sending: Callable[[], None] = lambda: None,
    ) -> Response:
        """Go to ``page``; return its response, with its links, and with its source if ``html``. A
        form is submitted once, whatever comes of it; ``sending`` is called right before.

        An HTTP error with a document is a response. A document that was still loading at the
        page-load time-out is one too, as far as it came; its ``timing`` has no ``load`` then.

        Raises:
            PageError: no document came; the session is well (or replaced next time), and the
                previous page left no trace.
            BrowserLost: the session died or hangs.
        """
        self._details.begin()
        self.navigation.referer = page.referer
        if self.responses:
            self.responses.begin()
        if self._downloads:
            self._downloads.begin()
        try:
            options = self._read_options(max_links, html)
            if page.form is None:
                response = self._fetch(page, options)
            else:
                response = self._submit(page, page.form, options, sending)
        except PageError as error:
            if error.status is None and self.health.good and (status := self._details.status()):
                raise PageError(
                    error.url, error.reason, status, error.retryable, error.retry_after
                ) from error
            raise
        return self._details.add_to(response)

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
        """Do on ``page``, whose ``response`` is shown, what ``visit`` asks for, and read it again.
        Documents in frames that ``admits`` are a part of it, if ``visit`` asks for that.

        Raises:
            PageError: ``wait_timeout`` or ``step_<number>_<action>`` if something did not come (see
                :class:`StepRunner`); what :meth:`request` raises if a step led to where no document
                is.
            BrowserLost: the session died or hangs.
        """
        self.admits = admits
        self._step_runner(page, response, visit).run()
        document = self.navigation.read_again(page.url, self._read_options(max_links, html))
        if visit.frames in ("inner", "part"):
            document = self._with_frames(document, visit.frames == "part", max_links, admits)
        shown = self._with_document(response, document)
        shown = replace(shown, files=response.files + self._files_of(page, visit))
        return self._details.add_to(shown, response)

    def keep_html(self, page: Page, response: Response) -> Response:
        """Write the HTML of ``response`` to a file of ``page``; return the response with that file.

        HTML that is too large is not kept; without a folder none is.
        """
        return screenshots.keep_source(self.options.files, page, response)

    def with_cookies(self, response: Response, shown: Collection[str]) -> Response:
        """Return ``response`` with the cookies of its page: the values of those that are ``shown``,
        and *** for the others.
        """
        try:
            cookies = self.cookies
        except WebDriverException:  # the page is on its way elsewhere
            return response
        values = {str(one["name"]): str(one["value"]) for one in cookies}
        return replace(
            response,
            cookies={name: value if name in shown else HIDDEN for name, value in values.items()},
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

    def headers(
        self, headers: Mapping[str, str], *, keep: bool = False, to: str | Sequence[str] = "host"
    ) -> None:
        """Send ``headers`` with each request of the page that is about to come ``to`` its own host:
        with "site" also to others of its registrable domain, with a list of hosts to these as well,
        with "all" to every host. With ``keep`` all further pages of this session do so, too.

        ValueError if one cannot be sent.
        """
        if isinstance(to, str) and to not in ("host", "site", "all"):
            raise ValueError(f'to is "host", "site", "all" or a list of hosts, not {to!r}')
        reach = None
        if to != "all":
            others = () if isinstance(to, str) else tuple(map(normal_host, to))
            here = self._target(self.url_ahead or self.url_home)
            reach = Reach(here, site=to == "site", others=others)
        self._credentials.headers(headers, reach, keep=keep)

    def cookie(
        self, name: str, value: str, url: str | None = None, *, keep: bool = False, **options: Any
    ) -> None:
        """Set a cookie for the page that is about to come, or for ``url``. It is gone with the
        page, and what was there before is back, unless it is to ``keep``. In ``before_all`` it is
        a part of the log-in.

        ``options`` are ``domain``, ``path``, ``secure``, ``httpOnly``, ``sameSite``, ``expires``,
        as Chrome names them. ValueError if it takes no such cookie.
        """
        keep = keep or not self.url_ahead  # outside of a page it belongs to the log-in
        self._credentials.cookie(name, value, self._target(url), keep=keep, **options)

    def basic_auth(
        self, user: str, password: str, url: str | None = None, *, keep: bool = False
    ) -> None:
        """Tell the host of the page that is about to come, or of ``url``, this user and password if
        it asks by HTTP, and no other host.

        Unless they are to ``keep``, the session ends with the page, if it was asked: Chrome cannot
        forget a password. ValueError if the host has another one in this session.
        """
        self._credentials.basic_auth(user, password, self._target(url), keep=keep)

    def end_page(self) -> None:
        """Take back what hooks gave the browser for one page. Raises WebDriverException."""
        self.url_ahead = self.url_home = ""
        self._credentials.forget()

    def _target(self, url: str | None) -> str:
        target = url or self.url_ahead or self.url_requested
        if not target.startswith(("http://", "https://")):
            raise ValueError(f"{target!r} is no URL of a page; say for which one")
        return target

    def document_at(self, url: str) -> tuple[int | None, str] | None:
        """Go to ``url``; return the status and the text of the document that came, None if none
        did; an error's document has no text here. Raises BrowserLost.
        """
        try:
            status = self.request(Page(url), max_links=0).status
        except PageError as error:
            return (error.status, "") if error.status and error.status >= 400 else None
        text = self.evaluate("document.body ? document.body.textContent : ''")
        return status, str(text or "")

    def look_again(
        self, seconds: float, links: int | None, text: int | None, *, scroll: bool
    ) -> dict[str, Any] | None:
        """Wait at most ``seconds`` for content that the page, which was read, gets late; return
        what ``late.js`` tells, or None after a dialog.

        ``links`` and characters of ``text`` are what it held; None: what it holds now. With
        ``scroll`` it is scrolled to its end, and back.

        Raises:
            BrowserError: the page cannot be asked.
        """
        arguments = (seconds, links, text, scroll)
        try:
            self.driver.leave_frame()
            return cast("dict[str, Any] | None", self.transport.ask(script("late.js"), *arguments))
        except PageMoved:
            return {"url": self.transport.address()}
        except WebDriverException:
            return None

    def live(self, page: Page, response: Response) -> LivePage:
        """Return the page that this session shows now, for hooks."""
        live = LivePage(self.driver, self.transport, page, response)
        live.in_frames, live.admits = self.in_frames, self.admits
        live.captured = self.responses
        return live

    def keep_delay(self, seconds: float) -> None:
        """Let so long pass between the request of a page and a further one of ours to its host."""
        self._details.delay = seconds

    def header(self, name: str) -> str | None:
        """Ask the server of the page that is shown for one of its headers; None: it gives none."""
        return self._details.header(name)

    def abandon(self) -> None:
        """End this session from another thread: the command in flight fails with BrowserLost, and
        so does any other.

        A local session ends at once, a remote one when it is through with that command.
        """
        self.health.distrust("abandoned")
        self.transport.cut()
        self._end()

    def rest(self) -> None:
        """Leave the page: nothing of it runs any longer. Raises BrowserLost."""
        self.navigation.leave()

    def _fetch(self, page: Page, options: ReadOptions) -> Response:
        """Return what comes for ``page``.

        A server that refuses a request with many cookies is asked again without them, once.
        """
        try:
            response = self._fetch_once(page, options)
        except PageError as error:
            if not self._clear_cookies(page.url, error.status):
                raise
        else:
            if not self._clear_cookies(response.url, response.status):
                return response
        return self._fetch_once(page, options)

    def _submit(
        self,
        page: Page,
        form: Mapping[str, Json],
        options: ReadOptions,
        sending: Callable[[], None],
    ) -> Response:
        """Return what comes when ``form`` is submitted to the URL of ``page``, once. The host has
        got its credentials before, if there are any.
        """
        self._http_auth.offer_once(page.url)
        try:
            document = self.navigation.submit(
                page.url, pairs_of(form), options, self._is_download, sending
            )
        except PageError as error:
            if error.reason != "download" or not (files := self._downloaded(page)):
                raise
            return self._without_document(page, files)
        self.login.note_arrival(document.url)
        return self._with_document(Response(page.url), document)

    def _without_document(self, page: Page, files: tuple[File, ...]) -> Response:
        """Return the response that is ``files``. Hooks see an empty page: the one before must not
        be taken for it.
        """
        self.rest()
        return Response(page.url, files=files, timing={"total": self.navigation.elapsed_ms()})

    def _read_options(self, max_links: int, html: bool) -> ReadOptions:
        follow = self._frames in ("links", "inner")
        return ReadOptions(max_links, html, self._fragments, self._interstitial_wait, follow)

    def _clear_cookies(self, url: str, status: int | None) -> bool:
        """Clear the cookies that are sent to ``url`` if they may be the cause of ``status``; the
        log-in keeps its own. Return whether there were any.
        """
        if status not in OVERFULL_STATUSES or not clear_cookies(
            self.driver, url, status, self.login.has_cookie
        ):
            return False
        self.cookies_cleared += 1
        return True

    def _fetch_once(self, page: Page, options: ReadOptions) -> Response:
        """Return what comes for ``page``: its document, or the files of a download.

        A host that asks for credentials gets those that the profile has for it, once.
        """
        for offered in (False, True):
            try:
                document = self.navigation.to(page.url, options, self._is_download)
            except PageError as error:
                if error.reason == "download" and (files := self._downloaded(page, options)):
                    return self._without_document(page, files)
                if error.reason != "auth_required":
                    raise
                address, refusal = page.url, error
            else:
                self.login.note_arrival(document.url)
                if document.status != 401 or not self._http_auth.knows(document.url):
                    return self._with_document(Response(page.url), document)
                address = document.url
                refusal = PageError(page.url, "auth_required", document.status)
            if offered:
                self._http_auth.note_refusal(address)
            if offered or not self._http_auth.offer(address):
                break
        raise refusal

    def _with_document(self, response: Response, document: Document) -> Response:
        """Return ``response`` with what ``document``, which is shown, holds."""
        self.thin = document.thin
        return replace(
            response,
            url=document.url,
            status=document.status,
            content_type=document.content_type,
            html=document.html,
            title=document.title,
            links=document.links,
            timing={**document.timing, "total": self.navigation.elapsed_ms()},
        )

    def _with_frames(
        self, document: Document, part: bool, max_links: int, admits: Callable[[str], bool]
    ) -> Document:
        """Return ``document`` with the links inside of its frames; with ``part`` only those that
        ``admits``, and with their source.
        """
        options = {"admits": admits} if part else {}
        reader = FrameReader(self.driver, max_links, fragments=self._fragments, **options)
        try:
            source = reader.read()
        except WebDriverException as error:
            raise PageError(document.url, "unreadable", retryable=True) from error
        links = tuple(dict.fromkeys(document.links + reader.links))[:max_links]
        if not part:
            return replace(document, links=links)
        return replace(
            document,
            links=links,
            html=None if document.html is None else source,
            thin=None if reader.count else document.thin,
        )

    def _is_download(self) -> bool:
        """Whether a download begins that is to be kept."""
        return self._downloads is not None and self._downloads.begins()

    def _downloaded(self, page: Page, options: ReadOptions | None = None) -> tuple[File, ...]:
        """Return the files that ``page`` downloads. It may be asked for again, with ``options``."""
        if self._downloads is None:
            return ()
        if options is None:
            return self._downloads.take(page)

        def again() -> None:
            with suppress(PageError):  # "download", or what take() finds out
                self.navigation.to(page.url, options, self._is_download)

        return self._downloads.take(page, again)

    def _step_runner(self, page: Page, response: Response, visit: Visit) -> StepRunner:
        return StepRunner(
            self.live(page, response),
            visit,
            watch=self.options.watch,
            images=self.profile.loads_images,
            secrets=self.options.secrets,
        )

    def _files_of(self, page: Page, visit: Visit) -> tuple[File, ...]:
        """Return the files that a visit leaves: pictures, prints, downloads of its steps."""
        downloads = self._downloaded(page) if visit.steps else ()
        return screenshots.keep(self.driver, page, visit, self.options.files) + downloads
