"""A WebDriver that follows a script: it answers as a ChromeDriver or a Grid does, over a graph of
pages that a test gives.

It speaks as much of W3C WebDriver as the browser room uses, and keeps account of every navigation.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: The site of most tests: a private address, where no name is looked up and nothing is sent to.
SITE = "http://127.0.0.1"


@dataclass(frozen=True)
class Doc:
    """What one navigation comes to."""

    links: Sequence[str] = ()  # absolute, or paths on SITE
    status: int | None = 200
    arrives: str | None = None  # at another URL, after redirects
    error: tuple[str, str] | None = None  # WebDriver's error code and what it says
    gate: threading.Event | None = None  # nothing is answered until it is set
    takes: float = 0.0  # seconds
    retry_after: str | None = None  # the header


#: What to answer to a URL: always the same; one after another (the last one for ever); or what a
#: function of the number says.
Script = Doc | Sequence[Doc] | Callable[[int], Doc]
Site = Mapping[str, Script] | Callable[[str], Script | None]


@dataclass
class Visit:
    """One navigation: when it was asked for and answered, by ``time.monotonic``."""

    url: str
    session: str
    began: float
    ended: float | None = None


CRASH = ("unknown error", "unknown error: session deleted because of page crash\nfrom tab crashed")


def on_site(path: str) -> str:
    """The URL of ``path`` on SITE."""
    return path if "://" in path or not path.startswith("/") else SITE + path


class Session:
    """One browser session; a ChromeDriver does one command of it after another."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.turn = threading.Lock()
        self.at = "about:blank"
        self.doc: Doc | None = None


class ScriptedChrome:
    """The endpoint: ``url`` is its address, which stays the same while it is ``down`` and comes
    ``up`` again.

    ``slots`` is how many sessions it can have at once; who asks for more waits.
    """

    def __init__(self, site: Site, *, slots: int | None = None) -> None:
        self.site, self.slots = site, slots
        self.visits: list[Visit] = []
        self.opened: list[str] = []  # sessions, in the order in which they were given out
        self.sessions: dict[str, Session] = {}
        self.waiting = 0  # requests for a session that must wait for a slot
        self.peak = 0  # navigations at once
        self.closing = threading.Event()
        self._busy = 0
        self._lock = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._server: Server | None = None
        self.port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Answer again; what was before is forgotten, as by a Grid that was restarted."""
        self._server = Server(("127.0.0.1", self.port), Handler)
        self._server.chrome = self
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def down(self) -> None:
        """Refuse connections, and break off those that there are."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            self.sessions.clear()
            connections = list(self._connections)
            self._lock.notify_all()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.closing.set()
        self.down()

    # What tests ask

    def count(self, path: str) -> int:
        """How often ``path`` was asked for."""
        url = on_site(path)
        return sum(visit.url == url for visit in list(self.visits))

    def counts(self) -> Counter[str]:
        """How often each URL was asked for."""
        return Counter(visit.url for visit in list(self.visits))

    # What a client asks

    def open(self) -> tuple[int, Any]:
        with self._lock:
            if self.slots is not None and len(self.sessions) >= self.slots:
                self.waiting += 1
                self._lock.wait_for(
                    lambda: len(self.sessions) < (self.slots or 0) or self.closing.is_set()
                )
                self.waiting -= 1
            session = Session(f"session-{len(self.opened) + 1}")
            self.sessions[session.name] = session
            self.opened.append(session.name)
        return 200, {
            "sessionId": session.name,
            "capabilities": {"browserName": "chrome", "browserVersion": "1"},
        }

    def end(self, name: str) -> tuple[int, Any]:
        session = self.sessions.get(name)
        if session is None:
            return gone()
        with session.turn, self._lock:
            self.sessions.pop(name, None)
            self._lock.notify_all()
        return 200, None

    def command(self, method: str, name: str, what: str, body: dict[str, Any]) -> tuple[int, Any]:
        session = self.sessions.get(name)
        if session is None:
            return gone()
        with session.turn:
            match method, what:
                case "POST", "url":
                    return self.navigate(session, body["url"])
                case "POST", "execute/sync":
                    return 200, answer(session, body["script"])
                case "POST", "execute/async":
                    return 200, session.doc and session.doc.retry_after
                case "GET", "window/handles":
                    return 200, ["window"]
                case "POST", "goog/cdp/execute":
                    return 200, {"cookies": [], "entries": []}
                case "GET", "title" | "source":
                    return 200, ""
            return 200, None

    def navigate(self, session: Session, url: str) -> tuple[int, Any]:
        if url == "about:blank":
            session.at, session.doc = url, None
            return 200, None
        with self._lock:
            before = sum(visit.url == url for visit in self.visits)
            visit = Visit(url, session.name, time.monotonic())
            self.visits.append(visit)
            self._busy += 1
            self.peak = max(self.peak, self._busy)
        doc = self.play(url, before)
        while doc.gate is not None and not doc.gate.wait(0.02) and session.name in self.sessions:
            continue
        if doc.takes:
            self.closing.wait(doc.takes)
        with self._lock:
            self._busy -= 1
            visit.ended = time.monotonic()
        if doc.error:
            if doc.error == CRASH:
                self.sessions.pop(session.name, None)
            return 500, {"error": doc.error[0], "message": doc.error[1], "stacktrace": ""}
        session.at, session.doc = doc.arrives or url, doc
        return 200, None

    def play(self, url: str, number: int) -> Doc:
        """What the script says to the visit ``number`` (from 0) of ``url``."""
        script = (
            self.site(url)
            if callable(self.site)
            else self.site.get(url, self.site.get(url.removeprefix(SITE)))
        )
        if script is None:
            return Doc(status=404)
        if isinstance(script, Doc):
            return script
        return script(number) if callable(script) else script[min(number, len(script) - 1)]


