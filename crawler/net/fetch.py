"""One plain HTTP request, for what needs no browser: robots.txt, sitemaps and webhooks.

Every wait has a limit, and so has the body. Each host on the way is checked before anything is sent
to it. Certificates are checked. No password travels: none of the URL, and none of the caller's
headers to another origin.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urljoin

import certifi
from urllib3 import exceptions as faults
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from ..errors import CrawlerError
from ..urls.url import Address, InvalidURL, parse_url
from ..version import __version__
from .guard import PrivateAddress
from .socks5 import NotAllowed, connect_by_gateway

#: Seconds from the first byte sent to the last one read, redirects included.
TIMEOUT = 10.0
#: Bytes of a body, decompressed, that are read.
SIZE_MAX = 10_000_000
#: Redirects that are followed: as many as by Chrome.
REDIRECTS_MAX = 20
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Headers of a caller that are meant for one origin only.
PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_AGENT = f"celery-crawler/{__version__}"
_PIECE = 65_536
#: Packings that would make a body unreadable. Other words (none, utf-8) mean no packing.
_PACKINGS = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
_SAFE = "/%:@!$&'()*+,;=~-._?"

#: A host → the addresses to connect to. It may raise PrivateAddress.
Addresses = Callable[[str], Iterable[str]]


class FetchError(CrawlerError):
    """No answer arrived. ``reason`` is one word: dns, refused, timeout, tls, reset, redirect_loop,
    private, scheme, …
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, with any status. ``headers`` have their names in lower case; ``url`` is where
    redirects led.

    ``whole``: False if the body was longer than the caller wanted to read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    whole: bool = True


def fetch(
    url: str,
    *,
    timeout: float = TIMEOUT,
    max_bytes: int = SIZE_MAX,
    headers: Mapping[str, str] | None = None,
    addresses: Addresses | None = None,
    gateway: int | None = None,
    body: bytes | None = None,
    redirects: int = REDIRECTS_MAX,
) -> Answer:
    """GET ``url``, or POST ``body`` to it, in at most ``timeout`` seconds. No more than
    ``max_bytes`` of the body, decompressed, are read. Without ``redirects``, one is an answer.

    ``addresses`` says, for the host of each hop, what to connect to, or refuses it; None means this
    machine's resolver. ``gateway`` is the port of a SOCKS5 server on this machine that connects
    instead, and does such checks by itself.

    Raises:
        FetchError: no answer arrived, or one that cannot be read, or no host may be asked for it.
    """
    end = time.monotonic() + timeout
    here, sent = _address(url), {"user-agent": _AGENT, "accept": "*/*", "accept-encoding": "gzip"}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    cookies: dict[str, dict[str, str]] = {}  # by host, for the way of this one request
    for _ in range(redirects + 1):
        jar = cookies.setdefault(here.origin, {})
        own = {"cookie": "; ".join(map("=".join, jar.items()))} if jar else {}
        with _response(here, own | sent, end, addresses, gateway, body) as response:
            to = response.headers.get("location")
            if response.status not in REDIRECTS or not to or not redirects:
                return _answer(response, here.url, max_bytes)
            jar.update(_cookies(response))
        target = _address(urljoin(here.url, _location(to)))
        if target.origin != here.origin:
            sent = {name: value for name, value in sent.items() if name not in PRIVATE_HEADERS}
        here = target
    raise FetchError("redirect_loop")


def _cookies(response: HTTPResponse) -> Iterator[tuple[str, str]]:
    """Yield name and value of the cookies that ``response`` sets: some sites send each visitor in a
    circle who does not bring them back.
    """
    for line in response.headers.getlist("set-cookie"):
        name, equals, value = line.partition(";")[0].partition("=")
        if equals and name.strip().isprintable() and value.isprintable():
            yield name.strip(), value.strip()


def _location(value: str) -> str:
    """Return the target of a redirect as browsers read it: its bytes are UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def unpacked(body: bytes, max_bytes: int = SIZE_MAX) -> bytes:
    """Return ``body``; if it is a file of gzip that does not say so, return what is in it, up to
    ``max_bytes``. Raises FetchError.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, max_bytes)
    except zlib.error as error:
        raise FetchError("encoding") from error


