"""A Chrome with ``--remote-debugging-port``, and a host of browsers in front of it that wants a
token.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.browser.chrome.local import find_chrome, is_shell, resolve_wrapper
from tests.support.patience import PATIENCE

#: The tab that is there already.
THEIRS = "about:blank#theirs"
TOKEN = "canary-token-of-the-browser"


class BareChrome:
    """Somebody else's browser, with a tab of theirs. ``url`` is its address by host and port."""

    def __init__(self, folder: Path) -> None:
        binary = resolve_wrapper(find_chrome())
        flags = ["--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
        self.process = subprocess.Popen(
            [binary, *flags, *([] if is_shell(binary) else ["--headless=new"]), THEIRS],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        found = (
            re.search(r"(ws://127\.0\.0\.1:(\d+))(/\S+)", line) for line in self.process.stderr
        )
        self.url, port, self.path = next(match.groups() for match in found if match)
        self.port = int(port)
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def tabs(self) -> list[str]:
        """The URLs of all its tabs."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/json/list") as answer:
            return sorted(one["url"] for one in json.load(answer) if one["type"] == "page")

    def is_alone(self) -> bool:
        """Whether all tabs but theirs are closed, or soon are: it does so when a line ends."""
        pause, end = threading.Event(), time.monotonic() + PATIENCE
        while (tabs := self.tabs()) != [THEIRS] and time.monotonic() < end:
            pause.wait(0.05)
        return tabs == [THEIRS] and self.process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class TokenHost(socketserver.ThreadingTCPServer):
    """Passes connections to ``chrome`` on that bring the token, at most ``room`` at once; over TLS
    with ``certificate``.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, chrome: BareChrome, certificate: Path | None = None, room: int = 99) -> None:
        super().__init__(("127.0.0.1", 0), Visitor)
        self.chrome, self.room = chrome, room
        self.scheme, self._tls = "ws", None
        if certificate:
            self.scheme, self._tls = "wss", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self.visitors: set[socket.socket] = set()
        self.count = 0  # of connections that were let in
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def url(self, token: str = TOKEN) -> str:
        return f"{self.scheme}://localhost:{self.server_address[1]}/?token={token}"

    def get_request(self) -> tuple[socket.socket, object]:
        client, address = super().get_request()
        if self._tls:
            client = self._tls.wrap_socket(client, server_side=True)
        return client, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away is no error here."""

    def cut(self) -> None:
        """Break off all connections."""
        for one in tuple(self.visitors):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.cut()
        super().__exit__(kind, error, trace)


class Visitor(socketserver.BaseRequestHandler):
    """One connection."""

    server: TokenHost

    def handle(self) -> None:
        host, client = self.server, self.request
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4_096)
        first, rest = head.split(b"\r\n", 1)
        if TOKEN.encode() not in first:
            client.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            return
        if len(host.visitors) >= 2 * host.room:
            client.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
            return
        host.count += 1
        with socket.create_connection(("127.0.0.1", host.chrome.port)) as chrome:
            rest = re.sub(rb"(?im)^host: .*?\r\n", b"Host: localhost\r\n", rest)
            chrome.sendall(b"GET " + host.chrome.path.encode() + b" HTTP/1.1\r\n" + rest)
            both = {client, chrome}
            host.visitors |= both
            other = threading.Thread(target=self.pass_on, args=(chrome, client), daemon=True)
            other.start()
            self.pass_on(client, chrome)
            other.join()
            host.visitors -= both

    @staticmethod
    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                sink.sendall(piece)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
