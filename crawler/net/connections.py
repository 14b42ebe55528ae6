"""Asynchronous TCP connections: to the first address of a host that answers, or through a proxy."""

from __future__ import annotations

import asyncio
import base64
import socket

from ..urls.proxy_url import Proxy
from .socks5 import Refusal, ask_socks, read_exactly

#: Seconds in which one of the addresses of a host must answer.
CONNECT_TIMEOUT = 20.0
#: Seconds after which the next address of a host is tried as well (RFC 8305).
STAGGER = 0.25
#: Bytes that the head of a proxy's answer may have.
HEAD_MAX = 16_384
#: Statuses of an HTTP proxy that wants other credentials, and of one that could not reach the site.
AUTH_REQUIRED, SITE_AWAY = 407, frozenset({502, 503, 504})


async def connect_to_first(addresses: tuple[str, ...], port: int) -> socket.socket:
    """Return a connection to the first of ``addresses`` that answers. The next one is tried when
    one fails or is slow.

    Raises:
        TimeoutError: none answers within ``CONNECT_TIMEOUT`` seconds.
        OSError: all of them fail; it is the error of the last one.
    """
    # IPv6 is there more often than it works
    waiting = sorted(addresses, key=lambda address: ":" in address)
    trying: set[asyncio.Task[socket.socket]] = set()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await _race(waiting, trying, port)
    finally:
        for task in trying:
            task.add_done_callback(_close_result)
            task.cancel()


async def _race(
    waiting: list[str], trying: set[asyncio.Task[socket.socket]], port: int
) -> socket.socket:
    """Return the first connection that is made; those still on their way stay in ``trying``."""
    error: OSError = OSError("no address")
    while waiting or trying:
        if waiting:
            trying.add(asyncio.create_task(connect(waiting.pop(0), port)))
        done, _ = await asyncio.wait(
            trying, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            trying.discard(task)
            try:
                return task.result()
            except OSError as failed:
                error = failed
    raise error


def _close_result(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and not task.exception():
        task.result().close()


async def connect(address: str, port: int) -> socket.socket:
    """Return a connection to ``address`` (an IP address). Raises OSError."""
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


async def connect_through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Return a connection to ``host`` by way of ``proxy``, in at most ``CONNECT_TIMEOUT`` seconds.

    Raises:
        Refusal: there is none; its reason is ``proxy`` if the proxy itself is away.
    """
    connection: socket.socket | None = None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            connection = await connect_to_first(await _addresses(proxy), proxy.port)
            ask = ask_socks if proxy.scheme == "socks5" else ask_http
            await ask(connection, proxy, host, port)
            return connection
    except Refusal:
        if connection is not None:
            connection.close()
        raise
    except (OSError, EOFError, UnicodeError):  # a time-out is an OSError, too
        if connection is not None:
            connection.close()
        raise Refusal("proxy") from None


async def _addresses(proxy: Proxy) -> tuple[str, ...]:
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))


async def ask_http(proxy_end: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask an HTTP proxy, at the other end of ``proxy_end``, for a connection to ``host``.

    It is asked to connect for plain HTTP as well, so its rules must allow that.

    Raises:
        Refusal: the proxy says no.
        EOFError: it hung up.
    """
    loop = asyncio.get_running_loop()
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    head = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
    if proxy.user:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        head += f"Proxy-Authorization: Basic {credentials}\r\n"
    await loop.sock_sendall(proxy_end, f"{head}\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += await read_exactly(proxy_end, 1)  # not a byte of what follows
        if len(answer) > HEAD_MAX:
            raise Refusal("proxy")
    words = answer.split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if status == AUTH_REQUIRED:
        raise Refusal("proxy_auth")
    if not 200 <= status < 300:
        raise Refusal("unreachable" if status in SITE_AWAY else "proxy")
