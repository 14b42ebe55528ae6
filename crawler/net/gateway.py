"""The only way out for the Chrome of a crawl of the public web: a SOCKS5 server that connects to no
private address, for any request and by any route.

Links are checked before they are requested, but Chrome also follows redirects, loads images and
frames, runs scripts, and resolves names again each time. So Chrome is told to connect to everything
through this server. It resolves each name itself, has the guard check every address, and connects
to one that was checked: no answer of a name server can change in between. Bytes are then passed on
as they are, so TLS stays between Chrome and the site.

It may have a proxy behind it (an *upstream*). Then it asks the proxy for each connection, by name,
and hands it the password that Chrome has no flag for. Private hosts are refused as before; the
proxy's own look-up of a name is the proxy's affair.

It listens on 127.0.0.1 and asks for no password, because Chrome has none for a SOCKS server.
Another process of this machine can do with it what Chrome may do: reach public addresses, and the
private hosts that the crawl's author allowed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass

from ..urls.proxy_url import Proxy
from .chrome_flags import proxy_flags
from .connections import connect_through, connect_to_first
from .guard import Guard, PrivateAddress
from .socks5 import GRANTED, REPLIES, Refusal, read_request, reply

#: Seconds for Chrome to say where it wants to go; it does so at once.
HANDSHAKE_TIMEOUT = 10.0
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
#: Closes a connection by a reset, as the other side did, so that half a page does not look like a
#: whole one.
BREAK = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the connection to ``host`` failed: private_address, dns, refused, timeout, unreachable,
    proxy or proxy_auth.

    The last two are about an upstream proxy that is away, or wants other credentials. ``number``
    counts the failures of a gateway, from 1.
    """

    number: int
    host: str
    reason: str


class Stream:
    """A connection of Chrome to ``host`` and ``port`` by way of us: both its ends. ``waits``: the
    last bytes were Chrome's, so it waits for an answer.
    """

    def __init__(self, client: socket.socket, site: socket.socket, host: str, port: int) -> None:
        self.client, self.site, self.host, self.port = client, site, host, port
        self.waits = False

    def cut(self) -> None:
        """End it, on both sides."""
        for side in (self.client, self.site):
            with suppress(OSError):  # it has ended by itself
                side.shutdown(socket.SHUT_RDWR)


