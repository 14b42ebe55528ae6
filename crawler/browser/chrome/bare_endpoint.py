"""A bare DevTools endpoint (``ws://``, ``wss://``), as hosted browsers give: the line to it."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
import websocket
from urllib3.exceptions import HTTPError

from ...errors import BrowserUnavailable
from ..transport.remote_end import split_credentials

#: The schemes of such endpoints, and of their plain HTTP.
SCHEMES = {"ws": "http", "wss": "https"}
#: HTTP statuses with which an endpoint says that it has no room now.
FULL_STATUSES = frozenset({408, 425, 429, 502, 503, 504})
#: Seconds between two signs of life on a line on which nothing else moves: hosts hang up on others.
PING_INTERVAL = 20.0


def is_bare(url: str | None) -> bool:
    """Whether ``url`` is a bare DevTools endpoint."""
    return bool(url) and urlsplit(url).scheme in SCHEMES


def shown(url: str) -> str:
    """Return ``url`` as people may see it: what follows the host may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Line:
    """A websocket to the browser at the endpoint ``url``, which has ``timeout`` seconds to open.
    One thread receives; any may send.

    Raises:
        BrowserUnavailable: it does not open.
    """

    def __init__(self, url: str, timeout: float) -> None:
        address, user, password = split_credentials(url)
        headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user else {}
        self._lock = threading.Lock()  # one thread at a time may use a TLS connection
        try:
            self._socket = websocket.create_connection(
                browser_address(address, headers, timeout),
                timeout=timeout,
                suppress_origin=True,  # Chrome refuses those of web pages
                skip_utf8_validation=True,
                header={name.title(): value for name, value in headers.items()},
                sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
            )
        except websocket.WebSocketBadStatusException as error:
            status = error.status_code
            why = f"{shown(url)} answers {status}"
            if status in (401, 403):
                why += ": it wants another token, or another user and password"
            raise BrowserUnavailable(why, status in FULL_STATUSES) from None
        except websocket.WebSocketTimeoutException:
            why = f"{shown(url)} gave no browser within {timeout:g} s"
            raise BrowserUnavailable(why, True) from None
        # its text may repeat the address
        except (OSError, websocket.WebSocketException, ValueError) as error:
            what = getattr(error, "strerror", None) or type(error).__name__
            raise BrowserUnavailable(f"{shown(url)} cannot be reached: {what}") from None
        self._raw: Any = self._socket.sock

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. Raises OSError, WebSocketException."""
        with self._lock:
            self._socket.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        """Return the next message, however long that takes. Raises OSError, WebSocketException."""
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


def product_at(url: str, timeout: float) -> str:
    """Return what the browser at ``url`` calls itself ("Chrome/140.0.1"), within ``timeout``
    seconds. Raises BrowserUnavailable.
    """
    line = Line(url, timeout)
    timer = threading.Timer(timeout, line.cut)
    timer.daemon = True
    timer.start()
    try:
        line.send({"id": 1, "method": "Browser.getVersion", "params": {}})
        while (answer := line.receive()).get("id") != 1:
            pass
        return str(answer["result"]["product"])
    except (OSError, websocket.WebSocketException, ValueError, KeyError) as error:
        raise BrowserUnavailable(
            f"{shown(url)} does not say what it is: {type(error).__name__}"
        ) from None
    finally:
        timer.cancel()
        line.close()


def browser_address(address: str, headers: Mapping[str, str], timeout: float) -> str:
    """Return the websocket of the browser at ``address``. One with neither path nor query is asked
    for it, as a Chrome with ``--remote-debugging-port`` tells it; another one has it itself.
    """
    parts = urlsplit(address)
    if parts.path.strip("/") or parts.query:
        return address
    # a name other than localhost would be refused
    with contextlib.suppress(HTTPError, OSError, ValueError, KeyError, TypeError):
        host = socket.gethostbyname(parts.hostname or "") if parts.scheme == "ws" else ""
        answer = urllib3.request(
            "GET",
            f"{SCHEMES[parts.scheme]}://{parts.netloc}/json/version",
            headers={**headers, **({"Host": f"{host}:{parts.port or 80}"} if host else {})},
            timeout=timeout,
            retries=False,
        )
        told = urlsplit(answer.json()["webSocketDebuggerUrl"])
        return parts._replace(path=told.path, query=told.query).geturl()
    return address