def _answer(response: HTTPResponse, url: str, max_bytes: int) -> Answer:
    """Read the body of ``response``, as much as is wanted. Raises FetchError if it cannot be
    understood.
    """
    packings = response.headers.get("content-encoding", "").lower().replace(" ", "").split(",")
    unknown = _PACKINGS.intersection(packings) - set(HTTPResponse.CONTENT_DECODERS)
    if response.status < 200 or (response.status < 300 and unknown):
        raise FetchError("protocol" if response.status < 200 else "encoding")
    body = b""
    for piece in response.stream(_PIECE, decode_content=True):
        body += piece
        if len(body) > max_bytes:
            break
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, body[:max_bytes], url, len(body) <= max_bytes)


def _address(url: str) -> Address:
    try:
        return parse_url(url)
    except InvalidURL as invalid:
        raise FetchError(invalid.reason) from None


@contextmanager
def _response(
    to: Address,
    headers: Mapping[str, str],
    end: float,
    addresses: Addresses | None,
    gateway: int | None,
    body: bytes | None = None,
) -> Iterator[HTTPResponse]:
    """Send one request and yield the response, its body not read yet. The connection is cut at
    ``end`` (by the monotonic clock), and the read with it.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise FetchError("timeout")
    late = threading.Event()
    with closing(_connection(to, left, addresses, gateway)) as connection:
        # A socket's time-out begins again with each byte, so a server that drips would hold us for
        # ever.
        watch = threading.Timer(left, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            connection.connect()
            method = "GET" if body is None else "POST"
            connection.request(method, _target(to), body, headers=headers, preload_content=False)
            yield connection.getresponse()
        except (faults.HTTPError, HTTPException, OSError, ValueError) as error:
            raise FetchError("timeout" if late.is_set() else _word(error)) from error
        except PrivateAddress as error:
            raise FetchError("private") from error
        finally:
            watch.cancel()
    if late.is_set():  # the end of the body was our own cut
        raise FetchError("timeout")


class _Checked:
    """Connects to an address that was checked, where urllib3 would resolve the host once more."""

    addresses: Addresses
    gateway: int | None

    def _new_conn(self: Any) -> socket.socket:
        if self.gateway is not None:
            try:
                return connect_by_gateway(self.gateway, self.host, self.port, self.timeout)
            except NotAllowed:
                raise PrivateAddress(self.host) from None
        error: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for address in sorted(self.addresses(self.host), key=lambda address: ":" in address):
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError as failed:
                error = failed
        raise error


class _CheckedHTTP(_Checked, HTTPConnection):
    """Without TLS."""


class _CheckedHTTPS(_Checked, HTTPSConnection):
    """With TLS."""


def _connection(
    to: Address, timeout: float, addresses: Addresses | None, gateway: int | None
) -> HTTPConnection:
    connection: HTTPConnection
    checked = addresses is not None or gateway is not None
    if to.scheme == "https":
        https = _CheckedHTTPS if checked else HTTPSConnection
        connection = https(to.host, to.port, timeout=timeout, ssl_context=tls_context())
    else:
        http = _CheckedHTTP if checked else HTTPConnection
        connection = http(to.host, to.port, timeout=timeout)
    if checked:
        connection.addresses, connection.gateway = addresses, gateway  # type: ignore[attr-defined]
    return connection


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return a context that checks certificates, by this machine's authorities and by certifi's:
    some systems have none of their own.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    # as Chrome: certificates of private authorities, and servers, that are older than the rules
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.options |= 0x4  # OP_LEGACY_SERVER_CONNECT, which has its name from Python 3.12 on
    return context


def _cut(connection: HTTPConnection, late: threading.Event) -> None:
    late.set()
    if (sock := connection.sock) is not None:
        try:
            # the plain method: TLS would wait for the other side to say good-bye
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            return


def _target(to: Address) -> str:
    query = "" if to.query is None else f"?{quote(to.query, safe=_SAFE)}"
    return quote(to.path, safe=_SAFE.removesuffix("?")) + query


def _word(error: Exception) -> str:
    match error:
        case faults.NameResolutionError() | socket.gaierror():
            return "dns"
        case faults.NewConnectionError():
            return (
                "refused" if isinstance(error.__cause__, ConnectionRefusedError) else "unreachable"
            )
        case ConnectionRefusedError():
            return "refused"
        case faults.ConnectTimeoutError() | faults.ReadTimeoutError() | TimeoutError():
            return "timeout"
        case ssl.SSLError() | faults.SSLError():
            return "tls"
        case faults.DecodeError():
            return "encoding"
        case ConnectionError():
            return "reset"
    return "protocol"
