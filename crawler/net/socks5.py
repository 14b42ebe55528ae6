"""SOCKS5 (RFC 1928), both sides: the server that our gateway is, and the client of a proxy."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

from ..urls.proxy_url import Proxy

VERSION, CONNECT, NO_PASSWORD, NOTHING_ACCEPTABLE = 5, 1, 0, 255
IPV4, NAME, IPV6 = 1, 3, 4
#: Codes of a server's reply (RFC 1928, 6).
GRANTED, NOT_ALLOWED, NO_SUCH_COMMAND, NO_SUCH_ADDRESS_TYPE = 0, 2, 7, 8
#: Our reply, by the reason of a failure.
REPLIES = {
    "proxy": 1,
    "proxy_auth": 1,
    "private_address": NOT_ALLOWED,
    "dns": 4,
    "unreachable": 4,
    "refused": 5,
    "timeout": 6,
}
#: Reasons, by the reply of an upstream proxy. Any other reply means that it does not want to.
REASONS = {1: "unreachable", 3: "unreachable", 4: "unreachable", 5: "refused", 6: "timeout"}
#: The method of a log-in by password (RFC 1929), and the length of a text in it.
PASSWORD, TEXT_MAX = 2, 255
#: Bytes of our gateway's two answers: to the greeting, and to the request.
_ANSWERS = 2 + 10


class Refusal(Exception):
    """There is no connection to the site, for ``reason`` (a key of :data:`REPLIES`). It never
    leaves the gateway.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAllowed(OSError):
    """The server does not allow a connection to the host."""


async def read_exactly(source: socket.socket, count: int) -> bytes:
    """Return the next ``count`` bytes. Raises EOFError."""
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < count:
        piece = await loop.sock_recv(source, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


async def read_request(client: socket.socket) -> tuple[str, int] | None:
    """Return the host and port that ``client`` asks a server for; None if it asks for something
    that there is not, and was told so.
    """
    loop = asyncio.get_running_loop()
    version, methods = await read_exactly(client, 2)
    offered = await read_exactly(client, methods)
    if version != VERSION or NO_PASSWORD not in offered:
        await loop.sock_sendall(client, bytes((VERSION, NOTHING_ACCEPTABLE)))
        return None
    await loop.sock_sendall(client, bytes((VERSION, NO_PASSWORD)))
    version, command, _, kind = await read_exactly(client, 4)
    if version != VERSION or command != CONNECT:  # BIND, UDP
        await loop.sock_sendall(client, reply(NO_SUCH_COMMAND))
        return None
    if kind == NAME:
        (length,) = await read_exactly(client, 1)
        host = (await read_exactly(client, length)).decode("ascii", "replace").strip("[]").lower()
    elif kind in (IPV4, IPV6):
        family, length = (socket.AF_INET, 4) if kind == IPV4 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, await read_exactly(client, length))
    else:
        await loop.sock_sendall(client, reply(NO_SUCH_ADDRESS_TYPE))
        return None
    return host, int.from_bytes(await read_exactly(client, 2))


def reply(code: int) -> bytes:
    """Return a server's reply to a request; the address in it means nothing to Chrome."""
    return bytes((VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0))


async def ask_socks(proxy_end: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask a SOCKS5 proxy, at the other end of ``proxy_end``, for a connection to ``host``.

    Raises:
        Refusal: the proxy says no.
        EOFError: it hung up.
    """
    loop = asyncio.get_running_loop()
    await _log_in(proxy_end, proxy)
    await loop.sock_sendall(
        proxy_end, bytes((VERSION, CONNECT, 0)) + _destination(host) + port.to_bytes(2)
    )
    _, code, _, kind = await read_exactly(proxy_end, 4)
    length = {IPV4: 4, IPV6: 16}.get(kind) or (await read_exactly(proxy_end, 1))[0]
    await read_exactly(proxy_end, length + 2)
    if code:
        raise Refusal(REASONS.get(code, "proxy"))


async def _log_in(proxy_end: socket.socket, proxy: Proxy) -> None:
    """Greet the proxy, and hand it the password that it asks for (RFC 1929)."""
    loop = asyncio.get_running_loop()
    offered = bytes((NO_PASSWORD, PASSWORD)) if proxy.user else bytes((NO_PASSWORD,))
    await loop.sock_sendall(proxy_end, bytes((VERSION, len(offered))) + offered)
    _, method = await read_exactly(proxy_end, 2)
    if method == PASSWORD and proxy.user:
        user, password = proxy.user.encode()[:TEXT_MAX], proxy.password.encode()[:TEXT_MAX]
        await loop.sock_sendall(
            proxy_end, bytes((1, len(user))) + user + bytes((len(password),)) + password
        )
        if (await read_exactly(proxy_end, 2))[1]:
            raise Refusal("proxy_auth")
    elif method != NO_PASSWORD:
        raise Refusal("proxy_auth")


def _destination(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("ascii")[:TEXT_MAX]
        return bytes((NAME, len(name))) + name
    return bytes((IPV4 if address.version == 4 else IPV6,)) + address.packed


def connect_by_gateway(gateway: int, host: str, port: int, timeout: float) -> socket.socket:
    """Return a blocking connection to ``host`` by our own server at the port ``gateway`` of this
    machine. ``timeout`` is seconds for each step.

    Raises:
        NotAllowed: the gateway's guard refuses the host.
        OSError: there is no connection for another reason.
    """
    connection = socket.create_connection(("127.0.0.1", gateway), timeout)
    name = host.strip("[]").encode("ascii", "replace")
    greeting = bytes((VERSION, 1, NO_PASSWORD))
    request = bytes((VERSION, CONNECT, 0, NAME, len(name))) + name + port.to_bytes(2)
    connection.sendall(greeting + request)
    answer = b""
    while len(answer) < _ANSWERS and (piece := connection.recv(_ANSWERS - len(answer))):
        answer += piece
    if len(answer) == _ANSWERS and answer[3] == GRANTED:
        return connection
    connection.close()
    if answer[3:4] == bytes((NOT_ALLOWED,)):
        raise NotAllowed(host)
    raise OSError(f"no connection to {host}")
