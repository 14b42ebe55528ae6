"""HTTP as a browser speaks it, without one: redirects, cookies, packed bodies, kept connections.

Each connection goes to an address that was checked, or through the gateway of a proxy: see
:class:`Way`. Every wait has a limit, and so has the body, packed and unpacked.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException, RemoteDisconnected
from urllib.parse import quote

from urllib3 import exceptions as faults
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from ..urls.url import Address, InvalidURL, parse_url
from .cookie_jar import CookieJar
from .fetch import REDIRECTS, REDIRECTS_MAX, tls_context
from .guard import PrivateAddress
from .socks5 import NotAllowed, connect_by_gateway

#: Bytes of a body, unpacked, that are read.
BODY_MAX = 20_000_000
#: Bytes of a redirect's body that are read, so that its connection can be kept.
REDIRECT_BODY_MAX = 65_536
#: Connections that are kept, and seconds without use after which one is not used again: servers
#: close theirs after five or more.
CONNECTIONS_MAX, IDLE_MAX = 16, 30.0
#: Seconds in which an address must answer.
CONNECT_TIMEOUT = 20.0
#: Packings that are understood.
PACKINGS = "gzip, deflate, br, zstd"
#: Ports of other services, to which no browser goes (WHATWG Fetch, 2.9).
UNSAFE_PORTS = frozenset((
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
))  # fmt: skip
#: Has what came acknowledged at once, where the system knows that: a server that sends head and
#: body apart waits 40 ms for it else. It holds for a moment only.
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_PIECE = 65_536
_SAFE = "/%:@!$&'()*+,;=~-._?[]|^`{}\\\""
_PLAIN = re.compile(r"[!-~]*")

#: A host → the addresses to connect to. It may raise PrivateAddress.
Addresses = Callable[[str], Iterable[str]]


class HttpError(Exception):
    """No answer came. ``reason`` is a word, as for a page that Chrome does not get; ``retryable``:
    another attempt may. ``status`` is that of the answer that could not be read, if there was one.
    """

    def __init__(self, reason: str, *, retryable: bool = True, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retryable, self.status = reason, retryable, status


@dataclass(frozen=True, slots=True)
class Way:
    """The way of connections: to checked ``addresses`` of a host, or through the ``gateway`` on a
    port of this machine. ``version`` is that of the guard's knowledge.
    """

    addresses: Addresses | None = None
    gateway: int | None = None
    version: int = 0
    verify: bool = True  # whether certificates are checked


@dataclass(slots=True)
class Exchange:
    """The answer at the end of redirects. ``headers`` are pairs as they came; ``sent`` those of the
    last request; ``redirects`` the URLs that led to ``url``.

    ``first_byte`` is in seconds since the first request. ``whole``: False if the body is longer
    than was wanted.
    """

    url: str
    status: int
    status_text: str
    headers: list[tuple[str, str]]
    body: bytes
    sent: Mapping[str, str]
    redirects: tuple[str, ...] = ()
    first_byte: float = 0.0
    whole: bool = True

    def header(self, name: str) -> str | None:
        """Return the header ``name`` (in lower case); its values, where it came several times, with
        commas.
        """
        found = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(found) if found else None


class HttpClient:
    """Keeps connections. For one thread; only ``cut`` is for any."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int | None, int], tuple[HTTPConnection, float]] = (
            OrderedDict()
        )
        self._watch = Watchdog()

    def get(
        self,
        url: str,
        headers_for: Callable[[Address], dict[str, str]],
        jar: CookieJar,
        way: Way,
        *,
        timeout: float,
        max_bytes: int = BODY_MAX,
    ) -> Exchange:
        """GET ``url`` in at most ``timeout`` seconds, redirects included. ``headers_for`` gives the
        headers for each hop; cookies are those of ``jar``, which takes those that answers set.

        Raises:
            HttpError: no answer came.
        """
        began = time.monotonic()
        hops: list[str] = []
        here, fragment = _address(url)
        first_byte = 0.0
        with self._watch.until(began + timeout):
            while True:
                headers = headers_for(here)
                if cookies := jar.header(here):
                    headers["Cookie"] = cookies
                response = self._answer(here, headers, way)
                first_byte = first_byte or time.monotonic() - began
                jar.take(response.headers.getlist("set-cookie"), here)
                to = response.headers.get("location")
                if response.status not in REDIRECTS or not to:
                    return self._read(
                        response, here, fragment, headers, hops, first_byte, max_bytes
                    )
                self._finish(response)
                if len(hops) == REDIRECTS_MAX:
                    raise HttpError("redirect_loop", retryable=False)
                hops.append(here.url)
                here, fragment = _redirected(here, fragment, to)

    def cut(self) -> None:
        """End the request in flight, from any thread."""
        self._watch.cut()

    def close(self) -> None:
        """Close all connections."""
        while self._kept:
            _, (connection, _) = self._kept.popitem()
            connection.close()

    def _answer(self, to: Address, headers: Mapping[str, str], way: Way) -> HTTPResponse:
        """Send one request, and return the answer, its body not read yet. What a connection that
        was kept does not answer is sent again by a new one.
        """
        key = (to.origin, way.gateway, way.version)
        target = _target(to)
        kept = self._kept.pop(key, None)
        if kept is not None and time.monotonic() - kept[1] > IDLE_MAX:
            kept[0].close()
            kept = None
        for connection in ([kept[0]] if kept else []) + [None]:
            fresh = connection is None
            connection = connection or _connection(to, way)
            try:
                self._watch.guard(connection)
                if fresh:
                    connection.timeout = min(CONNECT_TIMEOUT, self._watch.left())
                    connection.connect()
                if connection.sock is not None:
                    connection.sock.settimeout(self._watch.left())
                connection.request("GET", target, headers=dict(headers), preload_content=False)
                if QUICKACK is not None and connection.sock is not None:
                    connection.sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
                response = connection.getresponse()
            except PrivateAddress:
                raise HttpError("private_address", retryable=False) from None
            except (faults.HTTPError, HTTPException, OSError, ValueError) as error:
                connection.close()
                stale = isinstance(
                    error, ConnectionError | RemoteDisconnected | faults.ProtocolError
                )
                if not fresh and stale and not self._watch.late:
                    continue
                raise self._error(error) from error
            self._kept[key] = connection, time.monotonic()
            while len(self._kept) > CONNECTIONS_MAX:
                _, (oldest, _) = self._kept.popitem(last=False)
                oldest.close()
            return response
        raise AssertionError(key)

    def _finish(self, response: HTTPResponse) -> None:
        """Read the body of a redirect, so that its connection can be used again."""
        try:
            rest = response.read(REDIRECT_BODY_MAX, decode_content=False)
            if len(rest) == REDIRECT_BODY_MAX:
                response.close()
        except (faults.HTTPError, HTTPException, OSError, ValueError):
            response.close()

    def _read(
        self,
        response: HTTPResponse,
        here: Address,
        fragment: str,
        sent: Mapping[str, str],
        hops: list[str],
        first_byte: float,
        max_bytes: int,
    ) -> Exchange:
        status = response.status
        if status < 200:
            response.close()
            raise HttpError("bad_response", status=status)
        pieces, size = [], 0
        try:
            for piece in response.stream(_PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > max_bytes:
                    response.close()
                    break
        except (faults.HTTPError, HTTPException, OSError, ValueError) as error:
            response.close()
            raise self._error(error, status) from error
        if self._watch.late:
            raise HttpError("timeout", status=status)
        body = b"".join(pieces) if len(pieces) != 1 else pieces[0]
        url = here.url + (f"#{fragment}" if fragment else "")
        headers = list(response.headers.iteritems())
        text, whole = response.reason or "", size <= max_bytes
        return Exchange(
            url, status, text, headers, body[:max_bytes], sent, tuple(hops), first_byte, whole
        )

    def _error(self, error: Exception, status: int | None = None) -> HttpError:
        reason, retryable = ("timeout", True) if self._watch.late else _reason(error)
        return HttpError(reason, retryable=retryable, status=status)


class Watchdog:
    """Cuts the connection in use when time is up: a socket's own time-out begins again with each
    byte, so a server that drips would hold us for ever. One thread for each client, while it works.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._end: float | None = None
        self._next_look = 0.0
        self._connection: HTTPConnection | None = None
        self._thread: threading.Thread | None = None
        self.late = False

    @contextmanager
    def until(self, end: float) -> Iterator[None]:
        """Cut the connections of this block at ``end``, by the monotonic clock."""
        with self._change:
            self._end, self.late = end, False
            if self._thread is None or not self._thread.is_alive():
                self._next_look = end
                self._thread = threading.Thread(target=self._loop, name="http-watch", daemon=True)
                self._thread.start()
            elif end < self._next_look:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._end = self._connection = None

    def guard(self, connection: HTTPConnection) -> None:
        """Note that ``connection`` is in use. Raises HttpError: time is up."""
        with self._change:
            self._connection = connection
        self.left()

    def left(self) -> float:
        """Return the seconds that are left. Raises HttpError: none."""
        left = (self._end or 0.0) - time.monotonic()
        if left <= 0 or self.late:
            raise HttpError("timeout")
        return left

    def cut(self) -> None:
        """Cut the connection in use now."""
        with self._change:
            self.late = self._end is not None
            connection = self._connection
        if connection is not None and (sock := connection.sock) is not None:
            with suppress(OSError):
                # the plain method: TLS would wait for the other side to say good-bye
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _loop(self) -> None:
        idle_since = time.monotonic()
        while True:
            with self._change:
                now, end = time.monotonic(), self._end
                if end is None and now - idle_since > IDLE_MAX:
                    self._thread = None
                    return
                if end is None or end > now:
                    self._next_look = min(end or now + IDLE_MAX, now + IDLE_MAX)
                    self._change.wait(self._next_look - now)
                    if self._end is not None:
                        idle_since = time.monotonic()
                    continue
            self.cut()
            time.sleep(0.05)  # the block may just be connecting, and ends soon


class _CheckedConnection:
    """Connects to an address that was checked, where urllib3 would resolve the host once more."""

    way: Way

    def _new_conn(self) -> socket.socket:
        host, port, timeout = self.host, self.port, self.timeout  # type: ignore[attr-defined]
        if self.way.gateway is not None:
            try:
                return connect_by_gateway(self.way.gateway, host, port, timeout)
            except NotAllowed:
                raise PrivateAddress(host) from None
            except OSError:
                raise GatewayError(host) from None
        if self.way.addresses is None:
            return socket.create_connection((host, port), timeout)
        error: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for address in sorted(self.way.addresses(host), key=lambda one: ":" in one):
            try:
                connection = socket.create_connection((address, port), timeout)
            except OSError as failed:
                error = failed
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
        raise error


class GatewayError(OSError):
    """The gateway, or the proxy behind it, has no connection."""


class _PlainConnection(_CheckedConnection, HTTPConnection):
    """Without TLS."""


class _TlsConnection(_CheckedConnection, HTTPSConnection):
    """With TLS."""


def _connection(to: Address, way: Way) -> HTTPConnection:
    connection: _PlainConnection | _TlsConnection
    if to.scheme == "https":
        context = tls_context() if way.verify else _unverified()
        connection = _TlsConnection(to.host, to.port, ssl_context=context)
        if not way.verify:
            connection.cert_reqs = "CERT_NONE"
    else:
        connection = _PlainConnection(to.host, to.port)
    connection.way = way
    return connection


@lru_cache(maxsize=1)
def _unverified() -> ssl.SSLContext:
    """Return a context for crawls that let Chrome ignore certificates."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _address(url: str) -> tuple[Address, str]:
    """Return the parts of ``url``, and its fragment. Raises HttpError: no browser goes there."""
    try:
        address = parse_url(url)
    except InvalidURL as invalid:
        reason = "unsupported_scheme" if invalid.reason == "scheme" else "malformed"
        raise HttpError(reason, retryable=False) from None
    if address.port in UNSAFE_PORTS:
        raise HttpError("unsafe_port", retryable=False)
    return address, address.fragment


def _redirected(here: Address, fragment: str, location: str) -> tuple[Address, str]:
    """Return where a redirect leads, and the fragment there. Raises HttpError."""
    with suppress(UnicodeError):  # browsers read its bytes as UTF-8
        location = location.encode("latin-1").decode()
    from ..urls.joining import joined  # its library takes a while to load

    target = joined(here.url, location)
    if target is None:
        raise HttpError("bad_redirect", retryable=False)
    if not target.startswith(("http://", "https://")):
        raise HttpError("unsupported_scheme", retryable=False)
    address, own = _address(target)
    return address, own or fragment


def _target(to: Address) -> str:
    path, query = to.path, to.query
    if not _PLAIN.fullmatch(path):
        path = quote(path, safe=_SAFE.replace("?", ""))
    if query is None:
        return path
    return f"{path}?{query if _PLAIN.fullmatch(query) else quote(query, safe=_SAFE)}"


def _reason(error: BaseException) -> tuple[str, bool]:
    """Return our word for ``error``, and whether another attempt may succeed."""
    match error:
        case HttpError():
            return error.reason, error.retryable
        case GatewayError():
            return "proxy", True
        case faults.NameResolutionError() | socket.gaierror():
            return "dns", True
        case faults.NewConnectionError() if error.__cause__ is not None:
            return _reason(error.__cause__)
        case ConnectionRefusedError():
            return "refused", True
        case faults.ConnectTimeoutError() | faults.ReadTimeoutError() | TimeoutError():
            return "timeout", True
        case ssl.SSLCertVerificationError():
            return "certificate", False
        case faults.SSLError() | ssl.SSLError():
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return "certificate", False
            return "tls", False
        case faults.DecodeError():
            return "bad_response", True
        case faults.IncompleteRead():
            return "truncated", True
        case faults.ProtocolError() if error.args and isinstance(error.args[-1], Exception):
            return _reason(error.args[-1])
        case RemoteDisconnected():
            return "empty_response", True
        case ConnectionError():
            return "reset", True
        case OSError():
            return "unreachable", True
    return "bad_response", True
