"""Start a session on an endpoint: Chrome with its options, the tab with what its crawl asks for."""

from __future__ import annotations

import contextlib
import os
import secrets as random
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ChromeOptions

from ...errors import BrowserError, BrowserUnavailable, fall_back
from ...observe.logs import logger
from ...profile import Profile
from ...secret_refs import reveal
from ..transport.base import NoLine, Transport
from ..transport.devtools import DevTools
from ..transport.shared_tab import SharedTab
from ..transport.webdriver import Driver, WebDriver
from . import emulation
from .bare_endpoint import is_bare
from .bridge import Bridge
from .endpoint import Endpoint
from .local import LocalDriver, find_chrome, find_driver, find_or_fetch, is_shell, resolve_wrapper
from .options import (
    BYPASS,
    FLAGS,
    HEADLESS,
    KEEP_FRAME,
    NO_SANDBOX,
    NO_SHARED_MEMORY,
    OUTPUT_MAX,
    PIPE,
    PROXY,
    SAYS,
    attach,
    flag_of,
    options_for,
)
from .shared.late_driver import LateDriver, SharedSession
from .shared.program import take_seat
from .shared.seats import current_group

log = logger(__name__)

#: ChromeDriver's flags for a browser that runs already: it may be of another version.
ANY_VERSION = ("--disable-build-check",)
#: Seconds that a shared Chrome may take to let a session join, and Chromes that are tried.
JOIN_TIMEOUT, JOINS = 20.0, 3
#: Bytes that shared memory must have for Chrome to use it.
SHARED_MEMORY = 1 << 30

# whether Chrome's sandbox was found not to work here, which was logged then
_unsandboxed = threading.Event()


class NoSandbox(BrowserUnavailable):
    """Chrome ended because it cannot make a sandbox on this machine."""


@dataclass(frozen=True)
class NewSession:
    """A new session: its WebDriver, the transport for its pages, and its ChromeDriver, if that is
    ours.

    ``tab`` is the window that was told what the profile asks for. ``watch`` is the property in
    which its pages keep what they load.
    """

    driver: Driver
    transport: Transport
    local: LocalDriver | SharedSession | None
    tab: str
    watch: str


#: Starts a session on this machine for a profile, with a sandbox or without.
LocalStart = Callable[[Profile, bool], NewSession]


class AttachedDriver(LocalDriver):
    """A ChromeDriver process of our own, and the ``bridge`` by which it reaches a browser that is
    not.

    Raises:
        BrowserUnavailable: ChromeDriver could not be found or started.
    """

    def __init__(self, state: Path | None, bridge: Bridge, *, driver: str | None = None) -> None:
        self.bridge = bridge
        super().__init__(state, driver=driver, flags=ANY_VERSION)

    def _programs(self, binary: str | None, driver: str | None) -> tuple[str, str]:
        """Return no Chrome, and the driver."""
        found = driver or find_driver()
        return ("", found) if found else find_or_fetch(binary, driver)

    def end(self) -> None:
        """End the driver, and the line to the browser, which ends our part of it."""
        super().end()
        self.bridge.cut()

    def kill(self) -> None:
        """End the driver at once, and our part of the browser, and remove what they wrote."""
        self.bridge.close()
        super().kill()

    def outgrown(self, limit: int) -> bool:  # noqa: ARG002
        """Return False: the memory of the browser is not ours."""
        return False


