"""A websocket on which commands and messages of Chrome's own protocol (CDP) go to and fro."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import websocket

from .cdp_line import open_websocket

if TYPE_CHECKING:
    from .base import DebuggerAddress


class Late(Exception):
    """Time is up, and nothing else is known to be wrong."""


class Gone(Exception):
    """The socket, or the tab behind it, is no more."""


class CdpSocket:
    """An open socket at ``address``, which has ``timeout`` seconds to be opened.

    ``session`` names the tab that commands are for; None: the socket is the tab's own. For one
    thread, only ``cut`` is for any.

    Raises:
        Gone: it cannot be opened.
    """

    def __init__(self, address: DebuggerAddress, timeout: float) -> None:
        self.session: str | None = None
        self._number = 0  # of the last command
        try:
            self._socket = open_websocket(address.url, address.headers, timeout, threads=False)
        except (OSError, websocket.WebSocketException) as error:
            raise Gone(str(error)) from error
        self._raw: Any = self._socket.sock

    def send(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a command; return its number. Raises Gone."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        try:
            self._socket.send(json.dumps(message))
        except (OSError, websocket.WebSocketException) as error:
            raise Gone(str(error)) from error
        return self._number

    def receive(self, end: float) -> Mapping[str, Any]:
        """Return the next message, until ``end`` by the monotonic clock. Raises Late, Gone."""
        left = end - time.monotonic()
        if left <= 0:
            raise Late
        try:
            self._socket.settimeout(left)
            text = self._socket.recv()
        except websocket.WebSocketTimeoutException:
            raise Late from None
        except (OSError, websocket.WebSocketException) as error:
            raise Gone(str(error)) from error
        if not text:
            raise Gone
        message: Mapping[str, Any] = json.loads(text)
        return message

    def has_message(self) -> bool:
        """Whether a message has come."""
        return bool(select.select([self._raw], [], [], 0)[0])

    def cut(self) -> None:
        """End the connection at once, from any thread; the thread that waits on it gets Gone."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=0)
