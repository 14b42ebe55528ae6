"""A second line to the tab of a session, in Chrome's own protocol: pages are fetched over it, hooks
go through WebDriver.

ChromeDriver asks each page questions of its own, and tells only in part what became of a
navigation. Over this line Chrome itself says what happens, when it happens: a document was
committed, and which; it has loaded; a download came instead; a dialog is open; the tab crashed. So
nothing is guessed, and a page costs less.

Where there is no such line (a ChromeDriver on another machine offers none) WebDriver fetches the
pages as well.
"""

from __future__ import annotations

import base64
import contextlib
import math
import secrets as random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ...errors import BrowserError, BrowserLost
from ...observe.logs import logger
from .base import (
    FOLLOW,
    Arrival,
    DebuggerAddress,
    DialogOpen,
    NoDocument,
    NoLine,
    ScriptError,
    ScriptTimeout,
    Transport,
    TransportError,
    referred,
)
from .cdp_socket import CdpSocket, Gone, Late
from .javascript import call_of, script

log = logger(__name__)

#: Seconds in which the line must be open, and in which Chrome must answer what it does without
#: asking the page.
ANSWER_TIMEOUT = 10.0
#: Seconds in which the tab must answer what is asked between two pages.
IDLE_TIMEOUT = 3.0
#: Dialogs of one page that are dismissed.
DIALOGS = 50
#: How often a page may go elsewhere by itself, within its document or out of it, in so many
#: seconds. Chrome lets a tab do so 200 times in 10 s, and nothing more then, whatever page it
#: shows.
MOVES, MOVES_SPAN = 100, 10.0
#: Times that a question is asked because the page went elsewhere.
QUESTIONS = 5
#: Chrome's answers when the document that was asked went away meanwhile.
GONE = (
    "Cannot find context",
    "context was destroyed",
    "navigated or closed",
    "Cannot find default execution context",
)
#: The event with which a document has loaded, for each load strategy.
STAGES = {"normal": "Page.loadEventFired", "eager": "Page.domContentEventFired"}


#: Statuses of answers that have no document.
NO_CONTENT = (204, 205)
#: The document from which a form is sent: Chrome gets it from us, in place of the site's.
BLANK = {
    "responseCode": 200,
    "responseHeaders": [
        {"name": "Content-Type", "value": "text/html; charset=utf-8"},
        {"name": "Cache-Control", "value": "no-store"},
    ],
    "body": base64.b64encode(b"<!doctype html><title></title>").decode(),
}


class Moved(Exception):
    """The document that was asked is gone. Never leaves this module."""


class Refused(Exception):
    """Chrome does not do what it was told, or a script raised. Never leaves this module."""


class SeleniumSession(Protocol):
    """The WebDriver of the session, as far as this transport needs it."""

    @property
    def switched(self) -> bool:
        """Whether WebDriver may be in a frame, or in another window."""

    @property
    def script_timeout(self) -> float:
        """Seconds that a script may take."""

    @property
    def command_timeout(self) -> float:
        """Seconds in which a command must be answered now."""

    def leave_frame(self) -> None:
        """Leave the frame, if WebDriver may be in one."""


