"""One plain HTTP GET, for what needs no browser: robots.txt and sitemaps.

Every wait has a limit, the body has one too, and each host on the way is asked about before
anything is sent to it. Certificates are checked. No password travels: not one of the URL, and none
from the caller's headers to another origin.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
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

#: Seconds from the first byte sent to the last one read, redirects included.
TIMEOUT = 10.0
#: Bytes of a body, decompressed, that are read.
SIZE_MAX = 10_000_000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: What a caller's headers may hold that is meant for one origin only.
PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_AGENT = f"celery-crawler/{__version__}"
_PIECE = 65_536
#: Bytes of our gateway's answers: to the greeting, and to the request.
_SOCKS_ANSWER = 2 + 10
_SAFE = "/%:@!$&'()*+,;=~-._?"


class FetchError(CrawlerError):
    """No answer was had. ``reason`` is one word: dns, refused, timeout, tls, reset, redirect_loop,
    private, scheme, …
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whatever its status. ``headers`` have their names in lower case; ``url`` is where
    redirects led.

    ``whole``: False if the body was longer than was to be read.
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
    allow_redirects: int = 5,
    refuses: Callable[[str], bool] | None = None,
    addresses: Callable[[str], Iterable[str]] | None = None,
    gateway: int | None = None,
) -> Fetched:
    """GET ``url``, in at most ``timeout`` seconds; what the body has beyond ``max_bytes``,
    decompressed, is not read.

    ``refuses`` is asked about the host of each hop before it is talked to, and ``addresses`` (this
    machine's resolver, if None) for what to connect to; it may raise PrivateAddress. ``gateway`` is
    the port of a SOCKS5 server on this machine that connects instead, and does such checks by
    itself.

    Raises:
        FetchError: no answer arrived, or one that nobody can read; or there was nobody who might be
            asked for it.
    """
    end = time.monotonic() + timeout
    here, sent = _address(url), {"user-agent": _AGENT, "accept-encoding": "gzip"}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    for _ in range(allow_redirects + 1):
        if refuses is not None and refuses(here.host):
            raise FetchError("private")
        with _answer(here, sent, end, addresses, gateway) as answer:
            to = answer.headers.get("location")
            if answer.status not in REDIRECTS or not to:
                body = b""
                for piece in answer.stream(_PIECE, decode_content=True):
                    body += piece
                    if len(body) > max_bytes:
                        break
                lower = {name.lower(): value for name, value in answer.headers.items()}
                return Fetched(
                    answer.status, lower, body[:max_bytes], here.url, len(body) <= max_bytes
                )
        there = _address(urljoin(here.url, to))
        if there.origin != here.origin:
            sent = {name: value for name, value in sent.items() if name not in PRIVATE_HEADERS}
        here = there
    raise FetchError("redirect_loop")


def _address(url: str) -> Address:
    try:
        return parse_url(url)
    except InvalidURL as invalid:
        raise FetchError(invalid.reason) from None


@contextmanager
def _answer(
    to: Address,
    headers: Mapping[str, str],
    end: float,
    addresses: Callable[[str], Iterable[str]] | None,
    gateway: int | None,
) -> Iterator[HTTPResponse]:
    """The answer to one request, its body not read yet; whatever is slow in it ends with the
    connection, at ``end``.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise FetchError("timeout")
    late = threading.Event()
    with closing(_connection(to, left, addresses, gateway)) as connection:
        # A time-out of a socket begins anew with each byte, so a server that drips would hold us
        # for ever.
        watch = threading.Timer(left, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            connection.connect()
            connection.request("GET", _target(to), headers=headers, preload_content=False)
            yield connection.getresponse()
        except (faults.HTTPError, HTTPException, OSError, ValueError) as error:
            raise FetchError("timeout" if late.is_set() else _word(error)) from error
        except PrivateAddress as error:
            raise FetchError("private") from error
        finally:
            watch.cancel()
    if late.is_set():  # what looked like the end of the body was us, hanging up
        raise FetchError("timeout")


class _Checked:
    """Connects to an address that was checked, where urllib3 would ask for the addresses of the
    host once more.
    """

    addresses: Callable[[str], Iterable[str]]
    gateway: int | None

    def _new_conn(self: Any) -> socket.socket:
        if self.gateway is not None:
            return _by_gateway(self.gateway, self.host, self.port, self.timeout)
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


def _by_gateway(gateway: int, host: str, port: int, timeout: float) -> socket.socket:
    """A connection to ``host`` by the SOCKS5 server at the port ``gateway`` of this machine."""
    made = socket.create_connection(("127.0.0.1", gateway), timeout)
    name = host.strip("[]").encode("ascii", "replace")
    made.sendall(bytes((5, 1, 0, 5, 1, 0, 3, len(name))) + name + port.to_bytes(2))
    answer = b""
    while len(answer) < _SOCKS_ANSWER and (piece := made.recv(_SOCKS_ANSWER - len(answer))):
        answer += piece
    if len(answer) < _SOCKS_ANSWER or answer[3]:
        made.close()
        raise (
            PrivateAddress(host) if answer[3:4] == b"\x02" else OSError(f"no connection to {host}")
        )
    return made


def _connection(
    to: Address,
    timeout: float,
    addresses: Callable[[str], Iterable[str]] | None,
    gateway: int | None,
) -> HTTPConnection:
    made: HTTPConnection
    checked = addresses is not None or gateway is not None
    if to.scheme == "https":
        made = (_CheckedHTTPS if checked else HTTPSConnection)(
            to.host, to.port, timeout=timeout, ssl_context=_tls()
        )
    else:
        made = (_CheckedHTTP if checked else HTTPConnection)(to.host, to.port, timeout=timeout)
    if checked:
        made.addresses, made.gateway = addresses, gateway  # type: ignore[attr-defined]
    return made


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Checks certificates, by this machine's authorities and by certifi's: some systems have none
    of their own.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _cut(connection: HTTPConnection, late: threading.Event) -> None:
    late.set()
    if (sock := connection.sock) is not None:
        try:
            # the plain one: TLS would wait to take its leave
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
