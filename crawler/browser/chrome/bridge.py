"""A bridge to the browser at a bare DevTools endpoint, so that ChromeDriver can work there.

ChromeDriver attaches to a Chrome by host and port only, on several connections; a hosted browser
has an address with a token, and often gives each connection a browser of its own. So this is a
Chrome of this machine in the eyes of ChromeDriver, and one connection in those of the endpoint.

The session has a browser context of its own: its cookies and its tabs are nobody else's, it does
not see others', and it ends with the connection, however this process ends. The browser goes on.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import websocket

from ...errors import BrowserUnavailable
from ...net.websocket_server import Closed, WebSocketServer, read_head
from ...observe.logs import logger
from .bare_endpoint import open_line, shown

log = logger(__name__)

#: Seconds for an answer of the browser to a question of the bridge, and for one when it ends.
ANSWER_TIMEOUT, END_TIMEOUT = 20.0, 3.0
#: Seconds between two calls of what is done while an answer is awaited.
MEANWHILE = 0.1
#: Seconds that ChromeDriver may take for its part of a connection.
CLIENT_TIMEOUT = 10.0
#: Commands that would end a browser which may not be ours.
ENDING = frozenset({"Browser.close", "Browser.crash", "Browser.crashGpuProcess"})
#: Commands that mean the browser's first context, unless they name another one.
OF_CONTEXT = frozenset((
    "Browser.setDownloadBehavior", "Browser.setPermission", "Browser.grantPermissions",
    "Browser.resetPermissions", "Target.createTarget",
))  # fmt: skip
#: The same on the browser's own connection; a tab means its own context by them.
OF_BROWSER = frozenset({"Storage.getCookies", "Storage.setCookies", "Storage.clearCookies"})
#: Commands that Chrome takes from anybody, but heeds only for who hears of the tab's pages.
OF_LISTENERS = frozenset({"Page.addScriptToEvaluateOnNewDocument"})

Message = dict[str, Any]


class Client:
    """A connection of ChromeDriver or ours, to the browser, or to a tab by its ``session``."""

    def __init__(self, websocket: WebSocketServer, session: str | None) -> None:
        self.websocket, self.session = websocket, session

    def send(self, message: Message) -> None:
        """Send a message, if it still listens."""
        if self.session and message.get("sessionId") == self.session:
            del message["sessionId"]
        try:
            self.websocket.send(json.dumps(message))
        except OSError:
            self.websocket.close()


class Question:
    """A command on its way: whose it is (None: the bridge's), the number it had, and the answer."""

    def __init__(self, client: Client | None, number: int, method: str, *, at_root: bool) -> None:
        self.client, self.number, self.method = client, number, method
        self.attaches = at_root and method == "Target.attachToTarget"
        self.answered, self.answer = threading.Event(), Message()


class Bridge:
    """A Chrome on a port of this machine that is the one at the endpoint ``url``. Its context goes
    through ``proxy``, if there is one, but for the addresses that ``bypass`` lists.

    Raises:
        BrowserUnavailable: the endpoint gives no browser within ``timeout`` seconds.
    """

    def __init__(self, url: str, timeout: float, proxy: str = "", bypass: str = "") -> None:
        self.endpoint = shown(url)
        #: Why the line to the endpoint broke; "": it is there.
        self.broken = ""
        self._cut = False  # by us
        self._own = ""  # our session of the tab, once it is told something
        self._listens = False  # whether that hears of the tab's pages
        self._line = open_line(url, timeout)
        self._lock = threading.Lock()
        self._questions: dict[int, Question] = {}
        self._number = 0  # of the last command
        self._clients: set[Client] = set()
        self._browser: Client | None = None  # ChromeDriver's own connection
        self._path = f"/devtools/browser/{secrets.token_hex(16)}"
        self._owners: dict[str, Client | None] = {}  # by session
        # events of sessions that somebody asked for, and whose answer is yet to come
        self._early: dict[str, Message] = {}
        self._context, self._tabs = "", set[str]()
        self._thread(self._receive, "bridge")
        try:
            self._open(proxy, bypass)
            self._listener = socket.create_server(("127.0.0.1", 0))
        except BaseException:
            self._line.cut()
            raise
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread(self._accept, "bridge-accept")

    def _open(self, proxy: str, bypass: str) -> None:
        """Make a context of our own, with a tab."""
        options = {"proxyServer": proxy, "proxyBypassList": bypass}
        given = {name: value for name, value in options.items() if value}
        try:
            answer = self._ask("Target.createBrowserContext", disposeOnDetach=True, **given)
            self._context = answer["browserContextId"]
        except Refused as error:
            if given:
                raise BrowserUnavailable(f"{self.endpoint} takes no proxy: {error}") from None
            words = "%s gives its sessions no context of their own (%s): they share its cookies"
            log.warning(words, self.endpoint, error)
        try:
            within = {"browserContextId": self._context} if self._context else {}
            self.tab: str = self._ask("Target.createTarget", url="about:blank", **within)[
                "targetId"
            ]
            version = self._ask("Browser.getVersion")
        except Refused as error:
            raise BrowserUnavailable(f"{self.endpoint} opens no tab: {error}") from None
        self._tabs.add(self.tab)
        #: What the browser calls itself.
        self.user_agent: str = version["userAgent"]
        #: Its name and version ("HeadlessChrome/140.0.1").
        self.product: str = version["product"]
        self._version = {
            "Browser": version["product"],
            "Protocol-Version": version["protocolVersion"],
            "User-Agent": version["userAgent"],
            "V8-Version": version["jsVersion"],
            # ChromeDriver wants to read one
            "WebKit-Version": f"537.36 (@{version['revision'].lstrip('@') or '0' * 40})",
        }

    def close(self) -> None:
        """End the context and its tabs, and the line. May be called again, and from any thread."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if not self.broken:
            with contextlib.suppress(Refused, BrowserUnavailable):
                if self._context:
                    context = {"browserContextId": self._context}
                    self._ask("Target.disposeBrowserContext", END_TIMEOUT, **context)
                else:
                    for tab in tuple(self._tabs):
                        self._ask("Target.closeTarget", END_TIMEOUT, targetId=tab)
        self.cut()

    def cut(self) -> None:
        """End the line at once, from any thread: the endpoint ends the context."""
        self._cut = True
        self._line.cut()

    @property
    def context(self) -> str:
        """The browser context of this session; "": the endpoint gives none."""
        return self._context

    def died(self) -> bool:
        """Whether the browser has gone, and not at our word. Takes seconds if it hangs."""
        if not self.broken and not self._cut:
            with contextlib.suppress(Refused, BrowserUnavailable):
                self._ask("Browser.getVersion", END_TIMEOUT)
        return bool(self.broken) and not self._cut

    def tell(
        self,
        method: str,
        params: Message,
        timeout: float,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Message:
        """Tell the tab something that lasts as long as this bridge, and return the answer.
        ``meanwhile`` is called again and again until it comes.

        Raises:
            Refused: the browser does not do it.
            TimeoutError: no answer came in ``timeout`` seconds.
            BrowserUnavailable: the line is gone.
        """
        if not self._own:
            attached = self._ask("Target.attachToTarget", targetId=self.tab, flatten=True)
            self._own = attached["sessionId"]
        if method in OF_LISTENERS and not self._listens:
            self._listens = True
            self.tell("Page.enable", {}, timeout, meanwhile)
        if self._context and method in OF_CONTEXT:
            params = {"browserContextId": self._context, **params}
        question = Question(None, 0, method, at_root=False)
        self._send(question, {"method": method, "params": params, "sessionId": self._own})
        end = time.monotonic() + timeout
        while not question.answered.wait(min(MEANWHILE, timeout)):
            if time.monotonic() > end:
                raise TimeoutError(f"no answer to {method} in {timeout:g} s")
            meanwhile()
        if self.broken:
            raise BrowserUnavailable(f"{self.endpoint}: {self.broken}")
        if error := question.answer.get("error"):
            raise Refused(str(error.get("message", "")))
        result: Message = question.answer["result"]
        return result

    # -- the endpoint's side

    def _ask(self, method: str, timeout: float = ANSWER_TIMEOUT, /, **params: Any) -> Message:
        """Return the browser's answer. Raises Refused, BrowserUnavailable."""
        question = Question(None, 0, method, at_root=True)
        self._send(question, {"method": method, "params": params})
        if not question.answered.wait(timeout) or self.broken:
            why = self.broken or f"no answer to {method} in {timeout:g} s"
            raise BrowserUnavailable(f"{self.endpoint}: {why}")
        if error := question.answer.get("error"):
            raise Refused(str(error.get("message", "")))
        result: Message = question.answer["result"]
        return result

    def _send(self, question: Question, message: Message) -> None:
        with self._lock:
            self._number += 1
            self._questions[self._number] = question
            message["id"] = self._number
        try:
            self._line.send(message)
        except (OSError, websocket.WebSocketException) as error:
            self._break(error)

    def _receive(self) -> None:
        try:
            while True:
                message = self._line.receive()
                if "id" in message:
                    self._take_answer(message)
                else:
                    self._take_event(message)
        except (OSError, websocket.WebSocketException, ValueError) as error:
            self._break(error)
        self._line.close()

    def _break(self, error: Exception) -> None:
        """Note that the line is gone, and hang up on everybody."""
        self.broken = self.broken or f"the line broke: {type(error).__name__}"
        self._line.cut()
        with self._lock:
            questions, self._questions = list(self._questions.values()), {}
            clients = list(self._clients)
        for question in questions:
            question.answered.set()
        for client in clients:
            client.websocket.close()

    def _take_answer(self, message: Message) -> None:
        with self._lock:
            question = self._questions.pop(message["id"], None)
        if question is None:
            return
        client, result = question.client, message.get("result", {})
        if question.attaches and "sessionId" in result:
            self._owners[result["sessionId"]] = client
            early = self._early.pop(result["sessionId"], None)
            if early and client:
                client.send(early)
        if question.method == "Target.createTarget" and "targetId" in result:
            self._tabs.add(result["targetId"])
        if question.method == "Target.getTargets" and "targetInfos" in result:
            result["targetInfos"] = [one for one in result["targetInfos"] if self._is_ours(one)]
        if client is None:
            question.answer = message
            question.answered.set()
        else:
            message["id"] = question.number
            client.send(message)

    def _take_event(self, message: Message) -> None:
        method, params = message["method"], message.get("params", {})
        session, child = message.get("sessionId"), params.get("sessionId")
        if method == "Target.attachedToTarget":
            if session:
                self._owners[child] = self._owners.get(session)
            elif any(one.attaches for one in tuple(self._questions.values())):
                self._early[child] = message
                return
            else:
                self._owners[child] = self._browser
        client = self._owners.get(session) if session else self._browser
        if method == "Target.detachedFromTarget" and not session:
            client = self._owners.get(child)
        if method == "Target.detachedFromTarget":
            self._owners.pop(child, None)
        if client is None or not self._is_ours(params.get("targetInfo")):
            return
        if client.session and method == "Target.detachedFromTarget" and child == client.session:
            client.websocket.close()
        else:
            client.send(message)

    def _is_ours(self, target: Mapping[str, Any] | None) -> bool:
        """Whether a target may be seen: one of our context."""
        if target is None or not (self._context or target.get("type") == "page"):
            return True
        if self._context:
            return target.get("browserContextId") in (self._context, None)
        return target["targetId"] in self._tabs or target.get("openerId") in self._tabs

    # -- ChromeDriver's side

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # it was closed
                return
            self._thread(self._serve, "bridge-client", client)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(Closed, OSError, ValueError, Refused):
            connection.settimeout(CLIENT_TIMEOUT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            path, headers = read_head(connection)
            if "sec-websocket-key" not in headers:
                self._answer(connection, path)
                return
            session = self._attach(path)
            client = Client(WebSocketServer(connection, headers), session)
            connection.settimeout(None)
            self._talk(client)

    def _answer(self, connection: socket.socket, path: str) -> None:
        """Answer as Chrome does about itself, until ChromeDriver is here: from then on nobody else
        of this machine learns where the tabs are.
        """
        body: Any = None
        if self._browser is None and path == "/json/version":
            body = {**self._version, "webSocketDebuggerUrl": f"ws://{self.address}{self._path}"}
        elif self._browser is None and path in ("/json", "/json/list"):
            body = [self._described(one) for one in self._ask("Target.getTargets")["targetInfos"]]
        data = json.dumps(body).encode()
        head = "HTTP/1.1 200 OK" if body is not None else "HTTP/1.1 404 Not Found"
        connection.sendall(
            f"{head}\r\nContent-Type: application/json; charset=UTF-8\r\nConnection: close\r\n"
            f"Content-Length: {len(data)}\r\n\r\n".encode()
            + data
        )

    def _described(self, target: Mapping[str, Any]) -> Message:
        """Return a target as ``/json/list`` has it."""
        own = f"ws://{self.address}/devtools/page/{target['targetId']}"
        return {
            "id": target["targetId"],
            "type": target["type"],
            "title": target["title"],
            "url": target["url"],
            "description": "",
            "webSocketDebuggerUrl": own,
        }

    def _attach(self, path: str) -> str | None:
        """Return the session of the tab that ``path`` asks for; None: it asks for the browser.
        Raises Closed.
        """
        if path == self._path and self._browser is None:
            return None
        tabs = self._ask("Target.getTargets")["targetInfos"]
        tab = urlsplit(path).path.removeprefix("/devtools/page/")
        if tab not in {one["targetId"] for one in tabs}:
            raise Closed
        return str(self._ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"])

    def _talk(self, client: Client) -> None:
        """Pass on what ``client`` sends, until it hangs up."""
        with self._lock:
            self._clients.add(client)
        if client.session:
            self._owners[client.session] = client
        else:
            self._browser = client
        try:
            while True:
                self._pass_on(client, json.loads(client.websocket.receive()))
        finally:
            with self._lock:
                self._clients.discard(client)
            if client.session and not self.broken:
                with contextlib.suppress(Refused, BrowserUnavailable):
                    self._ask("Target.detachFromTarget", END_TIMEOUT, sessionId=client.session)

    def _pass_on(self, client: Client, message: Message) -> None:
        method, params = message["method"], message.setdefault("params", {})
        session = message.get("sessionId", client.session)
        if method in ENDING:
            client.send({key: message[key] for key in ("id", "sessionId") if key in message}
                        | {"result": {}})  # fmt: skip
            return
        if self._context and (method in OF_CONTEXT or (not session and method in OF_BROWSER)):
            params.setdefault("browserContextId", self._context)
        question = Question(client, message["id"], method, at_root=not session)
        if session:
            message["sessionId"] = session
        self._send(question, message)

    def _thread(self, target: Any, name: str, *args: Any) -> None:
        threading.Thread(target=target, args=args, name=name, daemon=True).start()


class Refused(Exception):
    """The browser does not do what it was told."""
