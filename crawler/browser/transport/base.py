"""The interface of a way to a page, its errors, and the one value that says how well a session is.

:class:`Transport` has two implementations: ``webdriver`` asks everything of Selenium, ``devtools``
speaks Chrome's own protocol beside a Selenium session. Callers do not ask which one they have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...errors import BrowserError, BrowserLost
from .javascript import call_of

#: Seconds for which a page that has loaded may put off going elsewhere by itself, and is waited
#: for. ChromeDriver waits as long.
FOLLOW = 1.0


class TransportError(BrowserError):
    """Something that was asked of a page failed; the text is Chrome's. The session is alive."""


class ScriptError(TransportError):
    """A script raised, or cannot be compiled."""


class ScriptTimeout(TransportError):
    """A script did not end in time. The session may never answer again, and is distrusted."""


class PageMoved(TransportError):
    """The page went elsewhere while it was asked."""


class DialogOpen(TransportError):
    """A dialog stops the page; one or more were dismissed, and there are others."""


class NoDocument(TransportError):
    """No document of a site is there from which a form could be sent; ``error`` is Chrome's."""

    def __init__(self, error: str = "") -> None:
        super().__init__(error)
        self.error = error


class NoLine(TransportError):
    """The line to the tab cannot be opened; the text says why."""


class TabState(Enum):
    """The document that a tab shows, as far as we brought it there."""

    OTHER = "another than the one that was requested last, perhaps"
    REQUESTED = "the one that was requested last"
    BLANK = "about:blank"


