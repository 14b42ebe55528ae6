"""A bare DevTools endpoint (``ws://``, ``wss://``), as hosted browsers give: how it is reached."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

import urllib3
import websocket
from urllib3.exceptions import HTTPError

from ...errors import BrowserUnavailable
from ..transport.cdp_line import Line
from ..transport.remote_end import split_credentials

#: The schemes of such endpoints, and of their plain HTTP.
SCHEMES = {"ws": "http", "wss": "https"}
#: HTTP statuses with which an endpoint says that it has no room now.
FULL_STATUSES = frozenset({408, 425, 429, 502, 503, 504})


def is_bare(url: str | None) -> bool:
    """Whether ``url`` is a bare DevTools endpoint."""
    return bool(url) and urlsplit(url).scheme in SCHEMES


def shown(url: str) -> str:
    """Return ``url`` as people may see it: what follows the host may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def open_line(url: str, timeout: float) -> Line:
    """Return a line to the browser at the endpoint ``url``, which has ``timeout`` seconds to open.

    Raises:
        BrowserUnavailable: it does not open.
    """
    address, user, password = split_credentials(url)
    headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user else {}
    try:
        return Line(
            browser_address(address, headers, timeout),
            {name.title(): value for name, value in headers.items()},
            timeout,
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


def product_at(url: str, timeout: float) -> str:
    """Return what the browser at ``url`` calls itself ("Chrome/140.0.1"), within ``timeout``
    seconds. Raises BrowserUnavailable.
    """
    line = open_line(url, timeout)
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