class Launcher:
    """Starts sessions on ``endpoint``."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        # whether a Chrome has started with its sandbox at a remote endpoint
        self._sandboxed = False

    def start(self, profile: Profile, *, alone: bool = False) -> NewSession:
        """Start a session for ``profile``; ``alone``: in a local Chrome that is not shared.

        Raises:
            BrowserUnavailable: no session could be started.
        """
        endpoint = self.endpoint
        for reference in profile.references:
            reveal(reference, endpoint.secrets)  # before a page depends on it
        if endpoint.url:
            if profile.downloads:
                raise BrowserUnavailable(
                    f"the crawl {profile.crawl} saves downloads, which a Chrome elsewhere cannot"
                    " hand over; use a local one"
                )
            if is_bare(endpoint.url):
                return self._start_attached(profile, endpoint.url)
            return self._start_remote(profile, endpoint.url)
        start = self._start_shared if self._shares and not alone else self._start_local
        return self._start_here(start, profile, sandbox=may_have_sandbox())

    @property
    def _shares(self) -> bool:
        """Whether sessions share Chromes of this machine here."""
        endpoint = self.endpoint
        local = endpoint.shared > 1 and endpoint.uses_devtools and not endpoint.window
        return local and not endpoint.url and current_group() is not None

    def launch_ahead(self, profile: Profile) -> None:
        """Start the Chrome that a session for ``profile`` will join, if it is to share one. For a
        process that then ends: its seat is free from that moment.

        Raises:
            BrowserUnavailable: it does not start; nor does the session, which will say so.
        """
        if self._shares:
            take_seat(self.endpoint, *self._shared_start(profile, may_have_sandbox()))

    @fall_back(
        NoSandbox,
        "sandbox",
        False,
        lambda _: warn_unsandboxed("Chrome cannot use it on this machine"),
    )
    def _start_here(self, start: LocalStart, profile: Profile, *, sandbox: bool) -> NewSession:
        """Start a session by ``start``, on this machine; without a sandbox where none can be had.

        Raises:
            BrowserUnavailable: no session could be started.
        """
        try:
            return start(profile, sandbox)
        except BrowserUnavailable as error:
            if sandbox and "sandbox" in str(error).partition(SAYS)[2]:
                raise NoSandbox(str(error)) from error
            raise

    def _start_remote(self, profile: Profile, url: str) -> NewSession:
        """Start a session of the endpoint at ``url``.

        Why its Chrome ends at once is not seen from here: as root, for lack of the sandbox. Through
        a pipe Chrome notices that its driver is gone, and goes, too, even from an endless dialog.
        But on a pipe it takes the driver a minute to notice that Chrome did not start, so the first
        one is started without. That it was the sandbox is known, and said, once one without starts.
        """
        flags = (*FLAGS, HEADLESS, NO_SHARED_MEMORY)
        piped = flags if self.endpoint.uses_devtools or profile.line else (*flags, PIPE)
        if not _unsandboxed.is_set():
            try:
                new = self._connect(profile, url, piped if self._sandboxed else flags)
            except BrowserUnavailable as error:
                if "Chrome instance exited" not in str(error):
                    raise
            else:
                self._sandboxed = True
                return new
        new = self._connect(profile, url, (*piped, NO_SANDBOX))
        warn_unsandboxed(f"the one at {new.driver.address} only starts without it")
        return new

    def _start_attached(self, profile: Profile, url: str) -> NewSession:
        """Start a session in the browser at the bare endpoint ``url``, which runs already: flags
        mean nothing to it, but for a proxy.
        """
        endpoint = self.endpoint
        proxy, bypass = (flag_of(profile.flags, name) for name in (PROXY, BYPASS))
        bridge = Bridge(url, endpoint.session_timeout, proxy, bypass)
        try:
            local = AttachedDriver(endpoint.state, bridge, driver=endpoint.driver)
        except BaseException:
            bridge.close()
            raise
        try:
            return self._connect(profile, local.url, (), local)
        except BaseException as error:
            local.kill()
            if isinstance(error, BrowserUnavailable):
                raise BrowserUnavailable(f"{bridge.endpoint}: {error}") from error
            raise

    def _start_local(self, profile: Profile, sandbox: bool) -> NewSession:
        endpoint = self.endpoint
        binary = endpoint.binary or (find_chrome(window=True) if endpoint.window else None)
        local = LocalDriver(endpoint.state, binary=binary, driver=endpoint.driver)
        flags = self._local_flags(profile, local.binary, sandbox)
        try:
            with local.watched():
                return self._connect(profile, local.url, flags, local)
        except BaseException as error:
            output = " ".join(local.output().split())[-OUTPUT_MAX:]
            local.kill()
            if isinstance(error, BrowserUnavailable):
                raise BrowserUnavailable(
                    f"{local.binary} does not start: {error}{SAYS}{output}"
                ) from error
            raise

    def _local_flags(self, profile: Profile, binary: str, sandbox: bool) -> list[str]:
        """Return the flags of the Chrome ``binary`` on this machine."""
        devtools = self.endpoint.uses_devtools
        return [
            *FLAGS,
            *((KEEP_FRAME,) if devtools else () if profile.line else (PIPE,)),
            *(() if is_shell(binary) or self.endpoint.window else (HEADLESS,)),
            *(() if sandbox else (NO_SANDBOX,)),
            *(() if has_shared_memory() else (NO_SHARED_MEMORY,)),
        ]

    def _start_shared(self, profile: Profile, sandbox: bool) -> NewSession:
        """Start a session in a Chrome that others share: a browser context with a tab."""
        endpoint, (binary, options) = self.endpoint, self._shared_start(profile, sandbox)
        session = self._join(binary, options)
        bridge = session.bridge
        watch = "_" + random.token_hex(8)
        try:
            driver = LateDriver(session, endpoint, options)
            # as in the only window of a Chrome, which has the focus
            driver.cdp("Emulation.setFocusEmulationEnabled", enabled=True)
            self._set_up(driver, profile, watch)
            transport = SharedTab(
                WebDriver(driver), driver, driver.debugger_address(), profile.load_strategy, bridge
            )
            driver.meanwhile = transport.mind_dialogs
            if profile.network_log or profile.console:  # ChromeDriver writes down what happens
                driver.begin()
        except (BrowserError, WebDriverException) as error:
            session.kill()
            raise BrowserUnavailable(
                f"the new session in a shared Chrome does not work: {error}"
            ) from error
        except BaseException:
            session.kill()
            raise
        return NewSession(driver, transport, session, bridge.tab, watch)

    def _shared_start(self, profile: Profile, sandbox: bool) -> tuple[str, ChromeOptions]:
        """Return the program of a Chrome that sessions for ``profile`` share, and its options."""
        endpoint = self.endpoint
        binary = endpoint.binary or find_chrome()
        binary = resolve_wrapper(binary or find_or_fetch(None, endpoint.driver)[0])
        return binary, self._options(profile, self._local_flags(profile, binary, sandbox))

    def _join(self, binary: str, options: ChromeOptions) -> SharedSession:
        """Return a part of a shared Chrome that was started with ``options``. One that is about to
        die, or hangs, is left alone from then on.
        """
        endpoint, tries = self.endpoint, JOINS
        proxy, bypass = (flag_of(options.arguments, name) for name in (PROXY, BYPASS))
        timeout = min(JOIN_TIMEOUT, endpoint.session_timeout)
        while True:
            seat, tries = take_seat(endpoint, binary, options), tries - 1
            try:
                bridge = Bridge(seat.about.url, timeout, proxy, bypass)
            except BaseException as error:
                seat.retire()
                seat.give_up()
                if not tries or not isinstance(error, BrowserUnavailable):
                    raise
            else:
                start = partial(AttachedDriver, endpoint.state, bridge, driver=endpoint.driver)
                return SharedSession(seat, bridge, start)

    def _options(self, profile: Profile, flags: Sequence[str]) -> ChromeOptions:
        endpoint = self.endpoint
        return options_for(
            profile,
            (*flags, *endpoint.flags),
            page_load_timeout=endpoint.load_timeout(profile),
            script_timeout=endpoint.script_timeout,
        )

    def _set_up(self, driver: Driver, profile: Profile, watch: str) -> None:
        """Tell the tab of ``driver`` what ``profile`` asks for. Raises WebDriverException."""
        driver.cdp("Browser.setDownloadBehavior", behavior="deny")
        emulation.apply(driver, profile, watch)

    def _connect(
        self, profile: Profile, url: str, flags: Sequence[str], local: LocalDriver | None = None
    ) -> NewSession:
        """Start a session on the WebDriver at ``url``, and set up its tab for the profile."""
        endpoint = self.endpoint
        bridge = local.bridge if isinstance(local, AttachedDriver) else None
        alone = endpoint.uses_devtools or profile.line
        options = self._options(profile, flags)
        if bridge:
            attach(options, bridge.address)
        elif binary := local.launcher(alone) if local else endpoint.binary:
            options.binary_location = binary
        driver = Driver(
            url,
            options,
            local=local is not None,
            session_timeout=endpoint.session_timeout,
            command_timeout=endpoint.command_timeout or endpoint.page_load_timeout + 15,
            away=(lambda: bool(bridge.broken)) if bridge else None,
        )
        watch = "_" + random.token_hex(8)
        try:
            driver.flagless = bridge.user_agent if bridge else None
            self._set_up(driver, profile, watch)
            tab = driver.current_window_handle
            transport = self._transport(driver, profile.load_strategy)
        except (BrowserError, WebDriverException) as error:
            quit_session(driver, local)
            raise BrowserUnavailable(
                f"the new session at {driver.address} does not work: {error}"
            ) from error
        return NewSession(driver, transport, local, tab, watch)

    def _transport(self, driver: Driver, load_strategy: str) -> Transport:
        """Return the transport for the pages of ``driver``: DevTools, where it can be reached."""
        webdriver = WebDriver(driver)
        address = driver.debugger_address() if self.endpoint.uses_devtools else None
        if address is None:
            return webdriver
        try:
            return DevTools(webdriver, driver, address, load_strategy)
        except NoLine as error:
            log.debug("there is no line to the Chrome of %s: %s", driver.address, error)
            return webdriver


def quit_session(
    driver: Driver, local: LocalDriver | SharedSession | None, transport: Transport | None = None
) -> bool:
    """Quit, unless a local session is distrusted, for a few seconds at most; kill what is left.

    Returns whether the session is gone for sure. Raises nothing.
    """
    gone = driver.finish() if local is None or driver.health.good else True
    with contextlib.suppress(Exception):
        (transport or driver).hang_up()
    if local is not None:
        local.kill()
    return gone


def may_have_sandbox() -> bool:
    """Whether a Chrome of this machine may have its sandbox, as far as is known here; as root it
    has none, which is said once.
    """
    if os.name == "posix" and os.geteuid() == 0:
        warn_unsandboxed("we are root")
    return not _unsandboxed.is_set()


def warn_unsandboxed(why: str) -> None:
    """Say, once, that Chrome runs without its sandbox."""
    if _unsandboxed.is_set():
        return
    _unsandboxed.set()
    log.warning(
        "Chrome runs without its sandbox: %s. Run as another user, or in a container of its own, if"
        " you can.",
        why,
    )


def has_shared_memory() -> bool:
    """Whether /dev/shm is large enough; containers often have 64 MB, which crashes tabs."""
    try:
        return shutil.disk_usage("/dev/shm").total >= SHARED_MEMORY  # noqa: S108
    except OSError:
        return False
