"""A second line to the tab of a session, in Chrome's own protocol: pages are fetched over it, hooks
go through WebDriver.

ChromeDriver asks each page questions of its own, and tells only in part what became of a
navigation. Over this line Chrome itself says what happens, when it happens: that a document was
committed, and which; that it has loaded; that a download came instead; that a dialog is open; that
the tab crashed. So nothing is guessed, and a page costs less.

Where there is no such line (a ChromeDriver on another machine offers none) WebDriver fetches the
pages as well.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import websocket
from selenium.common.exceptions import (
    JavascriptException,
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)

from ...errors import BrowserLost

if TYPE_CHECKING:
    from .webdriver import Driver

log = logging.getLogger(__name__)

#: Seconds in which the line must be there, and in which Chrome must answer what it does without
#: asking the page.
ANSWER_TIMEOUT = 10.0
#: Seconds for which a page that has loaded may put off going elsewhere by itself, and is waited
#: for. ChromeDriver waits as long.
FOLLOW = 1.0
#: Dialogs of one page that are dismissed.
DIALOGS = 50
#: How often a page may go elsewhere by itself, within its document or out of it, in so many
#: seconds. Chrome lets a tab do so 200 times in 10 s, and nothing more then, whatever page it
#: shows.
MOVES, MOVES_SPAN = 100, 10.0
#: Times that a question is put anew because the page went elsewhere.
QUESTIONS = 5
#: What Chrome answers when the document that was asked went away meanwhile.
GONE = (
    "Cannot find context",
    "context was destroyed",
    "navigated or closed",
    "Cannot find default execution context",
)
#: The event with which a document is there, for each load strategy.
STAGES = {"normal": "Page.loadEventFired", "eager": "Page.domContentEventFired"}
#: Hosts that are this machine: what a ChromeDriver there calls localhost is reached from here.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Late(Exception):
    """Time is up, and nothing else is known to be wrong. Never leaves this module."""


class Moved(Exception):
    """The document that was asked is gone. Never leaves this module."""


class Gone(Exception):
    """The line, or the tab, is no more. Never leaves this module."""


class Refused(Exception):
    """Chrome does not do what it was told, or a script raised. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a navigation: Chrome's ``error`` ("ERR_…", or ""), whether it was a
    ``download``, whether the tab shows a document that was not there before (``new``), and whether
    that was still loading when time was up (``late``).
    """

    error: str = ""
    download: bool = False
    new: bool = False
    late: bool = False


class DevTools:
    """The line to the tab ``target`` of the session of ``driver``; for one thread, only ``cut`` is
    for any.

    A document is there when it reached the stage of ``load_strategy``. Whatever means that the
    session is dead raises BrowserLost, and puts ``driver`` in doubt.

    Raises:
        OSError, websocket.WebSocketException: there is no line.
    """

    def __init__(
        self,
        driver: Driver,
        address: str,
        *,
        attach: str | None,
        load_strategy: str,
        headers: Mapping[str, str],
    ) -> None:
        self.driver = driver
        self._dialogs = 0  # that this page opened
        # when pages went elsewhere by themselves, lately
        self._moves: deque[float] = deque(maxlen=MOVES)
        self._stage = STAGES[load_strategy]
        self._socket = websocket.create_connection(
            address,
            timeout=ANSWER_TIMEOUT,
            suppress_origin=True,
            enable_multithread=False,
            skip_utf8_validation=True,
            header=dict(headers),
            sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )
        self._line: Any = self._socket.sock
        self._number = 0
        self._awaited = 0  # number of the command whose answer somebody waits for
        self._answers: list[Mapping[str, Any]] = []  # that one, when it is here
        self._session: str | None = None
        self._frame = ""  # the main one
        self._loader = ""  # identifies the document that it shows
        self._asked = ""  # the document that somebody asks something of
        self._stages: set[str] = set()  # that this document has reached
        self._leaving = ""  # whether it goes elsewhere by itself: scheduled, requested or begun
        self._leaves = 0.0  # until when that is waited for, by the monotonic clock
        if attach:
            self._session = self._call("Target.attachToTarget", targetId=attach, flatten=True)[
                "sessionId"
            ]
        self._call("Page.enable")
        frame = self._call("Page.getFrameTree")["frameTree"]["frame"]
        self._frame, self._loader = frame["id"], frame["loaderId"]

    def go(self, url: str, timeout: float) -> Arrival:
        """Go to ``url``, and wait at most ``timeout`` seconds until what came has loaded, wherever
        it went from there.

        Raises:
            UnexpectedAlertPresentException: the page opens dialogs without an end. (So does
                ``ask``.)
        """
        end = time.monotonic() + timeout
        self._hear()
        before, self._dialogs = self._loader, 0
        try:
            answer = self._call("Page.navigate", end, url=url)
        except Late:
            self._send("Page.stopLoading", {})
            return Arrival(new=self._loader != before, late=True)
        except Refused as error:
            return Arrival(error=str(error))
        said, loader = answer.get("errorText", "").removeprefix("net::"), answer.get("loaderId")
        if said == "ERR_ABORTED" or not loader:
            return Arrival(
                error=said, download=bool(answer.get("isDownload")), new=self._loader != before
            )
        try:
            while self._loader == before:
                self._receive(end)
            self._settle(end)
        except Late:
            self._send("Page.stopLoading", {})
            return Arrival(error=said, new=self._loader != before, late=True)
        return Arrival(error=said, new=True)

    def ask(self, function: str, *args: Any, timeout: float, follow: bool = False) -> Any:
        """What the body of a JavaScript ``function`` returns in the document that the tab shows, as
        JSON; promises are awaited.

        If the page goes elsewhere meanwhile, the next document is asked when it has loaded; with
        ``follow`` also if it has said that it will.

        Raises:
            TimeoutException: there was no answer within ``timeout`` seconds; this session may never
                answer again.
            JavascriptException: the script raised.
            WebDriverException: the page goes elsewhere again and again.
        """
        end = time.monotonic() + timeout
        self._hear()
        answer: Any = None
        for asked in range(QUESTIONS):
            try:
                answer = self._evaluate(function, args, end)
                if not follow or not self._leaving:
                    return answer
            except Moved:
                if asked == QUESTIONS - 1:
                    raise WebDriverException("the page goes elsewhere again and again") from None
            except Late:
                self.driver.doubt = "a script did not end"
                raise TimeoutException("a script did not end in time") from None
            except Refused as error:
                raise JavascriptException(f"javascript error: {error}") from None
            with contextlib.suppress(Late):
                self._settle(end)
        return answer

    def alone(self) -> bool:
        """Whether this tab is there, and no other window is. Costs 0.2 ms; ``window_handles`` of
        WebDriver, 2 ms.
        """
        try:
            targets = self._call("Target.getTargets", filter=[{"type": "page"}])["targetInfos"]
        except (BrowserLost, Late, Refused):
            return False
        return len(targets) == 1

    def cut(self) -> None:
        """End the line at once; whoever waits on it is told. May be called from any thread, and
        again.
        """
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up; the session goes on."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=0)

    def _settle(self, end: float) -> None:
        """Wait until the document that the tab shows has loaded, and is not about to go elsewhere.
        Raises Late.
        """
        while self._stage not in self._stages:
            self._receive(end)
        while self._leaving:
            try:
                self._receive(min(end, self._leaves))
            except Late:
                if end < self._leaves:
                    raise
                self._leaving = ""  # it stays, after all
            while self._stage not in self._stages:
                self._receive(end)

    def _evaluate(self, function: str, args: tuple[Any, ...], end: float) -> Any:
        expression = f"(function() {{{function}\n}})({', '.join(map(json.dumps, args))})"
        self._asked = self._loader
        try:
            answer = self._call(
                "Runtime.evaluate",
                end,
                expression=expression,
                returnByValue=True,
                awaitPromise=True,
            )
        except Refused as error:
            if any(word in str(error) for word in GONE):
                raise Moved from None
            raise
        finally:
            self._asked = ""
        if fault := answer.get("exceptionDetails"):
            raise Refused(
                str(fault.get("exception", {}).get("description") or fault.get("text")).partition(
                    "\n"
                )[0]
            )
        return answer["result"].get("value")

    def _call(self, method: str, end: float | None = None, /, **params: Any) -> Mapping[str, Any]:
        """Send a command and wait for its answer, until ``end`` by the monotonic clock. Raises
        Late, Refused.
        """
        self._answers, self._awaited = [], self._send(method, params)
        end = time.monotonic() + ANSWER_TIMEOUT if end is None else end
        while not self._answers:
            self._receive(end)
            # it need not answer any more, and what it answers is no use
            if self._asked and self._asked != self._loader:
                raise Moved
        (answer,) = self._answers
        if error := answer.get("error"):
            raise Refused(str(error.get("message", "")))
        result: Mapping[str, Any] = answer["result"]
        return result

    def _send(self, method: str, params: Mapping[str, Any]) -> int:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        try:
            self._socket.send(json.dumps(message))
        except (OSError, websocket.WebSocketException) as error:
            raise self._broken() from error
        return self._number

    def _hear(self) -> None:
        """Take in what was said since somebody last listened."""
        while self._said():
            self._receive(time.monotonic() + ANSWER_TIMEOUT)

    def _said(self) -> bool:
        return bool(select.select([self._line], [], [], 0)[0])

    def _receive(self, end: float) -> None:
        """Take in one message. Raises Late if there is none until ``end``."""
        try:
            self._take(end)
        except Gone as error:
            raise self._broken() from error

    def _take(self, end: float) -> None:
        """The same, but raises Gone if there is no line any more."""
        left = end - time.monotonic()
        if left <= 0:
            raise Late
        try:
            self._socket.settimeout(left)
            text = self._socket.recv()
        except websocket.WebSocketTimeoutException:
            raise Late from None
        except (OSError, websocket.WebSocketException) as error:
            raise Gone from error
        except BaseException:  # a signal, between question and answer
            self.driver.doubt = "interrupted"
            raise
        if not text:
            raise Gone
        message = json.loads(text)
        if (number := message.get("id")) is not None:
            if number == self._awaited:
                self._answers.append(message)
        elif message.get("sessionId") == self._session:
            self._heard(message["method"], message.get("params", {}))

    def _heard(self, method: str, params: Mapping[str, Any]) -> None:
        """Note what Chrome says by itself."""
        match method:
            case "Page.domContentEventFired" | "Page.loadEventFired":
                self._stages.add(method)
            case "Page.frameNavigated":
                frame = params["frame"]
                if "parentId" not in frame:
                    self._frame, self._loader, self._stages, self._leaving = (
                        frame["id"],
                        frame["loaderId"],
                        set(),
                        "",
                    )
                    if params.get("type") == "BackForwardCacheRestore":  # it loaded long ago
                        self._stages |= {*STAGES.values()}
            # it broke off, if it had not loaded before; and so did what it began
            case "Page.frameStoppedLoading":
                if params["frameId"] == self._frame:
                    self._stages |= {*STAGES.values()}
                    if self._leaving == "begun":
                        self._leaving = ""
            case "Page.frameScheduledNavigation":
                if (
                    params["frameId"] == self._frame
                    and params["delay"] <= FOLLOW
                    and not self._leaving
                ):
                    self._leaving, self._leaves = (
                        "scheduled",
                        time.monotonic() + params["delay"] + FOLLOW,
                    )
            case "Page.frameClearedScheduledNavigation":
                if params["frameId"] == self._frame and self._leaving == "scheduled":
                    self._leaving = ""
            case "Page.navigatedWithinDocument":
                self._moved(params["frameId"])
            case "Page.frameRequestedNavigation":
                self._moved(params["frameId"])
                if (
                    params["frameId"] == self._frame
                    and params["disposition"] == "currentTab"
                    and self._leaving != "begun"
                ):
                    self._leaving, self._leaves = "requested", time.monotonic() + FOLLOW
            case "Page.frameStartedNavigating":
                if params["frameId"] == self._frame and params["navigationType"] != "sameDocument":
                    self._leaving, self._leaves = "begun", math.inf
            case "Page.javascriptDialogOpening":
                self._dialogs += 1
                if self._dialogs > DIALOGS:
                    self.driver.doubt = "dialogs without an end"
                    raise UnexpectedAlertPresentException(self.driver.doubt)
                # To stay on a page that asks whether it may be left would be to stay on it for
                # ever.
                self._send(
                    "Page.handleJavaScriptDialog", {"accept": params["type"] == "beforeunload"}
                )
            case "Inspector.targetCrashed":
                raise self.driver.lost("tab crashed")
            case "Inspector.detached" | "Target.detachedFromTarget":
                raise Gone

    def _moved(self, frame: str) -> None:
        """Give this tab up once its pages have gone elsewhere so often that the next one may be
        kept from it.

        Frames inside of a page go with it, and so does what they used up.
        """
        if frame != self._frame:
            return
        now = time.monotonic()
        self._moves.append(now)
        if (
            len(self._moves) == MOVES
            and now - self._moves[0] < MOVES_SPAN
            and not self.driver.doubt
        ):
            self.driver.doubt = "pages went elsewhere again and again"

    def _broken(self) -> BrowserLost:
        """Why the line broke: what WebDriver says of the session, if it still answers."""
        if not self.driver.doubt:
            try:
                with self.driver.within(ANSWER_TIMEOUT):
                    self.driver.execute("getCurrentUrl")
            except BrowserLost as lost:
                return lost
            except WebDriverException as error:
                log.debug(
                    "the line to %s broke, and WebDriver says: %s", self.driver.address, error.msg
                )
        return self.driver.lost("the line to Chrome broke")


def connect(driver: Driver, load_strategy: str) -> DevTools | None:
    """A line to the tab that ``driver`` is in; None: there is none to be had."""
    parts = urlsplit(driver.address)
    attach, headers = None, driver.headers
    if "se:cdp" in driver.capabilities:  # a Grid passes it on, at the address at which we know it
        scheme = "wss" if parts.scheme == "https" else "ws"
        address = f"{scheme}://{parts.netloc}{parts.path.removesuffix('/wd/hub')}/session/{driver.session_id}/se/cdp"
        attach = driver.current_window_handle
    elif parts.hostname in LOOPBACK and (
        where := driver.capabilities.get("goog:chromeOptions", {}).get("debuggerAddress")
    ):
        address = f"ws://127.0.0.1:{where.rpartition(':')[2]}/devtools/page/{driver.current_window_handle}"
    else:
        return None
    try:
        return DevTools(
            driver, address, attach=attach, load_strategy=load_strategy, headers=headers
        )
    except (OSError, websocket.WebSocketException, Late, Refused) as error:
        log.debug("there is no line to the Chrome of %s: %s", driver.address, error)
        return None
