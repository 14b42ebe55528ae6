"""One warm session for each process and thread, replaced when it has served long enough, or is in
doubt.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from selenium.common.exceptions import WebDriverException

from ..errors import BrowserError, BrowserUnavailable, FrontierUnavailable
from ..local.processes import process_name
from ..profile import Profile
from ..secret_refs import reveal
from .browser import Browser
from .chrome import emulation
from .chrome.local import LocalDriver, is_shell
from .chrome.options import options_for
from .chrome.registry import VOUCH_INTERVAL, Entry, Registry
from .transport import devtools
from .transport.webdriver import Driver

log = logging.getLogger(__name__)

#: Seconds that a session may take to show that it is alive.
PROBE_TIMEOUT = 10.0
#: Seconds of idleness after which a session is asked whether it is alive before it is handed out.
PROBE_AFTER = 5.0
#: Times that windows are closed which a page opened, or which its windows opened.
POPUP_ROUNDS = 4
#: Pages between two looks at the memory of a local Chrome.
MEMORY_PAGES = 10
#: Bytes that shared memory must have for Chrome to use it.
SHARED_MEMORY = 1 << 30

FLAGS = (
    "--disable-gpu", "--disable-quic", "--disable-sync", "--disable-extensions", "--disable-component-update", "--mute-audio",
    "--disable-default-apps", "--disable-background-networking", "--disable-domain-reliability", "--no-first-run", "--no-pings",
    "--no-default-browser-check", "--deny-permission-prompts",
    # Of a headless shell, which has no pop-up blocker. A window shares the process of the page that
    # opened it: it may hang both.
    "--block-new-web-contents",
)  # fmt: skip
#: Of a Chrome whose pages are fetched over its own protocol. With RenderDocument each page of a
#: site gets a frame and a compositor of its own, although the process stays: a third of what a
#: small page costs. Without it one limit outlives a page: how often a tab may go elsewhere by
#: itself. So a tab whose page did is given up, which only that protocol tells in time.
LEAN = ("--disable-features=RenderDocument,BackForwardCache",)

#: Whose pages are fetched over Chrome's own protocol: those of Chromes that this process starts, of
#: remote ones, too, or of none.
Devtools = Literal["local", "all", "none"]
#: Parts our words from Chrome's.
SAYS = "; it says: "

# whether it was found, and said, that Chrome's sandbox cannot work here
_unsandboxed = threading.Event()


@dataclass(frozen=True)
class Endpoint:
    """Where Chrome is, and when it is given up or replaced. Times are seconds, sizes bytes."""

    url: str | None = None  # of a Selenium Grid or a ChromeDriver; None: a Chrome on this machine
    binary: str | None = None  # of Chrome; None: find_chrome()
    driver: str | None = None  # ChromeDriver; None: find_driver()
    # folder of local Chromes, where sweep() looks for leftovers; None: the temporary one
    state: Path | None = None
    # folder of the files that pages leave, one below it for each crawl; None: they are not kept
    files: Path | None = None
    page_load_timeout: float = 60.0
    script_timeout: float = 30.0
    # for any answer of the endpoint; None: page_load_timeout + 15
    command_timeout: float | None = None
    session_timeout: float = 300.0  # for a new session: includes waiting in a Grid's queue
    recycle_pages: int = 500
    recycle_age: float = 1_800.0
    idle_timeout: float = 120.0  # after which a remote session that serves nobody is given back
    # of a local ChromeDriver and its Chrome; None: not looked at
    recycle_memory: int | None = 1 << 30
    flags: tuple[str, ...] = ()  # more of Chrome's
    # what crawls may refer to, by name
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    # whose pages are fetched over Chrome's own protocol, where it can be reached
    devtools: Devtools = "local"

    @property
    def wired(self) -> bool:
        """Whether pages are to be fetched over Chrome's own protocol."""
        return self.devtools == "all" or (self.devtools == "local" and self.url is None)


@dataclass(eq=False)
class Session:
    """A session, who made it and when, and whether it was used since it was last put away."""

    browser: Browser
    profile: Profile
    local: LocalDriver | None
    busy: bool = True  # lent, or about to be
    process: int = field(default_factory=os.getpid)
    born: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    tab: str = ""  # the window that was told what the profile asks for
    weighed: int = 0  # pages, when its memory was last looked at


