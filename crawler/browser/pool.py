"""One warm session for each process and thread, replaced when it has served long enough, or is
distrusted.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from selenium.common.exceptions import WebDriverException

from ..errors import BrowserError, FrontierUnavailable
from ..local.private_files import crawl_folder
from ..local.processes import process_name
from ..observe.logs import logger
from ..profile import Profile
from .browser import Browser, BrowserOptions
from .chrome import emulation
from .chrome.endpoint import Endpoint
from .chrome.launch import Launcher, quit_session
from .chrome.local import LocalDriver
from .chrome.registry import VOUCH_INTERVAL, Entry, Registry
from .chrome.shared.late_driver import SharedSession
from .transport.base import TabState

log = logger(__name__)

#: Seconds that a session may take to show that it is alive.
PROBE_TIMEOUT = 10.0
#: Seconds of idleness after which a session is asked whether it is alive before it is handed out.
PROBE_AFTER = 5.0
#: Times that windows are closed which a page opened, or which its windows opened.
POPUP_ROUNDS = 4
#: Seconds that a remote session may take before its run counts as waiting for one. An endpoint with
#: a free slot takes about as long, and it does no harm then.
WAIT_AFTER = 1.0
#: Pages between two looks at the memory of a local Chrome.
MEMORY_PAGES = 10
#: Pages after which the memory of those that are gone is collected: Chrome itself does so late (a
#: renderer takes 210 MB after 300 small pages, and 85 MB with 20, which costs 0.6 ms a page; 10
#: save another 5 MB a session and cost nothing that shows; 5 cost 1.5 ms a page, and save no
#: more).
COLLECT_PAGES = 10
#: Bytes that a tab's scripts and documents may hold before they are collected sooner, and pages
#: between two looks at them.
HEAP_LIMIT, HEAP_PAGES = 64 << 20, 5


@dataclass(eq=False)
class Session:
    """A session, the process that made it and when, and when it was last put away."""

    browser: Browser
    profile: Profile
    local: LocalDriver | SharedSession | None
    tab: str  # the window that was told what the profile asks for
    busy: bool = True  # lent, or about to be
    process: int = field(default_factory=os.getpid)
    created_at: float = field(default_factory=time.monotonic)
    used_at: float = field(default_factory=time.monotonic)
    measured_pages: int = 0  # pages, when its memory was last measured
    apart: bool = False  # for one page, that had shared a Chrome which died
    collected_pages: int = 0  # pages, when the memory of those that are gone was last collected

    @property
    def is_ours(self) -> bool:
        """Whether this process made it; after a fork it is the parent's."""
        return self.process == os.getpid()

    @property
    def is_remote(self) -> bool:
        """Whether its Chrome is at an endpoint that others use as well."""
        return self.local is None


