"""The only way out for the Chrome of a crawl of the public web: it connects to no private address,
whoever asks, and however.

Links are checked before they are requested, but Chrome follows redirects, loads images and frames,
runs scripts, and resolves names anew each time. So it is told to connect to everything through this
SOCKS5 server, which resolves each name itself, has the guard check every address, and connects to
one that was checked: no answer of a name server can change in between. Bytes are then passed on as
they are, so TLS stays between Chrome and the site.

It may have a proxy behind it (an *upstream*): then it asks that for each connection, by name, and
hands it the password that Chrome has no flag for. Private hosts are refused as before; what the
proxy's own look-up of a name gives is the proxy's affair.

It listens on 127.0.0.1 and asks for no password, because Chrome has none for a SOCKS server. What
another process of this machine could do with it is what Chrome may: reach public addresses, and the
private hosts that the crawl's author allowed.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from ..urls.proxy_url import Proxy
from .guard import Guard, PrivateAddress

#: Seconds for Chrome to say where it wants to go; it does so at once.
HANDSHAKE_TIMEOUT = 10.0
#: Seconds in which one of the addresses of a host must answer.
CONNECT_TIMEOUT = 20.0
#: Seconds after which the next address of a host is tried as well (RFC 8305).
STAGGER = 0.25
#: Seconds after which a connection on which nothing moves is closed. Chrome itself keeps unused
#: ones for five minutes.
IDLE_TIMEOUT = 600.0
#: Seconds for which the addresses of a host are kept, and how many hosts: about what Chrome does.
NAMES_TTL, NAMES_MAX = 30.0, 1_024
#: Failures that are remembered.
FAILURES_MAX = 256
#: Bytes that are read at once.
PIECE = 65_536
#: Seconds to wait after the machine had no file descriptor left for a new connection.
PAUSE = 0.1

VERSION, CONNECT, NO_PASSWORD, NOTHING_ACCEPTABLE = 5, 1, 0, 255
IPV4, NAME, IPV6 = 1, 3, 4
#: What SOCKS5 answers (RFC 1928, 6).
GRANTED, NO_SUCH_COMMAND, NO_SUCH_ADDRESS_TYPE = 0, 7, 8
#: By reason of failure.
REPLIES = {
    "proxy": 1,
    "proxy_auth": 1,
    "private_address": 2,
    "dns": 4,
    "unreachable": 4,
    "refused": 5,
    "timeout": 6,
}
#: Reasons by what an upstream SOCKS5 proxy answers; any other answer means that it does not want
#: to.
SOCKS_REASONS = {1: "unreachable", 3: "unreachable", 4: "unreachable", 5: "refused", 6: "timeout"}
#: How SOCKS5 calls a log-in by password (RFC 1929), and the length of a text in it.
PASSWORD, TEXT_MAX = 2, 255
#: Bytes that the head of a proxy's answer may have.
HEAD_MAX = 16_384
#: Statuses of an HTTP proxy that wants other credentials, and of one that could not reach the site.
AUTH_REQUIRED, SITE_AWAY = 407, frozenset({502, 503, 504})
#: Closes a connection by a reset, as the other side did, so that half a page does not look like a
#: whole one.
BREAK = struct.pack("ii", 1, 0)

#: Else Chrome goes to loopback and link-local addresses by itself, past its proxy.
EVERYTHING = "--proxy-bypass-list=<-loopback>"
#: STUN would send datagrams to any address. Chrome understands the first, a headless shell the
#: second.
NO_DATAGRAMS = (
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
#: Beginnings of private IPv4 addresses, in the patterns of Chrome's host rules ("?" is any one
#: character).
PRIVATE_IPV4 = (
    *("0.", "10.", "127.", "169.254.", "192.168.", "198.18.", "198.19."),
    *(f"172.{second}." for second in ("16", "17", "18", "19", "2?", "30", "31")),
    *(
        f"100.{second}."
        for second in (*range(64, 70), "7?", "8?", "9?", "10?", "11?", *range(120, 128))
    ),
)
#: Names and IPv6 addresses that are private or lead to private IPv4 ones, in the same patterns.
PRIVATE_OTHERS = (
    "localhost",
    "*.localhost",
    "[::*",
    "[fc*",
    "[fd*",
    "[fe8*",
    "[fe9*",
    "[fea*",
    "[feb*",
    "[64:ff9b:*",
    "[2002:*",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the connection to ``host`` failed: private_address, dns, refused, timeout, unreachable,
    proxy or proxy_auth.

    The last two are those of an upstream proxy that is away, or wants other credentials. ``number``
    grows.
    """

    number: int
    host: str
    reason: str


