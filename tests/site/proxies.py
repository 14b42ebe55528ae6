"""Proxies on loopback, HTTP (CONNECT) and SOCKS5, with and without a password; they reach whatever
is asked for.
"""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import socketserver
import threading
from types import TracebackType


class ProxyServer(socketserver.ThreadingTCPServer):
    """A proxy of this ``scheme`` at ``port``. ``asked``: the places that it was asked for by who
    knew the password.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        scheme: str = "http",
        user: str = "",
        password: str = "",
        names: dict[str, str] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Socks if scheme == "socks5" else Http)
        self.scheme, self.user, self.password = scheme, user, password
        self.names = names or {}  # what only this proxy knows: the address of a name
        self.asked: list[str] = []
        self.refused = 0
        self.port = self.server_address[1]
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def url(self, password: str | None = None) -> str:
        """Its address, with its own password, or with another."""
        login = (
            f"{self.user}:{self.password if password is None else password}@" if self.user else ""
        )
        return f"{self.scheme}://{login}127.0.0.1:{self.port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away is no error here."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        super().__exit__(kind, error, trace)


class Passing(socketserver.StreamRequestHandler):
    """Connects, and passes bytes on."""

    server: ProxyServer

    def connect(self, host: str, port: int) -> socket.socket:
        self.server.asked.append(f"{host}:{port}")
        return socket.create_connection((self.server.names.get(host, host), port), 5)

    def relay(self, there: socket.socket) -> None:
        ends = {self.connection: there, there: self.connection}
        with there, contextlib.suppress(OSError):
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    piece = end.recv(65_536)
                    if not piece:
                        return
                    ends[end].sendall(piece)


class Http(Passing):
    """CONNECT, and nothing else."""

    def handle(self) -> None:
        method, place, _ = self.rfile.readline().decode().split()
        headers = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        wanted = (
            "Basic "
            + base64.b64encode(f"{self.server.user}:{self.server.password}".encode()).decode()
        )
        if self.server.user and headers.get("proxy-authorization") != wanted:
            self.server.refused += 1
            self.wfile.write(
                b"HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
            )
            return
        assert method == "CONNECT"
        host, _, port = place.rpartition(":")
        try:
            there = self.connect(host.strip("[]"), int(port))
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 Not there\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        self.relay(there)


class Socks(Passing):
    """SOCKS5, names and addresses, with a password if it has one."""

    def handle(self) -> None:
        _, count = self.rfile.read(2)
        offered = self.rfile.read(count)
        method = 2 if self.server.user else 0
        if method not in offered:
            self.wfile.write(b"\x05\xff")
            return
        self.wfile.write(bytes((5, method)))
        if method:
            self.rfile.read(1)
            user = self.rfile.read(self.rfile.read(1)[0]).decode()
            password = self.rfile.read(self.rfile.read(1)[0]).decode()
            well = (user, password) == (self.server.user, self.server.password)
            self.wfile.write(bytes((1, 0 if well else 1)))
            if not well:
                self.server.refused += 1
                return
        *_, kind = self.rfile.read(4)
        host = (
            socket.inet_ntoa(self.rfile.read(4))
            if kind == 1
            else self.rfile.read(self.rfile.read(1)[0]).decode()
        )
        port = int.from_bytes(self.rfile.read(2))
        try:
            there = self.connect(host, port)
        except OSError:
            self.wfile.write(bytes((5, 5, 0, 1, 0, 0, 0, 0, 0, 0)))
            return
        self.wfile.write(bytes((5, 0, 0, 1, 0, 0, 0, 0, 0, 0)))
        self.relay(there)