class MainDocument:
    """The document in the main frame of the tab, as Chrome's events tell of it.

    ``loader`` identifies it, ``stages`` are those that it has reached. ``leaving`` says whether it
    goes elsewhere by itself ("scheduled", "requested", "begun"; "": it does not), which is waited
    for until ``leaves``, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.frame, self.loader = "", ""
        self.stages: set[str] = set()
        self.begun = 0  # navigations elsewhere
        self.leaving, self.leaves = "", 0.0
        self.refresh: tuple[str, float] | None = None  # declared: its URL, and its seconds

    def note(self, method: str, params: Mapping[str, Any]) -> None:
        """Note an event of Chrome."""
        if method == "Page.frameNavigated":
            self._navigated(params["frame"], params.get("type"))
        elif method in STAGES.values():
            self.stages.add(method)
        elif params.get("frameId") == self.frame:
            self._note_own(method, params)

    def _navigated(self, frame: Mapping[str, Any], kind: str | None) -> None:
        if "parentId" in frame:
            return
        self.frame, self.loader = frame["id"], frame["loaderId"]
        self.stages, self.leaving, self.refresh = set(), "", None
        if kind == "BackForwardCacheRestore":  # it loaded long ago
            self.stages |= {*STAGES.values()}

    def _note_own(self, method: str, params: Mapping[str, Any]) -> None:
        """Note an event of the main frame."""
        match method:
            # it broke off, if it had not loaded before; and so did what it began
            case "Page.frameStoppedLoading":
                self.stages |= {*STAGES.values()}
                if self.leaving == "begun":
                    self.leaving = ""
            case "Page.frameScheduledNavigation":
                if params["reason"] in ("metaTagRefresh", "httpHeaderRefresh"):
                    self.refresh = params["url"], params["delay"]
                if params["delay"] <= FOLLOW and not self.leaving:
                    self._leave("scheduled", time.monotonic() + params["delay"] + FOLLOW)
            case "Page.frameClearedScheduledNavigation":
                if self.leaving == "scheduled":
                    self.leaving = ""
            case "Page.frameRequestedNavigation":
                if params["disposition"] == "currentTab" and self.leaving != "begun":
                    self._leave("requested", time.monotonic() + FOLLOW)
            case "Page.frameStartedNavigating":
                if params["navigationType"] != "sameDocument":
                    self.begun += 1
                    self._leave("begun", math.inf)

    def _leave(self, how: str, until: float) -> None:
        self.leaving, self.leaves = how, until


class DevTools(Transport):
    """The transport over Chrome's own protocol, to the tab at ``address``.

    What lasts for a session (``cdp``), and what happens in frames, goes by ``webdriver``, whose
    session is ``selenium``. A document is there when it reached the stage of
    ``load_strategy``.

    Raises:
        NoLine: the line cannot be opened. (So does ``attach``.)
    """

    tells_refresh = True

    def __init__(
        self,
        webdriver: Transport,
        selenium: SeleniumSession,
        address: DebuggerAddress,
        load_strategy: str,
    ) -> None:
        self._webdriver, self._selenium, self.health = webdriver, selenium, webdriver.health
        self._stage = STAGES[load_strategy]
        self._open(address)

    def _open(self, address: DebuggerAddress) -> None:
        self._dialogs = 0  # that this page opened
        # the times at which pages went elsewhere by themselves, lately
        self._moves: deque[float] = deque(maxlen=MOVES)
        self._awaited = 0  # number of the command whose answer is awaited
        self._answers: list[Mapping[str, Any]] = []  # the answer to it, when it is here
        self._asked = ""  # the loader of the document that is asked something; "": none is
        self._document = MainDocument()
        self._blank = ""  # whether a blank document is "asked" for, or "given"; "": neither
        self._lost_documents: list[str] = []  # Chrome's errors in place of documents
        self._answer = 0  # status of the last document
        try:
            self._socket = CdpSocket(address, ANSWER_TIMEOUT)
            if address.target:
                attached = self._call(
                    "Target.attachToTarget", targetId=address.target, flatten=True
                )
                self._socket.session = attached["sessionId"]
            self._call("Page.enable")
            frame = self._call("Page.getFrameTree")["frameTree"]["frame"]
        except (Gone, Late, Refused) as error:
            raise NoLine(str(error) or type(error).__name__) from error
        self._document.frame, self._document.loader = frame["id"], frame["loaderId"]

    def go(self, url: str, timeout: float, referer: str = "") -> Arrival:
        """Go to ``url``, and wait at most ``timeout`` seconds until the page that came has loaded,
        wherever it went from there. Its request says that ``referer`` led there.

        A navigation that is aborted is tried twice: the page before may have been on its way
        elsewhere.

        Raises:
            DialogOpen: the page opens dialogs without an end. (So does ``ask``.)
        """
        self._selenium.leave_frame()
        arrival = self._navigate(url, timeout, referer)
        if arrival.error == "ERR_ABORTED" and not arrival.download:
            arrival = self._navigate(url, timeout, referer)
        return arrival

    def _navigate(self, url: str, timeout: float, referer: str) -> Arrival:
        end = time.monotonic() + timeout
        self._read_waiting()
        before, self._dialogs = self._document.loader, 0
        try:
            answer = self._call("Page.navigate", end, url=url, **referred(referer))
        except Late:
            self._send("Page.stopLoading", {})
            return Arrival(new=self._document.loader != before, late=True)
        except Refused as error:
            malformed = str(error).startswith("Cannot navigate")
            return Arrival("ERR_INVALID_URL" if malformed else "", new=False)
        code = answer.get("errorText", "").removeprefix("net::")
        if code == "ERR_ABORTED" or not answer.get("loaderId"):
            download = bool(answer.get("isDownload"))
            return Arrival(code, download, new=self._document.loader != before)
        try:
            while self._document.loader == before:
                self._receive(end)
            self._settle(end)
        except Late:
            self._send("Page.stopLoading", {})
            return Arrival(code, new=self._document.loader != before, late=True)
        return Arrival(code, new=True)

    def submit(
        self,
        url: str,
        pairs: Sequence[tuple[str, str]],
        timeout: float,
        sending: Callable[[], None],
    ) -> Arrival:
        """Submit a form to ``url`` from a document that Chrome takes for one of the site, and gets
        from us. No worker of the site comes between them.
        """
        self._selenium.leave_frame()
        end, form = time.monotonic() + timeout, "_" + random.token_hex(8)
        try:
            self._make_form(url, pairs, form, end)
            sending()
            return self._send_form(form, time.monotonic() + timeout)
        finally:
            with contextlib.suppress(BrowserLost, Late, Refused):
                self._call("Network.disable")

    def _make_form(self, url: str, pairs: Sequence[tuple[str, str]], form: str, end: float) -> None:
        """Make the form, which is called ``form``, in a document of its site. Raises NoDocument."""
        try:
            self._open_blank(url, end)
            if self._evaluate(call_of(script("form.js"), (url, pairs, form)), end):
                return
        except Late:
            raise NoDocument("ERR_TIMED_OUT") from None
        except (Moved, Refused) as error:
            raise NoDocument from error
        raise NoDocument

    def _send_form(self, form: str, end: float) -> Arrival:
        """Submit the form that was made, and wait for what comes."""
        before, begun = self._document.loader, self._document.begun
        self._lost_documents, self._answer = [], 0
        try:
            with contextlib.suppress(Moved):
                self._evaluate(call_of(script("submit.js"), (form,)), end)
            while self._document.loader == before:
                # it has begun, and is over: nothing comes, or a file in place of a document
                if self._document.begun > begun and not self._document.leaving:
                    download = self._answer not in (0, *NO_CONTENT)
                    return Arrival(self._lost_error() or "ERR_ABORTED", download, new=False)
                self._receive(end)
            self._settle(end)
        except Late:
            self._send("Page.stopLoading", {})
            return Arrival(self._lost_error(), new=self._document.loader != before, late=True)
        except Refused as error:
            raise TransportError(str(error)) from error
        return Arrival(self._lost_error(), new=True)

    def _open_blank(self, url: str, end: float) -> None:
        """Show a blank document at ``url``, for which nothing is requested. Raises Late, Moved,
        Refused, NoDocument.
        """
        self._read_waiting()
        self._dialogs, self._blank, before = 0, "asked", self._document.loader
        self._call("Network.enable")
        self._call("Network.setBypassServiceWorker", bypass=True)
        self._call("Fetch.enable", patterns=[{"resourceType": "Document"}])
        try:
            answer = self._call("Page.navigate", end, url=url)
            if answer.get("errorText") or self._blank != "given":
                raise NoDocument(answer.get("errorText", "").removeprefix("net::"))
            while self._document.loader == before:
                self._receive(end)
            self._settle(end)
        finally:
            self._blank = ""
            self._call("Fetch.disable")

    def _lost_error(self) -> str:
        """Return Chrome's error for the last document that did not come; "": all came."""
        return self._lost_documents[-1] if self._lost_documents else ""

    def _give_blank(self, params: Mapping[str, Any]) -> None:
        """Give Chrome the blank document that it is about to request for the tab; let it request
        others, of frames, itself.
        """
        request = {"requestId": params["requestId"]}
        if self._blank == "asked" and params["frameId"] == self._document.frame:
            self._blank = "given"
            self._send("Fetch.fulfillRequest", {**request, **BLANK})
        else:
            self._send("Fetch.continueRequest", request)

    def ask(
        self, function: str, *args: Any, timeout: float | None = None, follow: bool = False
    ) -> Any:
        """Run a function in the document that the tab shows; promises are awaited.

        If the page goes elsewhere meanwhile, the next document is asked when it has loaded; with
        ``follow`` also if the page has said that it will.
        """
        selenium = self._selenium
        if selenium.switched:
            return self._webdriver.ask(function, *args, timeout=timeout)
        seconds = (
            selenium.script_timeout if timeout is None else min(timeout, selenium.command_timeout)
        )
        end = time.monotonic() + seconds
        self._read_waiting()
        value: Any = None
        for number in range(1, QUESTIONS + 1):
            try:
                value = self._evaluate(call_of(function, args), end)
                if not follow or not self._document.leaving:
                    return value
            except Moved:
                if number == QUESTIONS:
                    raise TransportError("the page goes elsewhere again and again") from None
            except Late:
                self.health.distrust("a script did not end")
                raise ScriptTimeout("a script did not end in time") from None
            except Refused as error:
                raise ScriptError(f"javascript error: {error}") from None
            with contextlib.suppress(Late):
                self._settle(end)
        return value

    @property
    def refresh(self) -> tuple[str, float] | None:  # type: ignore[override]
        """Where the page's declared refresh leads, and after how many seconds."""
        return self._document.refresh

    def cdp(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command by ChromeDriver: what it sets outlives this line, and its events do not
        burden it.
        """
        return self._webdriver.cdp(method, **params)

    def collect_garbage(self) -> None:
        """Have the tab's process give back the memory of the pages that are gone."""
        self._call_while_idle("HeapProfiler.collectGarbage")

    def heap(self) -> int | None:
        """Return the bytes that scripts and documents hold in the tab. Costs 0.7 ms of CPU."""
        usage = self._call_while_idle("Runtime.getHeapUsage")
        kinds = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
        return sum(int(usage.get(kind, 0)) for kind in kinds)

    def _call_while_idle(self, method: str) -> Mapping[str, Any]:
        """Send a command that a page whose script does not end keeps waiting."""
        try:
            return self._call(method, time.monotonic() + IDLE_TIMEOUT)
        except (Late, Refused) as error:
            raise TransportError(f"{method}: {error or 'no answer in time'}") from error

    def address(self) -> str:
        """Return the URL that ChromeDriver gives for the tab."""
        return self._webdriver.address()

    def reset(self) -> None:
        """Show about:blank, by ChromeDriver, which then knows it as well."""
        self._webdriver.reset()

    def alive(self, timeout: float) -> bool:
        """Whether ChromeDriver and Chrome answer within ``timeout`` seconds."""
        return self._webdriver.alive(timeout)

    def alone(self) -> bool:
        """Whether this tab is there, and no other window is. Costs 0.2 ms; WebDriver takes 2 ms."""
        try:
            targets = self._call("Target.getTargets", filter=[{"type": "page"}])["targetInfos"]
        except (BrowserLost, Late, Refused):
            return False
        return len(targets) == 1

    def within(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Give each command of WebDriver in this block at most ``seconds``."""
        return self._webdriver.within(seconds)

    def attach(self, address: DebuggerAddress | None) -> None:
        """Hang up, and open a line to another tab."""
        self._socket.close()
        if address is None:
            raise NoLine("the endpoint offers none")
        self._open(address)

    def cut(self) -> None:
        """End the line at once, from any thread; the thread that waits on it gets BrowserLost."""
        self._socket.cut()

    def hang_up(self) -> None:
        """Close this line, and WebDriver's connections."""
        self._socket.close()
        self._webdriver.hang_up()

    def _settle(self, end: float) -> None:
        """Wait until the document that the tab shows has loaded, and is not about to go elsewhere.
        Raises Late.
        """
        document = self._document
        while self._stage not in document.stages:
            self._receive(end)
        while document.leaving:
            try:
                self._receive(min(end, document.leaves))
            except Late:
                if end < document.leaves:
                    raise
                document.leaving = ""  # it stays, after all
            while self._stage not in document.stages:
                self._receive(end)

    def _evaluate(self, expression: str, end: float) -> Any:
        """Return the value of an expression. Raises Late, Moved, Refused."""
        self._asked = self._document.loader
        try:
            answer = self._call(
                "Runtime.evaluate",
                end,
                expression=expression,
                returnByValue=True,
                awaitPromise=True,
            )
        except Refused as error:
            if any(text in str(error) for text in GONE):
                raise Moved from None
            raise
        finally:
            self._asked = ""
        if fault := answer.get("exceptionDetails"):
            text = str(fault.get("exception", {}).get("description") or fault.get("text"))
            raise Refused(text.partition("\n")[0])
        return answer["result"].get("value")

    def _call(self, method: str, end: float | None = None, /, **params: Any) -> Mapping[str, Any]:
        """Send a command and wait for its answer, until ``end`` by the monotonic clock. Raises
        Late, Moved, Refused.
        """
        self._answers, self._awaited = [], self._send(method, params)
        end = time.monotonic() + ANSWER_TIMEOUT if end is None else end
        while not self._answers:
            self._receive(end)
            # it need not answer any more, and what it answers is no use
            if self._asked and self._asked != self._document.loader:
                raise Moved
        (answer,) = self._answers
        if error := answer.get("error"):
            raise Refused(str(error.get("message", "")))
        result: Mapping[str, Any] = answer["result"]
        return result

    def _send(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a command; return its number. Raises BrowserLost."""
        try:
            return self._socket.send(method, params)
        except Gone as error:
            raise self._broken() from error

    def _read_waiting(self) -> None:
        """Take in the messages that came since the last command."""
        while self._socket.has_message():
            self._receive(time.monotonic() + ANSWER_TIMEOUT)

    def _receive(self, end: float) -> None:
        """Take in one message. Raises Late if none comes until ``end``, and BrowserLost."""
        try:
            message = self._socket.receive(end)
        except Late:
            raise
        except Gone as error:
            raise self._broken() from error
        except BaseException:  # a signal, between question and answer
            self.health.distrust("interrupted")
            raise
        if (number := message.get("id")) is not None:
            if number == self._awaited:
                self._answers.append(message)
        elif message.get("sessionId") == self._socket.session:
            self._note(message["method"], message.get("params", {}))

    def _note(self, method: str, params: Mapping[str, Any]) -> None:
        """Note what Chrome says by itself; dismiss dialogs."""
        match method:
            case "Page.javascriptDialogOpening":
                self._dialogs += 1
                if self._dialogs > DIALOGS:
                    self.health.distrust("dialogs without an end")
                    raise DialogOpen("dialogs without an end")
                # To stay on a page that asks whether it may be left would be to stay on it for
                # ever.
                self._send(
                    "Page.handleJavaScriptDialog", {"accept": params["type"] == "beforeunload"}
                )
            case "Fetch.requestPaused":
                self._give_blank(params)
            case "Network.loadingFailed" if params["type"] == "Document":
                self._lost_documents.append(params["errorText"].removeprefix("net::"))
            case "Network.responseReceived" if params["type"] == "Document":
                self._answer = params["response"]["status"]
            case "Inspector.targetCrashed":
                raise self.health.lost("tab crashed")
            case "Inspector.detached" | "Target.detachedFromTarget":
                raise self._broken()
            case "Page.navigatedWithinDocument" | "Page.frameRequestedNavigation":
                self._count_move(params["frameId"])
        self._document.note(method, params)

    def _count_move(self, frame: str) -> None:
        """Give this tab up once its pages have gone elsewhere so often that the next one may be
        kept from it.

        Frames inside of a page go with it, and so does what they used up.
        """
        if frame != self._document.frame:
            return
        now = time.monotonic()
        self._moves.append(now)
        often = len(self._moves) == MOVES and now - self._moves[0] < MOVES_SPAN
        if often and self.health.good:
            self.health.distrust("pages went elsewhere again and again")

    def _broken(self) -> BrowserLost:
        """Return the error for a broken line: that of WebDriver, if the session does not answer."""
        if self.health.good:
            try:
                with self.within(ANSWER_TIMEOUT):
                    self._webdriver.address()
            except BrowserLost as lost:
                return lost
            except BrowserError as error:
                log.debug("the line to Chrome broke, and WebDriver says: %s", error)
        return self.health.lost("the line to Chrome broke")
