"""A session of a shared Chrome, whose WebDriver comes late: its ChromeDriver is started when a
hook, or a step that needs it, asks WebDriver for the first time. Most crawls never do, and a
ChromeDriver costs memory, and processor time with each page once it listens to the tab.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Callable
from subprocess import Popen
from typing import Any, Protocol

import psutil
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ChromeOptions, Remote
from selenium.webdriver.remote.command import Command

from ....errors import BrowserError, BrowserLost, BrowserUnavailable
from ....local.processes import own_children
from ...transport.base import DebuggerAddress
from ...transport.webdriver import Driver
from ..bridge import Bridge, Refused
from ..endpoint import Endpoint
from ..options import attach
from .seats import Seat

#: What Chrome tells only those who heard of the request when it was made: ChromeDriver did.
OF_WITNESS = frozenset({"Network.getResponseBody"})


class DriverProcess(Protocol):
    """A ChromeDriver that reaches the Chrome by the session's bridge, and ends that with itself."""

    url: str
    process: Popen[bytes]

    def end(self) -> None:
        """End it at once."""

    def kill(self) -> None:
        """End it at once, and remove what it wrote."""


class SharedSession:
    """The part of a shared Chrome that one session has: its ``seat``, the ``bridge`` with its
    context, and its ChromeDriver, once it has one. For the pool it is what a local driver is.
    """

    def __init__(
        self, seat: Seat, bridge: Bridge, start_driver: Callable[[], DriverProcess]
    ) -> None:
        self.seat, self.bridge = seat, bridge
        self._start = start_driver
        self.driver: DriverProcess | None = None
        self.folder = seat.inbox

    @property
    def process(self) -> Popen[bytes] | None:
        """The process of its ChromeDriver; None: nothing has asked for that."""
        return self.driver.process if self.driver else None

    def start_driver(self) -> str:
        """Start the ChromeDriver of this session; return its address. Raises BrowserUnavailable."""
        self.driver = self._start()
        own_children.add(self.driver.process.pid)
        return self.driver.url

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the Chrome, which others have as well."""
        return self.seat.processes()

    def outgrown(self, limit: int) -> bool:
        """Whether the Chrome uses more than ``limit`` bytes for each of its sessions."""
        return self.seat.outgrown(limit)

    def end(self) -> None:
        """End this session at once, from any thread: its context ends with its line."""
        self.bridge.cut()
        if self.driver:
            self.driver.end()

    def kill(self) -> None:
        """End this session, and the Chrome if it was the last. May be called again."""
        if self.driver:
            self.driver.kill()
            own_children.discard(self.driver.process.pid)
        else:
            self.bridge.close()
        self.seat.give_up()


class LateDriver(Driver):
    """The WebDriver of a session in a shared Chrome. What is told by ``cdp`` goes to the tab
    without it; everything else starts a ChromeDriver, the first time.

    ``meanwhile`` is called while an answer is awaited: it minds the dialogs of the page.
    """

    def __init__(self, session: SharedSession, endpoint: Endpoint, options: ChromeOptions) -> None:
        self._shared, self._endpoint, self._bridge = session, endpoint, session.bridge
        self._wanted: dict[str, Any] = {}
        #: Whether its ChromeDriver has been started.
        self.begun = False
        self.meanwhile: Callable[[], object] = lambda: None
        attach(options, session.bridge.address)
        super().__init__(
            "http://127.0.0.1",
            options,
            session_timeout=endpoint.session_timeout,
            command_timeout=endpoint.command_timeout or endpoint.page_load_timeout + 15,
            local=True,
        )

    def start_session(self, capabilities: dict[str, Any]) -> None:
        """Keep ``capabilities`` for the time when WebDriver is asked for something."""
        self._wanted = capabilities
        self.session_id = random.token_hex(16)
        name, _, version = self._bridge.product.partition("/")
        self.caps = {
            "browserName": name.lower(),
            "browserVersion": version,
            "goog:chromeOptions": {"debuggerAddress": self._bridge.address},
        }

    def begin(self) -> None:
        """Start the ChromeDriver, and its session, in the tab.

        Raises:
            BrowserUnavailable: no ChromeDriver starts. No page is to blame for that.
            BrowserLost: it does not reach the tab; this session is lost.
        """
        if self.begun:
            return
        try:
            self.address = self._shared.start_driver()
        except BrowserUnavailable as error:
            self.health.distrust(str(error))
            raise
        before, self._config.timeout = self._config.timeout, self._endpoint.session_timeout
        mine, self.session_id, self.begun = self.session_id, None, True
        try:
            self._config.remote_server_addr = self.address
            Remote.start_session(self, self._wanted)
            self._config.timeout = before
            super().execute(Command.SWITCH_TO_WINDOW, {"handle": self._bridge.tab})
            self.switched = False
        except (BrowserError, WebDriverException) as error:
            self.session_id = self.session_id or mine
            raise self._lost(f"its ChromeDriver does not serve: {error}") from error
        finally:
            self._config.timeout = before

    def execute(self, driver_command: Any, params: dict[str, Any] | None = None) -> Any:
        """Send a command of WebDriver and return the answer."""
        if not self.begun:
            self.begin()
        try:
            return super().execute(driver_command, params)
        except BrowserLost as lost:
            if self._bridge.died():
                raise self.health.lost(lost.reason, shared=True) from lost
            raise

    def cdp(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol to the tab of this session."""
        if method in OF_WITNESS and self.begun:
            return super().cdp(method, **params)
        try:
            return self._bridge.tell(method, params, self.command_timeout, self.meanwhile)
        except Refused as error:
            raise WebDriverException(str(error)) from error
        except TimeoutError as error:
            raise self.health.lost("no answer in time", hung=True) from error
        except BrowserUnavailable as error:
            raise self._lost("the line to Chrome broke") from error

    def _lost(self, reason: str) -> BrowserLost:
        return self.health.lost(reason, shared=self._bridge.died())

    def debugger_address(self) -> DebuggerAddress:
        """Return the address at which the tab speaks Chrome's own protocol: Chrome's own."""
        root = self._shared.seat.about.url.partition("/devtools/")[0]
        return DebuggerAddress(f"{root}/devtools/page/{self._bridge.tab}", None, {})

    def finish(self) -> bool:
        """End the session of WebDriver, if there is one; return True: ours ends with its line."""
        return super().finish() if self.begun else True
