"""The web site that tests crawl: on loopback, threaded, and rude wherever a real site may be. One
route per trap.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CERTIFICATE = Path(__file__).with_name("selfsigned.pem")
ROUTES: dict[str, Callable[[Request], None]] = {}


class Request(BaseHTTPRequestHandler):
    """One request; routes answer with ``html``, ``answer``, ``redirect``, or by their own hand on
    ``connection``.
    """

    protocol_version = "HTTP/1.1"
    server: Server
    query: dict[str, str]
    rest: str  # what follows the route in the path: "7" for /tree/7

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.server.hits[self.path] += self.command != "HEAD"
        _, _, self.rest = parts.path[1:].partition("/")
        route = ROUTES.get(parts.path) or ROUTES.get(parts.path[: len(parts.path) - len(self.rest)])
        with contextlib.suppress(ConnectionError):
            if route:
                route(self)
            else:
                self.html("<h1>Not here</h1><a href=/ok>back</a>", title="Not found", status=404)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def form(self) -> dict[str, str]:
        length = int(self.headers.get("Content-Length") or 0)
        return {
            name: values[-1] for name, values in parse_qs(self.rfile.read(length).decode()).items()
        }

    def answer(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def html(
        self, body: str, *, title: str = "", head: str = "", status: int = 200, **headers: str
    ) -> None:
        text = f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title>{head}</head><body>{body}</body></html>"
        self.answer(text.encode(), status, **headers)

    def redirect(self, to: str, status: int = 302, **headers: str) -> None:
        self.answer(b"", status, Location=to, **headers)

    def wait(self) -> None:
        """Until the client gives up, or the site closes."""
        self.close_connection = True
        while not self.server.closing.is_set():
            self.connection.settimeout(0.2)
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""


class Server(ThreadingHTTPServer):
    """The site on a port of its own. ``hits`` counts requests by path. What pages of /app/ get late
    comes once ``read`` is set.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.hits: Counter[str] = Counter()
        self.closing = threading.Event()
        self.read = threading.Event()  # lets /app-read answer
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.scheme = "https" if tls else "http"
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """The address of ``path``; ``localhost`` is another origin on the same server."""
        return f"{self.scheme}://{host}:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away is no error here."""

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


def route(path: str) -> Callable[[Callable[[Request], None]], Callable[[Request], None]]:
    """Serve ``path``, or with a final slash everything below it."""

    def register(function: Callable[[Request], None]) -> Callable[[Request], None]:
        ROUTES[path] = function
        return function

    return register


# Import what registers the routes, last: it needs what is above.
from . import crawls, detours, documents, files, forms, hostile, living, members, pages, traps  # noqa: E402, F401
