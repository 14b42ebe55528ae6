"""The server's side of a websocket (RFC 6455), for one client on this machine: the handshake, and
texts to and fro.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Mapping

#: Bytes that the head of a request may have.
HEAD_MAX = 16_384
#: Appended to a client's key (RFC 6455, 1.3).
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
#: Lengths that say how many bytes of length follow.
SHORT, LONG = 126, 127


class Closed(Exception):
    """The client is gone, or does not speak the protocol."""


def read_head(client: socket.socket) -> tuple[str, dict[str, str]]:
    """Return the path of a request, and its headers by their names in lower case. Raises Closed."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(4_096)
        head += piece
        if not piece or len(head) > HEAD_MAX:
            raise Closed
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[0] != "GET":
        raise Closed
    pairs = (line.partition(":") for line in lines)
    return words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


class WebSocketServer:
    """A websocket to ``client``, which asked for it with ``headers``. One thread reads; any may
    send.
    """

    def __init__(self, client: socket.socket, headers: Mapping[str, str]) -> None:
        self._client, self._lock = client, threading.Lock()
        key = hashlib.sha1(f"{headers['sec-websocket-key']}{MAGIC}".encode(), usedforsecurity=False)
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(key.digest()) + b"\r\n\r\n"
        )

    def receive(self) -> str:
        """Return the next text. Raises Closed, OSError."""
        parts = bytearray()
        while True:
            last, kind, data = self._frame()
            if kind == CLOSE:
                raise Closed
            if kind == PING:
                self._send(PONG, data)
            elif kind in (TEXT, CONTINUATION):
                parts += data
                if last:
                    return parts.decode()

    def send(self, text: str) -> None:
        """Send a text. Raises OSError."""
        self._send(TEXT, text.encode())

    def close(self) -> None:
        """End the connection at once, from any thread."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _frame(self) -> tuple[bool, int, bytes]:
        """Return the next frame: whether it is the last of its message, its kind, its data."""
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == SHORT:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == LONG:
            (length,) = struct.unpack(">Q", self._exactly(8))
        if not second & 0x80:  # a client masks what it sends
            raise Closed
        mask, data = self._exactly(4), self._exactly(length)
        return bool(first & 0x80), first & 0x0F, unmasked(data, mask)

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            piece = self._client.recv(min(65_536, length - len(data)))
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    def _send(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < SHORT:
            head = struct.pack(">BB", 0x80 | kind, length)
        elif length < 1 << 16:
            head = struct.pack(">BBH", 0x80 | kind, SHORT, length)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, LONG, length)
        with self._lock:
            self._client.sendall(head + data)


def unmasked(data: bytes, mask: bytes) -> bytes:
    """Return ``data`` without its ``mask``."""
    whole = mask * (len(data) // 4 + 1)
    number = int.from_bytes(data, "big") ^ int.from_bytes(whole[: len(data)], "big")
    return number.to_bytes(len(data), "big")