class Refusal(Exception):
    """Carries the reason why there is no connection to the place that answers; never leaves this
    module.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Gateway:
    """A SOCKS5 server on ``port``, in a thread of its own, until it is closed; for this process,
    not for its forks.

    It connects by itself, or through the proxy ``upstream``.
    """

    def __init__(self, guard: Guard, upstream: Proxy | None = None) -> None:
        self._guard, self._upstream = guard, upstream
        self._pid = os.getpid()
        self._failures: deque[Failure] = deque(maxlen=FAILURES_MAX)
        self._names: OrderedDict[str, tuple[float, asyncio.Future[tuple[str, ...]]]] = OrderedDict()
        self.count = 0  # of failures so far
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()

    @property
    def open(self) -> bool:
        """Whether it serves this process."""
        return self._pid == os.getpid() and self._thread.is_alive()

    def reason(self, host: str, since: int) -> str | None:
        """Why a page at ``host`` did not come, by the failures after number ``since``; None if
        there was none.

        A redirect may have led elsewhere, and nobody says where: then a private address is the
        reason, or else what failed last.
        """
        recent = [failure for failure in tuple(self._failures) if failure.number > since]
        here = [failure.reason for failure in recent if failure.host == host]
        reasons = here or [failure.reason for failure in recent]
        return (
            "private_address" if "private_address" in reasons else reasons[-1] if reasons else None
        )

    def close(self) -> None:
        """End it and all its connections. May be called again."""
        if self.open:
            with suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run(self) -> None:
        with self._listener, asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            loop = runner.get_loop()
            accepting = loop.create_task(self._accept())
            loop.run_forever()
            accepting.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        serving = set()  # a task that nobody holds may be collected
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(PAUSE)
                continue
            task = loop.create_task(self._serve(client))
            serving.add(task)
            task.add_done_callback(serving.discard)

    async def _serve(self, client: socket.socket) -> None:
        """One connection, from its first byte to its last."""
        loop = asyncio.get_running_loop()
        with client, suppress(OSError, EOFError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                asked = await destination(client)
            if asked is None:
                return
            try:
                site = await self._reach(*asked)
            except Refusal as refusal:
                self.count += 1  # before Chrome hears of it, and asks us why
                self._failures.append(Failure(self.count, asked[0], refusal.reason))
                await loop.sock_sendall(client, reply(REPLIES[refusal.reason]))
                return
            with site:
                await loop.sock_sendall(client, reply(GRANTED))
                await relay(client, site)

    async def _reach(self, host: str, port: int) -> socket.socket:
        """A connection to one of the addresses of ``host``, each of them checked; or to the proxy,
        which has one.
        """
        try:
            addresses = await self._addresses(host)
        except PrivateAddress:
            raise Refusal("private_address") from None
        except (OSError, UnicodeError):
            if self._upstream is None:
                raise Refusal("dns") from None  # else perhaps only the proxy knows it
        if self._upstream is not None:
            return await through(self._upstream, host, port)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await first_of(addresses, port)
        except ConnectionRefusedError:
            raise Refusal("refused") from None
        except TimeoutError:
            raise Refusal("timeout") from None
        except OSError:
            raise Refusal("unreachable") from None

    async def _addresses(self, host: str) -> tuple[str, ...]:
        """What the guard says. It is asked in a thread, for a look-up may take long, and once for
        all who want to know.
        """
        loop = asyncio.get_running_loop()
        known = self._names.get(host)
        if known is None or known[0] < loop.time() or (known[1].done() and known[1].exception()):
            answer = loop.create_future()
            # somebody looked: no complaint
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            known = self._names[host] = loop.time() + NAMES_TTL, answer
            self._names.move_to_end(host)
            if len(self._names) > NAMES_MAX:
                self._names.popitem(last=False)
            threading.Thread(
                target=look_up, args=(self._guard, host, answer), name="gateway-dns", daemon=True
            ).start()
        return await asyncio.shield(known[1])

    @property
    def flags(self) -> tuple[str, ...]:
        """What makes a Chrome of this machine use it, for everything."""
        return (f"--proxy-server=socks5://127.0.0.1:{self.port}", EVERYTHING, *NO_DATAGRAMS)


def literal_flags(allowed: Iterable[str]) -> tuple[str, ...]:
    """Flags with which Chrome finds no host that a URL spells out as a private address, except
    those ``allowed``.

    For a Chrome on another machine, which cannot use a gateway here. Names are resolved there, and
    this does not see to what.
    """
    # No name ends in a digit, so a site called 10.example.com is not meant.
    patterns = (
        *PRIVATE_OTHERS,
        *(f"{start}*{digit}" for start in PRIVATE_IPV4 for digit in range(10)),
    )
    rules = [f"MAP {pattern} ~NOTFOUND" for pattern in patterns]
    rules += [f"EXCLUDE [{host}]" if ":" in host else f"EXCLUDE {host}" for host in sorted(allowed)]
    return f"--host-resolver-rules={','.join(rules)}", *NO_DATAGRAMS


def look_up(guard: Guard, host: str, answer: asyncio.Future[tuple[str, ...]]) -> None:
    """Give ``answer`` the addresses of ``host``, or the error."""

    def give(addresses: tuple[str, ...] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(addresses or ())

    try:
        addresses, error = guard.addresses(host), None
    except Exception as raised:
        addresses, error = None, raised
    with suppress(RuntimeError):  # the gateway was closed meanwhile
        answer.get_loop().call_soon_threadsafe(give, addresses, error)


async def destination(client: socket.socket) -> tuple[str, int] | None:
    """The host and port that ``client`` wants to be connected to; None: it was told that it asks
    for what there is not.
    """
    loop = asyncio.get_running_loop()
    version, methods = await exactly(client, 2)
    offered = await exactly(client, methods)
    if version != VERSION or NO_PASSWORD not in offered:
        await loop.sock_sendall(client, bytes((VERSION, NOTHING_ACCEPTABLE)))
        return None
    await loop.sock_sendall(client, bytes((VERSION, NO_PASSWORD)))
    version, command, _, kind = await exactly(client, 4)
    if version != VERSION or command != CONNECT:  # BIND, UDP
        await loop.sock_sendall(client, reply(NO_SUCH_COMMAND))
        return None
    if kind == NAME:
        (length,) = await exactly(client, 1)
        host = (await exactly(client, length)).decode("ascii", "replace").strip("[]").lower()
    elif kind in (IPV4, IPV6):
        family, length = (socket.AF_INET, 4) if kind == IPV4 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, await exactly(client, length))
    else:
        await loop.sock_sendall(client, reply(NO_SUCH_ADDRESS_TYPE))
        return None
    return host, int.from_bytes(await exactly(client, 2))


async def exactly(source: socket.socket, count: int) -> bytes:
    """The next ``count`` bytes. Raises EOFError."""
    loop, got = asyncio.get_running_loop(), b""
    while len(got) < count:
        piece = await loop.sock_recv(source, count - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


def reply(code: int) -> bytes:
    """An answer to a request; the address in it means nothing to Chrome."""
    return bytes((VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0))


async def first_of(addresses: tuple[str, ...], port: int) -> socket.socket:
    """A connection to the first of ``addresses`` that answers; the next is tried when one fails, or
    is slow.
    """
    # IPv6 is there more often than it works
    waiting = sorted(addresses, key=lambda address: ":" in address)
    trying: set[asyncio.Task[socket.socket]] = set()
    error: OSError = OSError("no address")
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(connected(waiting.pop(0), port)))
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
    finally:
        for task in trying:
            task.add_done_callback(
                lambda task: None if task.cancelled() or task.exception() else task.result().close()
            )
            task.cancel()


async def connected(address: str, port: int) -> socket.socket:
    """A connection to ``address``."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


