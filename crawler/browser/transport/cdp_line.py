"""A websocket on which messages of Chrome's own protocol come at any time, for several threads."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Mapping
from typing import Any

import websocket

#: Seconds between two signs of life on a line on which nothing else moves: hosts hang up on others.
PING_INTERVAL = 20.0


def open_websocket(
    url: str, headers: Mapping[str, str], timeout: float, *, threads: bool
) -> websocket.WebSocket:
    """Return an open websocket of Chrome's own protocol; ``threads``: several use it."""
    return websocket.create_connection(
        url,
        timeout=timeout,
        suppress_origin=True,  # Chrome refuses those of web pages
        enable_multithread=threads,
        skip_utf8_validation=True,
        header=dict(headers),
        sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
    )


class Line:
    """An open websocket at ``url``, which has ``timeout`` seconds to be opened, and wants to see
    ``headers``. One thread receives; any may send.

    Raises:
        OSError, WebSocketException: it does not open, or is gone. (So do ``send``, ``receive``.)
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._lock = threading.Lock()  # one thread at a time may use a TLS connection
        self._socket = open_websocket(url, headers, timeout, threads=True)
        self._raw: Any = self._socket.sock

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        with self._lock:
            self._socket.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        """Return the next message, however long that takes."""
        while True:
            pending = getattr(self._raw, "pending", None)
            if not (pending and pending()) and not self._readable():
                with self._lock:
                    self._socket.ping()
                continue
            with self._lock:  # not until the next message: a pong may be all that came
                kind, frame = self._socket.recv_data_frame(control_frame=True)
            if kind == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketConnectionClosedException("it hung up")
            if kind in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                message: dict[str, Any] = json.loads(frame.data)
                return message

    def _readable(self) -> bool:
        return bool(select.select([self._raw], [], [], PING_INTERVAL)[0])

    def cut(self) -> None:
        """End the line at once, from any thread."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the line, once no thread uses it."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=0)