class Health:
    """The condition of one session: may it serve another page, and what does its tab show?

    ``fault`` is the reason why the session must not serve another page; None: it may.
    ``url`` is the page that was requested last; errors name it.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self.tab = TabState.OTHER
        self.url = ""

    def __repr__(self) -> str:
        return f"<health: {self.fault or 'good'}, the tab shows {self.tab.value}>"

    @property
    def good(self) -> bool:
        """Whether this session may serve another page."""
        return self.fault is None

    def distrust(self, reason: str) -> None:
        """Let this session serve no other page. The last reason counts."""
        self.fault = reason

    def lost(
        self, reason: str, *, hung: bool = False, away: bool = False, shared: bool = False
    ) -> BrowserLost:
        """Distrust this session, and return the error that says that it is lost."""
        self.distrust(reason)
        return BrowserLost(self.url, reason, hung, away, shared)

    def request(self, url: str) -> None:
        """Note that ``url`` is requested; until it is here the tab may show any other page."""
        self.url = url
        self.show(TabState.OTHER)

    def show(self, tab: TabState) -> None:
        """Note what the tab shows now."""
        self.tab = tab


@dataclass(frozen=True, slots=True)
class Arrival:
    """The end of a navigation, as far as the transport knows it.

    ``error`` is Chrome's ("ERR_…"), or "". ``new`` says whether the tab shows a document that was
    not there before; None: unknown. ``late``: time was up before that document had loaded.
    """

    error: str = ""
    download: bool = False
    new: bool | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class DebuggerAddress:
    """The websocket ``url`` at which a tab speaks Chrome's own protocol.

    ``target`` is the tab to attach to, where the socket leads to the whole browser; None: the
    socket is the tab's own. ``headers`` are what the server wants to see.
    """

    url: str
    target: str | None
    headers: dict[str, str]


class Transport(ABC):
    """A way to the page in a session's tab. For one thread; only ``cut`` is for any.

    Each method may raise BrowserLost (the session is dead) and has distrusted the session then.
    """

    health: Health
    #: Where the page's declared refresh leads, and after how many seconds; None: it declares none,
    #: or this way to the page does not tell.
    refresh: tuple[str, float] | None = None
    #: Whether ``refresh`` knows those that a header declares.
    tells_refresh: bool = False

    @abstractmethod
    def go(self, url: str, timeout: float, referer: str = "") -> Arrival:
        """Go to ``url``, and wait at most ``timeout`` seconds until the page has loaded. Its
        request says that ``referer`` led there ("": nothing).

        Raises:
            DialogOpen: the page opens dialogs without an end.
            TransportError: it failed for a reason that is not known.
        """

    @abstractmethod
    def submit(
        self,
        url: str,
        pairs: Sequence[tuple[str, str]],
        timeout: float,
        sending: Callable[[], None],
    ) -> Arrival:
        """Submit a form with ``pairs`` of names and values to ``url``, once, from a document of the
        same site, and wait as ``go`` does for the page that comes.

        ``sending`` is called right before; its error passes through, and nothing is sent then.

        Raises:
            DialogOpen: the page opens dialogs without an end.
            NoDocument: there is no document from which it could be sent; nothing was.
            TransportError: it failed for a reason that is not known.
        """

    @abstractmethod
    def ask(
        self, function: str, *args: Any, timeout: float | None = None, follow: bool = False
    ) -> Any:
        """Run the body of a JavaScript ``function`` in the page, and return its value, as JSON.

        ``timeout`` is in seconds; None: the session's own for scripts. With ``follow`` a page that
        has said that it goes elsewhere is waited for, where that is known. In a frame that a hook
        switched to, the frame is asked.

        Raises:
            ScriptError, ScriptTimeout, PageMoved, DialogOpen, TransportError: there is no value.
        """

    def ask_isolated(self, world: str, function: str, *args: Any) -> Any:
        """Run the body of a function in a JavaScript ``world`` apart from the page's own scripts.

        For a page that has broken what answers stand on: its scripts may replace ``JSON``,
        ``Object``, the methods of all strings, and ChromeDriver's own scripts fail then. In a world
        of its own, as extensions have it, everything is as Chrome made it. This takes three round
        trips instead of one.

        Raises:
            TransportError: it fails here as well, or the page went elsewhere meanwhile.
        """
        frame = self.cdp("Page.getFrameTree")["frameTree"]["frame"]["id"]
        isolated = self.cdp("Page.createIsolatedWorld", frameId=frame, worldName=world)
        answer = self.cdp(
            "Runtime.evaluate",
            contextId=isolated["executionContextId"],
            expression=call_of(function, args),
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise ScriptError(str(answer["exceptionDetails"].get("text")))
        return answer["result"].get("value")

    @abstractmethod
    def cdp(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol, and return its result. Raises TransportError."""

    def collect_garbage(self) -> None:
        """Have the tab's process give back the memory of the pages that are gone, in some ten
        milliseconds. Raises TransportError.
        """
        self.cdp("HeapProfiler.collectGarbage")

    def heap(self) -> int | None:
        """Return the bytes that scripts and documents hold in the tab, those of pages that are gone
        included; None: asking costs more here than it is worth. Raises TransportError.
        """
        return None

    @abstractmethod
    def address(self) -> str:
        """Return the URL that the tab claims; for an error page, the one that gave none."""

    @abstractmethod
    def reset(self) -> None:
        """Show about:blank, so that nothing of the page runs any longer. Raises BrowserLost."""

    @abstractmethod
    def alive(self, timeout: float) -> bool:
        """Whether the session answers within ``timeout`` seconds, and has a tab."""

    @abstractmethod
    def alone(self) -> bool:
        """Whether the tab is there and no other window is, if that is known at little cost."""

    @abstractmethod
    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Give each command of this block at most ``seconds``; a session that takes longer is lost.

        ``ask`` has its own ``timeout``, which counts where it is shorter.
        """

    @abstractmethod
    def attach(self, address: DebuggerAddress | None) -> None:
        """Go on in another tab of the session, whose ``address`` this is."""

    @abstractmethod
    def cut(self) -> None:
        """End the command in flight, where that can be done from another thread."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close the connections; the session goes on."""


def referred(referer: str) -> dict[str, str]:
    """Return the parameters of ``Page.navigate`` by which its request has this ``referer``, as it
    is, whatever policy Chrome would follow; none if it is "".
    """
    return {"referrer": referer, "referrerPolicy": "unsafeUrl"} if referer else {}


def first_line(error: Exception) -> str:
    """Return the first line of an error of Chrome, without its stack trace."""
    text = str(getattr(error, "msg", None) or error).strip() or type(error).__name__
    return text.splitlines()[0]