class Chrome:
    """Keeps one warm session for each thread that asks, on ``endpoint``. The first is started when
    it is asked for.

    Remote sessions are entered in ``registry``, if one is given.
    """

    browser_class: type[Browser] = Browser

    def __init__(self, endpoint: Endpoint | None = None, registry: Registry | None = None) -> None:
        self.endpoint, self.registry = endpoint or Endpoint(), registry
        self._launcher = Launcher(self.endpoint)
        self._thread = threading.local()
        self._keeper: threading.Thread | None = None
        self._over = threading.Event()
        self._sessions: set[Session] = set()
        self._lock = threading.RLock()  # a signal may call close() while it is held

    @property
    def local(self) -> bool:
        """Whether Chrome runs on this machine, as a child of ours."""
        return self.endpoint.url is None

    @property
    def warm(self) -> bool:
        """Whether this thread has a session; asking for one takes a while otherwise."""
        session: Session | None = getattr(self._thread, "session", None)
        return session is not None and session in self._sessions and session.is_ours

    @contextmanager
    def session(
        self, profile: Profile, on_wait: Callable[[], None] | None = None
    ) -> Iterator[Browser]:
        """Lend this thread's session. Afterwards extra windows are closed, and a session that is
        due, or distrusted, is ended.

        ``on_wait`` is called, in another thread, once it has to be waited for: all slots of the
        endpoint are taken.

        Raises:
            BrowserUnavailable: no session could be started.
        """
        session = self._ready(profile, on_wait)
        pages = session.browser.pages
        try:
            yield session.browser
        finally:
            now = self._thread.session  # another one, if the page had to go apart
            self._put_away(now, idle=now is session and session.browser.pages == pages)

    def launch_ahead(self, profile: Profile) -> None:
        """Start the Chrome that a session for ``profile`` will join; see
        :meth:`~.chrome.launch.Launcher.launch_ahead`.
        """
        self._launcher.launch_ahead(profile)

    def apart(self) -> Browser:
        """Exchange the session that this thread was lent for one in a Chrome of its own, for this
        page, and return its browser. One that shares no Chrome is kept.

        Raises:
            BrowserUnavailable: none starts. The session that was lent has ended.
        """
        session: Session = self._thread.session
        if not isinstance(session.local, SharedSession):
            return session.browser
        self._drop(session)
        session = self._thread.session = self._open(session.profile, alone=True)
        session.apart = True
        with self._lock:
            self._sessions.add(session)
        return session.browser

    def close(self) -> None:
        """End every session that this process made, within seconds. May be called again, and from
        any thread.
        """
        self._over.set()
        with self._lock:
            sessions, self._sessions = self._sessions, set()
        for session in sessions:
            self._end(session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, profile: Profile, on_wait: Callable[[], None] | None) -> Session:
        """Return a session for ``profile`` that works: this thread's, or another one."""
        session: Session | None = getattr(self._thread, "session", None)
        if session is not None:
            if not session.is_ours:
                self._sessions = set()
            elif self._lend(session):
                if session.profile == profile and self._alive(session):
                    return session
                self._drop(session)
        with calling_later(on_wait, None if self.local else WAIT_AFTER):
            session = self._thread.session = self._open(profile)
        with self._lock:
            self._sessions.add(session)
        if session.is_remote:
            self._enter([session])
            self._keep()
        return session

    def _lend(self, session: Session) -> bool:
        """Whether this session is still there; no other thread ends it from now on."""
        with self._lock:
            session.busy = session in self._sessions
        return session.busy

    def _alive(self, session: Session) -> bool:
        """Whether this session can be handed out. An idle one is asked, so that no page is lost
        with it.
        """
        now, browser = time.monotonic(), session.browser
        if not browser.health.good or now - session.created_at > self.endpoint.recycle_age:
            return False
        return now - session.used_at < PROBE_AFTER or browser.transport.alive(PROBE_TIMEOUT)

    def _put_away(self, session: Session, idle: bool) -> None:
        """Close what the page opened; end the session if it is due. Raises nothing: the page's own
        outcome stands.
        """
        browser = session.browser
        try:
            if browser.health.good:
                with browser.transport.within(PROBE_TIMEOUT):
                    self._tidy(session)
                    browser.end_page()
                    collect_garbage(session)
                    # the second run without a page: let no script run on
                    if idle and browser.pages and browser.health.tab is not TabState.BLANK:
                        browser.rest()
        except (BrowserError, WebDriverException) as error:
            browser.health.distrust(str(error))
        if why := browser.health.fault or self._due(session):
            text = "session %s of %s ends after %s pages: %s"
            log.debug(text, browser.session_id, session.profile.crawl, browser.pages, why)
            self._drop(session)
        session.used_at, session.busy = time.monotonic(), False

    def _tidy(self, session: Session) -> None:
        """Close the windows that pages opened.

        Chrome itself is asked first, where it can be: ChromeDriver, once it was asked, listens to
        the tab for as long as it is there, which costs 2 ms a page.
        """
        browser = session.browser
        if browser.transport.alone():
            return
        tab = close_popups(browser)
        if tab != session.tab:
            session.tab = tab
            emulation.apply(browser.driver, session.profile, browser.options.watch)
            browser.transport.attach(browser.driver.debugger_address())

    def _due(self, session: Session) -> str | None:
        """Return the reason why a session has served long enough; None: it has not."""
        endpoint, pages = self.endpoint, session.browser.pages
        if session.apart:
            return "it was for one page"
        if pages >= min(endpoint.recycle_pages, session.profile.pages or endpoint.recycle_pages):
            return "pages"
        if time.monotonic() - session.created_at > endpoint.recycle_age:
            return "age"
        local, limit = session.local, endpoint.recycle_memory
        if local and limit and pages - session.measured_pages >= MEMORY_PAGES:
            session.measured_pages = pages
            if local.outgrown(limit):
                return "memory"
        return None

    def _drop(self, session: Session) -> None:
        """Keep this session no longer, and end it, unless it was ended already."""
        with self._lock:
            known = session in self._sessions
            self._sessions.discard(session)
        if known:
            self._end(session)

    def _end(self, session: Session) -> None:
        """End a session that is kept no longer. One that could not be ended has no owner now, and
        another process that reaps tries again.
        """
        gone = end(session)
        if session.is_remote and self.registry:
            with contextlib.suppress(FrontierUnavailable):
                if gone:
                    self.registry.leave(session.browser.session_id)
                else:
                    self.registry.disown(entry_of(session))

    def _keep(self) -> None:
        """Vouch from now on for the sessions of this process in the registry, and give back those
        without work.
        """
        # after a fork the thread is not alive
        if self._keeper is None or self._over.is_set() or not self._keeper.is_alive():
            self._over = threading.Event()
            self._keeper = threading.Thread(
                target=self._run_keeper, args=(self._over,), name="chrome-keeper", daemon=True
            )
            self._keeper.start()

    def _run_keeper(self, over: threading.Event) -> None:
        idle = self.endpoint.idle_timeout
        while not over.wait(min(VOUCH_INTERVAL, idle / 2)):
            limit = time.monotonic() - idle
            with self._lock:
                spare = {one for one in self._sessions if not one.busy and one.used_at < limit}
                self._sessions -= spare
                kept = list(self._sessions)
            for session in spare:
                name, crawl = session.browser.session_id, session.profile.crawl
                log.debug("session %s of %s ends: it was idle", name, crawl)
                self._end(session)
            self._enter(kept)

    def _enter(self, sessions: list[Session]) -> None:
        """Vouch for ``sessions``. An error is logged and dropped: the next time comes soon."""
        if not (self.registry and sessions):
            return
        try:
            self.registry.vouch(entry_of(session) for session in sessions)
        except FrontierUnavailable as error:
            log.warning("remote sessions could not be entered in the registry: %s", error)

    def _open(self, profile: Profile, *, alone: bool = False) -> Session:
        """Start a session for ``profile``, ``alone`` in its Chrome. Raises BrowserUnavailable."""
        endpoint, new = self.endpoint, self._launcher.start(profile, alone=alone)
        local = new.local
        options = BrowserOptions(
            page_load_timeout=endpoint.load_timeout(profile),
            watch=new.watch,
            files=crawl_folder(endpoint.files, profile.crawl) if endpoint.files else None,
            inbox=local.folder.resolve() / "downloads" if local else None,
            secrets=endpoint.secrets,
        )
        end_at_once = local.end if local else None
        browser = self.browser_class(new.driver, new.transport, profile, options, end_at_once)
        return Session(browser, profile, local, new.tab)


