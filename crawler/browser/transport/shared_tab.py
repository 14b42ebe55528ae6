"""The transport to a tab of a Chrome that other sessions share: it asks Chrome itself also what
WebDriver is asked elsewhere, so that no ChromeDriver is started for that.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol

from ...errors import BrowserLost
from .base import FOLLOW, DebuggerAddress, PageMoved, TabState, Transport, TransportError
from .cdp_socket import Late
from .devtools import ANSWER_TIMEOUT, GONE, DevTools, Refused, SeleniumSession

#: Times that windows are closed which a page opened, or which its windows opened.
POPUP_ROUNDS = 4


class Context(Protocol):
    """The browser context of a session, as far as this transport needs it."""

    tab: str

    @property
    def context(self) -> str:
        """Its id."""

    def died(self) -> bool:
        """Whether the browser has gone, and not at our word."""


class SharedTab(DevTools):
    """The transport over Chrome's own protocol to the tab of ``context``."""

    def __init__(
        self,
        webdriver: Transport,
        selenium: SeleniumSession,
        address: DebuggerAddress,
        load_strategy: str,
        context: Context,
    ) -> None:
        self._context = context
        super().__init__(webdriver, selenium, address, load_strategy)

    def mind_dialogs(self) -> None:
        """Take in what the tab says by itself, and dismiss its dialogs."""
        self._read_waiting()

    def ask_isolated(self, world: str, function: str, *args: Any) -> Any:
        """Run a function apart from the page's scripts, once the page has loaded and stays, for
        which ChromeDriver would wait as well.
        """
        self._read_waiting()
        with contextlib.suppress(Late):
            self._settle(time.monotonic() + FOLLOW)
        try:
            return super().ask_isolated(world, function, *args)
        except TransportError as error:
            if any(text in str(error) for text in GONE):
                raise PageMoved(str(error)) from error
            raise

    def address(self) -> str:
        """Return the URL that Chrome gives for the tab."""
        try:
            return str(self._call("Target.getTargetInfo")["targetInfo"]["url"])
        except (Late, Refused) as error:
            raise TransportError(str(error) or "no answer in time") from error

    def reset(self) -> None:
        """Show about:blank."""
        try:
            arrival = self.go("about:blank", ANSWER_TIMEOUT)
        except TransportError as error:
            raise self.health.lost(str(error)) from error
        if arrival.late or arrival.error:
            raise self.health.lost(arrival.error or "no answer in time", hung=arrival.late)
        self.health.show(TabState.BLANK)

    def alive(self, timeout: float) -> bool:
        """Whether Chrome answers within ``timeout`` seconds, and has the tab."""
        try:
            return self._context.tab in self._pages(time.monotonic() + timeout)
        except (BrowserLost, Late, Refused):
            return False

    def alone(self) -> bool:
        """Close the windows that pages opened, and return True. Without its own tab, or with
        windows without an end, the session is distrusted.
        """
        for attempt in range(POPUP_ROUNDS):
            try:
                pages = self._pages()
                if self._context.tab not in pages:
                    self.health.distrust("its tab is gone")
                    return True
                if len(pages) == 1:
                    return True
                for page in pages:
                    if page != self._context.tab:
                        self._close(page)
            except (Late, Refused) as error:
                self.health.distrust(f"its windows: {error or 'no answer in time'}")
                return True
            if attempt:  # a page that opens windows faster than they are closed is left
                self.reset()
        self.health.distrust("windows without an end")
        return True

    def _close(self, page: str) -> None:
        try:
            self._call("Target.closeTarget", targetId=page)
        except Refused:  # it closed by itself
            return

    def _pages(self, end: float | None = None) -> list[str]:
        """Return the windows and tabs of this session. Raises BrowserLost, Late, Refused."""
        targets: list[Any] = self._call("Target.getTargets", end, filter=[{"type": "page"}])[
            "targetInfos"
        ]
        context = self._context.context
        return [one["targetId"] for one in targets if one.get("browserContextId") == context]

    def _broken(self) -> BrowserLost:
        """Return the error for a broken line: perhaps Chrome has gone, with all its sessions."""
        shared = self.health.good and self._context.died()
        return self.health.lost("the line to Chrome broke", shared=shared)