class Chrome:
    """Keeps one warm session for each thread that asks, on ``endpoint``. Nothing is started before
    the first is asked for.

    Remote sessions are entered in ``registry``, if one is given.
    """

    def __init__(self, endpoint: Endpoint | None = None, registry: Registry | None = None) -> None:
        self.endpoint, self.registry = endpoint or Endpoint(), registry
        self._thread = threading.local()
        self._keeper: threading.Thread | None = None
        self._over = threading.Event()
        self._sessions: set[Session] = set()
        # whether a Chrome has started with its sandbox at a remote endpoint
        self._sandboxed = False
        self._lock = threading.RLock()  # a signal may call close() while it is held

    @property
    def local(self) -> bool:
        """Whether Chrome runs on this machine, as a child of ours."""
        return self.endpoint.url is None

    @property
    def warm(self) -> bool:
        """Whether this thread has a session; asking for one takes a while otherwise."""
        session: Session | None = getattr(self._thread, "session", None)
        return session is not None and session in self._sessions and session.process == os.getpid()

    @contextmanager
    def session(self, profile: Profile) -> Iterator[Browser]:
        """Lend this thread's session. Afterwards extra windows are closed, and a session that is
        due, or in doubt, is ended.

        Raises:
            BrowserUnavailable: none could be had.
        """
        session = self._ready(profile)
        pages = session.browser.pages
        try:
            yield session.browser
        finally:
            self._put_away(session, idle=session.browser.pages == pages)

    def close(self) -> None:
        """End every session that this process made, within seconds. May be called again, and from
        any thread.
        """
        self._over.set()
        with self._lock:
            sessions, self._sessions = self._sessions, set()
        for session in sessions:
            self._end(session)

    def __enter__(self) -> Chrome:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, profile: Profile) -> Session:
        session: Session | None = getattr(self._thread, "session", None)
        if session is not None:
            if session.process != os.getpid():  # we were forked: it is our parent's
                self._sessions = set()
            elif self._lend(session):
                if session.profile == profile and self._alive(session):
                    return session
                self._drop(session)
        session = self._thread.session = self._open(profile)
        with self._lock:
            self._sessions.add(session)
        if session.local is None:
            self._enter([session])
            self._keep()
        return session

    def _lend(self, session: Session) -> bool:
        """Whether this session is still there; then nobody else ends it meanwhile."""
        with self._lock:
            session.busy = session in self._sessions
        return session.busy

    def _alive(self, session: Session) -> bool:
        """Whether this session can be handed out: one that was idle is asked, so that none is lost
        on a page's account.
        """
        now = time.monotonic()
        if session.browser.doubt or now - session.born > self.endpoint.recycle_age:
            return False
        if now - session.used < PROBE_AFTER:
            return True
        try:
            with session.browser.driver.within(PROBE_TIMEOUT):
                return bool(session.browser.driver.window_handles)
        except (BrowserError, WebDriverException):
            return False

    def _put_away(self, session: Session, idle: bool) -> None:
        """Close what the page opened; end the session if it is due. No error leaves here: the
        page's own outcome stands.
        """
        browser = session.browser
        try:
            if not browser.doubt:
                with browser.driver.within(PROBE_TIMEOUT):
                    self._tidy(session)
                    # the second run without a page: let no script run on
                    if idle and browser.pages and not browser.blank:
                        browser.rest()
        except (BrowserError, WebDriverException) as error:
            browser.doubt = str(error)
        if why := browser.doubt or self._due(session):
            log.debug(
                "session %s of %s ends after %s pages: %s",
                browser.session_id,
                session.profile.crawl,
                browser.pages,
                why,
            )
            self._drop(session)
        session.used, session.busy = time.monotonic(), False

    def _tidy(self, session: Session) -> None:
        """Close the windows that pages opened. Chrome itself is asked first, where it can be:
        ChromeDriver, once it was asked, listens to the tab for as long as it is there, which costs
        2 ms a page.
        """
        browser, driver = session.browser, session.browser.driver
        if driver.wire is not None and driver.wire.alone():
            return
        tab = close_popups(browser)
        if tab != session.tab:
            session.tab = tab
            emulation.apply(driver, session.profile, browser.watch)
            if driver.wire is not None:
                driver.wire.close()
                driver.wire = devtools.connect(driver, session.profile.load_strategy)

    def _due(self, session: Session) -> str | None:
        endpoint, pages = self.endpoint, session.browser.pages
        if pages >= min(endpoint.recycle_pages, session.profile.pages or endpoint.recycle_pages):
            return "pages"
        if time.monotonic() - session.born > endpoint.recycle_age:
            return "age"
        if session.local and endpoint.recycle_memory and pages - session.weighed >= MEMORY_PAGES:
            session.weighed = pages
            if session.local.outgrown(endpoint.recycle_memory):
                return "memory"
        return None

    def _drop(self, session: Session) -> None:
        """Keep this session no longer, and end it, unless somebody did."""
        with self._lock:
            known = session in self._sessions
            self._sessions.discard(session)
        if known:
            self._end(session)

    def _end(self, session: Session) -> None:
        """End a session that is kept no longer. One that could not be ended is nobody's now:
        whoever reaps tries again.
        """
        gone = end(session)
        if session.local is None and self.registry:
            with contextlib.suppress(FrontierUnavailable):
                if gone:
                    self.registry.leave(session.browser.session_id)
                else:
                    self.registry.disown(entry(session))

    def _keep(self) -> None:
        """From now on vouch for the sessions of this process in the registry, and give back those
        that serve nobody.
        """
        # it is not, after a fork
        if self._keeper is None or self._over.is_set() or not self._keeper.is_alive():
            self._over = threading.Event()
            self._keeper = threading.Thread(
                target=self._keeping, args=(self._over,), name="chrome-keeper", daemon=True
            )
            self._keeper.start()

    def _keeping(self, over: threading.Event) -> None:
        idle = self.endpoint.idle_timeout
        while not over.wait(min(VOUCH_INTERVAL, idle / 2)):
            with self._lock:
                late = time.monotonic() - idle
                spare = {
                    session
                    for session in self._sessions
                    if not session.busy and session.used < late
                }
                self._sessions -= spare
                kept = list(self._sessions)
            for session in spare:
                log.debug(
                    "session %s of %s ends: it was idle",
                    session.browser.session_id,
                    session.profile.crawl,
                )
                self._end(session)
            self._enter(kept)

    def _enter(self, sessions: list[Session]) -> None:
        """Vouch for ``sessions``. An error is logged and dropped: the next time comes soon."""
        if not (self.registry and sessions):
            return
        try:
            self.registry.vouch(entry(session) for session in sessions)
        except FrontierUnavailable as error:
            log.warning("remote sessions could not be entered in the registry: %s", error)

    def _open(self, profile: Profile) -> Session:
        endpoint = self.endpoint
        for reference in profile.references:
            reveal(reference, endpoint.secrets)  # before a page depends on it
        if endpoint.url:
            if profile.downloads:
                raise BrowserUnavailable(
                    f"the crawl {profile.crawl} saves downloads, which a Chrome elsewhere cannot"
                    " hand over; use a local one"
                )
            return self._reach(profile, endpoint.url)
        try:
            return self._launch(profile)
        except BrowserUnavailable as error:
            if _unsandboxed.is_set() or "sandbox" not in str(error).partition(SAYS)[2]:
                raise
            say_unsandboxed("Chrome cannot use it on this machine")
        return self._launch(profile)

    def _reach(self, profile: Profile, url: str) -> Session:
        """A session of the endpoint at ``url``. Why its Chrome ends at once is not seen from here:
        as root, for lack of it.

        Through a pipe Chrome notices that its driver is gone, and goes, too, even from an endless
        dialog. But on a pipe it takes the driver a minute to notice that Chrome did not start, so
        the first one is started without.
        """
        flags = (*FLAGS, "--headless=new", "--disable-dev-shm-usage")
        # on which no other line can be had
        piped = flags if self.endpoint.wired else (*flags, "--remote-debugging-pipe")
        if not _unsandboxed.is_set():
            try:
                session = self._connect(profile, url, None, piped if self._sandboxed else flags)
            except BrowserUnavailable as error:
                if "Chrome instance exited" not in str(error):
                    raise
            else:
                self._sandboxed = True
                return session
        session = self._connect(profile, url, None, (*piped, "--no-sandbox"))
        if not _unsandboxed.is_set():
            say_unsandboxed(f"the one at {session.browser.driver.address} only starts without it")
        return session

    def _launch(self, profile: Profile) -> Session:
        local = LocalDriver(
            self.endpoint.state, binary=self.endpoint.binary, driver=self.endpoint.driver
        )
        if os.name == "posix" and os.geteuid() == 0 and not _unsandboxed.is_set():
            say_unsandboxed("we are root")
        flags = [
            *FLAGS,
            # Through a pipe Chrome notices that its driver died, and dies, too; but then it opens
            # no port to anybody else.
            *(LEAN if self.endpoint.wired else ("--remote-debugging-pipe",)),
            *(() if is_shell(local.binary) else ("--headless=new",)),
            *(("--no-sandbox",) if _unsandboxed.is_set() else ()),
            *(() if plenty_of_shared_memory() else ("--disable-dev-shm-usage",)),
        ]
        try:
            with local.watched():
                return self._connect(profile, local.url, local, flags)
        except BaseException as error:
            said = " ".join(local.output().split())[-1000:]
            local.kill()
            if isinstance(error, BrowserUnavailable):
                raise BrowserUnavailable(
                    f"{local.binary} does not start: {error}{SAYS}{said}"
                ) from error
            raise

    def _connect(
        self,
        profile: Profile,
        url: str,
        local: LocalDriver | None,
        flags: tuple[str, ...] | list[str],
    ) -> Session:
        endpoint = self.endpoint
        options = options_for(
            profile,
            (*flags, *endpoint.flags),
            page_load_timeout=endpoint.page_load_timeout,
            script_timeout=endpoint.script_timeout,
        )
        if binary := local.launcher(endpoint.wired) if local else endpoint.binary:
            options.binary_location = binary
        driver = Driver(
            url,
            options,
            local=local is not None,
            session_timeout=endpoint.session_timeout,
            command_timeout=endpoint.command_timeout or endpoint.page_load_timeout + 15,
        )
        browser = Browser(
            driver,
            page_load_timeout=endpoint.page_load_timeout,
            load_strategy=profile.load_strategy,
            abandon=local.end if local else None,
            profile=profile,
            folder=endpoint.files / profile.crawl if endpoint.files else None,
            inbox=local.folder.resolve() / "downloads" if local else None,
            secrets=endpoint.secrets,
        )
        session = Session(browser, profile, local)
        try:
            driver.cdp("Browser.setDownloadBehavior", behavior="deny")
            emulation.apply(driver, profile, browser.watch)
            session.tab = driver.current_window_handle
            if endpoint.wired:
                driver.wire = devtools.connect(driver, profile.load_strategy)
        except (BrowserError, WebDriverException) as error:
            end(session)
            raise BrowserUnavailable(
                f"the new session at {driver.address} does not work: {error}"
            ) from error
        return session