async def through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A connection to ``host`` by way of ``proxy``."""
    loop = asyncio.get_running_loop()
    made: socket.socket | None = None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
            made = await first_of(tuple(dict.fromkeys(str(one[4][0]) for one in found)), proxy.port)
            await (ask_socks if proxy.scheme == "socks5" else ask_http)(made, proxy, host, port)
            return made
    except Refusal:
        if made is not None:
            made.close()
        raise
    except (OSError, EOFError, UnicodeError):  # a time-out is an OSError, too
        if made is not None:
            made.close()
        raise Refusal("proxy") from None


async def ask_http(proxy_end: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask an HTTP proxy to connect. It is asked to for plain HTTP as well, so its rules must allow
    that.
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
        answer += await exactly(proxy_end, 1)  # not a byte of what follows
        if len(answer) > HEAD_MAX:
            raise Refusal("proxy")
    words = answer.split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if status == AUTH_REQUIRED:
        raise Refusal("proxy_auth")
    if not 200 <= status < 300:
        raise Refusal("unreachable" if status in SITE_AWAY else "proxy")


async def ask_socks(proxy_end: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask a SOCKS5 proxy to connect (RFC 1928, 1929)."""
    loop = asyncio.get_running_loop()
    offered = bytes((NO_PASSWORD, PASSWORD)) if proxy.user else bytes((NO_PASSWORD,))
    await loop.sock_sendall(proxy_end, bytes((VERSION, len(offered))) + offered)
    _, chosen = await exactly(proxy_end, 2)
    if chosen == PASSWORD and proxy.user:
        user, password = proxy.user.encode()[:TEXT_MAX], proxy.password.encode()[:TEXT_MAX]
        await loop.sock_sendall(
            proxy_end, bytes((1, len(user))) + user + bytes((len(password),)) + password
        )
        if (await exactly(proxy_end, 2))[1]:
            raise Refusal("proxy_auth")
    elif chosen != NO_PASSWORD:
        raise Refusal("proxy_auth")
    try:
        address = ip_address(host)
        place = bytes((IPV4 if address.version == 4 else IPV6,)) + address.packed
    except ValueError:
        name = host.encode("ascii")[:TEXT_MAX]
        place = bytes((NAME, len(name))) + name
    await loop.sock_sendall(proxy_end, bytes((VERSION, CONNECT, 0)) + place + port.to_bytes(2))
    _, code, _, kind = await exactly(proxy_end, 4)
    await exactly(proxy_end, {IPV4: 4, IPV6: 16}.get(kind) or (await exactly(proxy_end, 1))[0])
    await exactly(proxy_end, 2)
    if code:
        raise Refusal(SOCKS_REASONS.get(code, "proxy"))


async def relay(client: socket.socket, site: socket.socket) -> None:
    """Pass on what either side says until both have ended, one breaks off, or nothing moves for
    long.
    """
    try:
        async with asyncio.timeout(IDLE_TIMEOUT) as idle, asyncio.TaskGroup() as ways:
            ways.create_task(pass_on(client, site, idle))
            ways.create_task(pass_on(site, client, idle))
    except* OSError:
        for side in (client, site):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, BREAK)


async def pass_on(source: socket.socket, sink: socket.socket, idle: asyncio.Timeout) -> None:
    """Pass bytes from ``source`` to ``sink``, no faster than it takes them, and then the end of
    them.
    """
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(source, PIECE):
        await loop.sock_sendall(sink, piece)
        idle.reschedule(loop.time() + IDLE_TIMEOUT)
        # there may be more already, and then the calls above do not let others have their turn
        if len(piece) == PIECE:
            await asyncio.sleep(0)
    with suppress(OSError):  # it is gone
        sink.shutdown(socket.SHUT_WR)