def gone() -> tuple[int, Any]:
    return 404, {"error": "invalid session id", "message": "invalid session id", "stacktrace": ""}


def facts(session: Session) -> dict[str, Any]:
    """What collect.js returns."""
    doc = session.doc
    return {
        "url": session.at,
        "title": session.at.rpartition("/")[2],
        "mime": "text/html",
        "ready": "complete",
        "seen": False,
        "age": 0.1,
        "origin": 1.0,
        "worker": False,
        "named": False,
        "type": "navigate",
        "status": doc.status if doc else None,
        "empty": False,
        "error": None,
        "silent": False,
        "timing": [1, 2, 3],
        "links": "".join(f"{on_site(link)}\t\t\n" for link in doc.links) if doc else "",
        "thin": None,
        "html": "<html><title>A page</title><h1>A page</h1></html>",
    }


def answer(session: Session, script: str) -> Any:
    """What a script of the browser room returns, by the name at its head or by what it reads."""
    if "collect:" in script:
        return facts(session)
    if "late:" in script:
        return {"url": session.at, "grown": False, "css": None, "links": 0, "scrolled": 0}
    if "sessionStorage)]" in script:  # of a log-in
        return ["null", {}, {}]
    if "document.baseURI" in script:
        return session.at
    return {}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    chrome: ScriptedChrome

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.chrome._connections.add(self.connection)

    def finish(self) -> None:
        self.server.chrome._connections.discard(self.connection)
        super().finish()

    def answer(self) -> None:
        chrome = self.server.chrome
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "{}") if length else {}
        _, _, name, what = (*self.path.split("/", 3), "", "")[:4]
        if self.path == "/status":
            status, value = 200, {"ready": True, "message": "ready"}
        elif not name:
            status, value = chrome.open()
        elif self.command == "DELETE" and not what:
            status, value = chrome.end(name)
        else:
            status, value = chrome.command(self.command, name, what, body)
        data = json.dumps({"value": value}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""