def close_popups(browser: Browser) -> str:
    """Leave one window, the first, and be in it; its handle."""
    driver = browser.driver
    for attempt in range(POPUP_ROUNDS):
        first, *others = driver.window_handles
        if not others:
            return str(first)
        for handle in others:
            with contextlib.suppress(WebDriverException):  # it may close by itself
                driver.switch_to.window(handle)
                driver.close()
        driver.switch_to.window(first)
        if attempt:  # a page that opens windows faster than they are closed is left
            browser.rest()
    browser.doubt = "windows without an end"
    return str(first)


def entry(session: Session) -> Entry:
    """What the registry is told of a session."""
    past, browser = time.time() - time.monotonic(), session.browser
    return Entry(
        id=browser.session_id,
        address=browser.driver.address,
        worker=process_name(session.process),
        crawl=session.profile.crawl,
        started=past + session.born,
        used=past + session.used,
        pages=browser.pages,
    )


def end(session: Session) -> bool:
    """Quit, unless there is doubt whether that works, for a few seconds at most; kill what is left
    of a local one.

    Returns whether it is gone for sure.
    """
    if session.process != os.getpid():
        return False
    driver = session.browser.driver
    gone = driver.finish() if session.local is None or not driver.doubt else True
    with contextlib.suppress(Exception):
        driver.hang_up()
    if session.local is not None:
        session.local.kill()
    return gone


def say_unsandboxed(why: str) -> None:
    """Say, once, that Chrome runs without its sandbox."""
    _unsandboxed.set()
    log.warning(
        "Chrome runs without its sandbox: %s. Run as another user, or in a container of its own, if"
        " you can.",
        why,
    )


def plenty_of_shared_memory() -> bool:
    """Whether /dev/shm is large enough; containers often have 64 MB, which crashes tabs."""
    try:
        return shutil.disk_usage("/dev/shm").total >= SHARED_MEMORY  # noqa: S108
    except OSError:
        return False