class Gateway:
    """A SOCKS5 server on ``port``, in a thread of its own, until it is closed. It serves this
    process, not its forks.

    It connects by itself, or through the proxy ``upstream``.
    """

    def __init__(self, guard: Guard, upstream: Proxy | None = None) -> None:
        self._guard, self._upstream = guard, upstream
        self._pid = os.getpid()
        self._failures: deque[Failure] = deque(maxlen=FAILURES_MAX)
        # by the version of the guard's knowledge, and host
        self._names: OrderedDict[tuple[int, str], tuple[float, asyncio.Future[tuple[str, ...]]]] = (
            OrderedDict()
        )
        self.count = 0  # of failures so far
        self._streams: set[Stream] = set()
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
        """Return why a page at ``host`` did not come, by the failures after number ``since``; None
        if there was none.

        A redirect may have led to another host, and Chrome does not say which: then a private
        address is the reason, or else the last failure.
        """
        recent = [failure for failure in tuple(self._failures) if failure.number > since]
        here = [failure.reason for failure in recent if failure.host == host]
        reasons = here or [failure.reason for failure in recent]
        if "private_address" in reasons:
            return "private_address"
        return reasons[-1] if reasons else None

    def cut_idle(self, host: str, port: int) -> None:
        """End the connections to ``host`` and ``port`` that Chrome keeps for later: what it sends
        next goes by a new one. Chrome sends again what one that it kept does not answer.
        """

        async def cut() -> None:
            for stream in [*self._streams]:
                if (stream.host, stream.port) == (host, port) and not stream.waits:
                    stream.cut()

        with suppress(RuntimeError, TimeoutError):  # it has ended meanwhile
            asyncio.run_coroutine_threadsafe(cut(), self._loop).result(HANDSHAKE_TIMEOUT)

    def close(self) -> None:
        """End the server and all its connections. A second call does nothing."""
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
        serving = set()  # a task without a reference may be collected
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
        """Serve one connection, from its first byte to its last."""
        loop = asyncio.get_running_loop()
        with client, suppress(OSError, EOFError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                request = await read_request(client)
            if request is None:
                return
            host, port = request
            try:
                site = await self._connect(host, port)
            except Refusal as refusal:
                self.count += 1  # before Chrome hears of it, and its page is asked about
                self._failures.append(Failure(self.count, host, refusal.reason))
                await loop.sock_sendall(client, reply(REPLIES[refusal.reason]))
                return
            with site:
                await loop.sock_sendall(client, reply(GRANTED))
                stream = Stream(client, site, host, port)
                self._streams.add(stream)
                try:
                    await relay(stream)
                finally:
                    self._streams.discard(stream)

    async def _connect(self, host: str, port: int) -> socket.socket:
        """Return a connection to one of the addresses of ``host``, after a check of all of them; or
        the upstream proxy's connection to it. Raises Refusal.
        """
        try:
            addresses = await self._addresses(host)
        except PrivateAddress:
            raise Refusal("private_address") from None
        except (OSError, UnicodeError):
            if self._upstream is None:
                raise Refusal("dns") from None  # else perhaps only the proxy knows it
        if self._upstream is not None:
            return await connect_through(self._upstream, host, port)
        try:
            return await connect_to_first(addresses, port)
        except ConnectionRefusedError:
            raise Refusal("refused") from None
        except TimeoutError:
            raise Refusal("timeout") from None
        except OSError:
            raise Refusal("unreachable") from None

    async def _addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of ``host`` that the guard found and checked.

        The guard is asked in a thread, because a look-up may take long, and once for all
        connections that wait for the answer. Raises as :meth:`Guard.addresses` does.
        """
        loop = asyncio.get_running_loop()
        key = self._guard.version, host
        known = self._names.get(key)
        if known is None or known[0] < loop.time() or (known[1].done() and known[1].exception()):
            answer = loop.create_future()
            # asyncio complains about an error that no code has looked at
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            known = self._names[key] = loop.time() + NAMES_TTL, answer
            self._names.move_to_end(key)
            if len(self._names) > NAMES_MAX:
                self._names.popitem(last=False)
            threading.Thread(
                target=look_up,
                args=(self._guard, host, answer),
                kwargs={"for_page": self._upstream is None},
                name="gateway-dns",
                daemon=True,
            ).start()
        return await asyncio.shield(known[1])

    @property
    def flags(self) -> tuple[str, ...]:
        """Command line flags with which a Chrome of this machine uses it for everything."""
        return proxy_flags(f"socks5://127.0.0.1:{self.port}")


def look_up(
    guard: Guard, host: str, answer: asyncio.Future[tuple[str, ...]], *, for_page: bool
) -> None:
    """Set ``answer`` to the addresses of ``host``, or to the guard's error. ``for_page``: see
    :meth:`Guard.addresses`.
    """

    def give(addresses: tuple[str, ...] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(addresses or ())

    try:
        addresses, error = guard.addresses(host, for_page=for_page), None
    except Exception as raised:
        addresses, error = None, raised
    with suppress(RuntimeError):  # the gateway was closed meanwhile
        answer.get_loop().call_soon_threadsafe(give, addresses, error)


async def relay(stream: Stream) -> None:
    """Pass on the bytes of both sides until both have ended, one breaks off, or nothing moves for
    ``IDLE_TIMEOUT`` seconds.
    """
    try:
        async with asyncio.timeout(IDLE_TIMEOUT) as idle, asyncio.TaskGroup() as group:
            group.create_task(pass_on(stream, idle, to_site=True))
            group.create_task(pass_on(stream, idle, to_site=False))
    except* OSError:
        for side in (stream.client, stream.site):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, BREAK)


async def pass_on(stream: Stream, idle: asyncio.Timeout, *, to_site: bool) -> None:
    """Pass bytes from one side to the other, no faster than it takes them, and then the end of the
    stream.
    """
    source, sink = (stream.client, stream.site) if to_site else (stream.site, stream.client)
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(source, PIECE):
        stream.waits = to_site
        await loop.sock_sendall(sink, piece)
        idle.reschedule(loop.time() + IDLE_TIMEOUT)
        # there may be more already, and then the calls above do not let others have their turn
        if len(piece) == PIECE:
            await asyncio.sleep(0)
    with suppress(OSError):  # it is gone
        sink.shutdown(socket.SHUT_WR)