def collect_garbage(session: Session) -> None:
    """Have Chrome give back the memory of the pages that are gone, if that is due.

    Raises:
        TransportError: a script of the page does not end, and would hold up the next page.
    """
    pages, transport = session.browser.pages, session.browser.transport
    served = pages - session.collected_pages
    due = served >= COLLECT_PAGES
    if not due and (not served or served % HEAP_PAGES):
        return
    if due or (transport.heap() or 0) > HEAP_LIMIT:
        transport.collect_garbage()
        session.collected_pages = pages


@contextmanager
def calling_later(call: Callable[[], None] | None, seconds: float | None) -> Iterator[None]:
    """Call ``call`` from another thread, if this block takes longer than so many ``seconds``."""
    if call is None or seconds is None:
        yield
        return
    timer = threading.Timer(seconds, call)
    timer.name, timer.daemon = "chrome-wait", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def close_popups(browser: Browser) -> str:
    """Close all windows but the first, and be in that one; return its handle."""
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
    browser.health.distrust("windows without an end")
    return str(first)


def entry_of(session: Session) -> Entry:
    """Return the entry of a session in the registry."""
    past, browser = time.time() - time.monotonic(), session.browser
    return Entry(
        id=browser.session_id,
        address=browser.driver.address,
        worker=process_name(session.process),
        crawl=session.profile.crawl,
        started=past + session.created_at,
        used=past + session.used_at,
        pages=browser.pages,
    )


def end(session: Session) -> bool:
    """End a session that this process made; return whether it is gone for sure."""
    if not session.is_ours:
        return False
    browser = session.browser
    return quit_session(browser.driver, session.local, browser.transport)
