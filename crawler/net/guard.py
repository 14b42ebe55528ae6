"""A guard that keeps a crawl of the public web out of the network that the crawler stands in.

A crawl that starts on public addresses is refused every private, loopback, link-local or reserved
one, whether a link spells it out or a name resolves to it. One that starts on a private address may
go there, on that host. Whether it does is decided once, when the crawl is created
(:func:`private_entries`), and kept with it: name servers may answer otherwise later, and to others.
A run asks before each request and after redirects. Chrome's own requests in between go through the
gateway (``gateway.py``), which asks here for the addresses that it may connect to.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from ..errors import CrawlerError
from ..urls.addresses import is_private_address, is_private_host
from ..urls.url import normal_host

#: Host → its addresses, as text. Raises OSError where there are none.
Resolve = Callable[[str], Iterable[str]]

#: Entries of a crawl whose names are looked up at once.
RESOLVERS = 16


class PrivateAddress(CrawlerError):
    """A crawl of the public web may not connect to ``host``, which is a private address, or has
    one.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


def system_resolve(host: str) -> tuple[str, ...]:
    """Return the addresses of ``host`` by this machine's resolver. Raises OSError."""
    return tuple(
        {str(row[4][0]) for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    )


def private_entries(hosts: Iterable[str], resolve: Resolve = system_resolve) -> frozenset[str]:
    """Return those of ``hosts``, the entries of a crawl, that are at private addresses now.

    A name counts as private if all its addresses are: one that also has a public address, or has
    none yet, may be led anywhere later. It may take as long as look-ups of names.
    """

    def is_private(host: str) -> bool:
        try:
            addresses = tuple(resolve(host))
            return bool(addresses) and all(map(is_private_address, addresses))
        except (OSError, UnicodeError):
            return False

    hosts = frozenset(hosts)
    names = sorted(host for host in hosts if is_private_host(host) is None)
    private = {host for host in hosts if is_private_host(host)}
    if len(names) < 2:
        answers = list(map(is_private, names))
    else:
        with ThreadPoolExecutor(RESOLVERS, "crawler-resolve") as pool:
            answers = list(pool.map(is_private, names))
    private.update(name for name, is_one in zip(names, answers, strict=True) if is_one)
    return frozenset(private)


class Guard:
    """Says which hosts are refused, for a crawl that starts at ``entries`` and may visit the
    private hosts ``also``.

    ``private_entries`` are those of the entries that were private when the crawl was created; see
    :meth:`learn`. An entry that spells out a private address is one in any case.

    ``resolve`` is asked at most once in ``ttl`` seconds about a host; at most ``size`` answers are
    kept. A name that does not resolve is not refused: Chrome will say what is wrong with it, and
    behind a proxy only the proxy may know it. ``private`` says of an address of a name whether it
    is private.
    """

    def __init__(
        self,
        entries: Iterable[str],
        also: Iterable[str] = (),
        *,
        private_entries: Iterable[str] = (),
        resolve: Resolve = system_resolve,
        private: Callable[[str], bool] = is_private_address,
        ttl: float = 60.0,
        size: int = 4_096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve, self._private, self._clock = resolve, private, clock
        self._ttl, self._size = ttl, size
        self._answers: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._entries = frozenset(entries)
        self._literals = frozenset(host for host in self._entries if is_private_host(host))
        self._also = frozenset(also)
        self.version = 0  # of what it learned
        self.learn(0, private_entries)

    def learn(self, version: int, private_entries: Iterable[str]) -> None:
        """Take ``private_entries`` for the entries that were private when the crawl was created;
        ``version`` tells this crawl from another one of its name.
        """
        self._private_entries = self._entries & frozenset(private_entries) | self._literals
        self.version = version

    def refuses(self, host: str) -> bool:
        """Whether the crawl must not send a request to ``host``. It may take as long as a look-up
        of a name.
        """
        return not self._allows(host) and self.is_private(host)

    @property
    def starts_private(self) -> bool:
        """Whether the crawl stays in a private network: every entry was at a private address when
        the crawl was created.
        """
        return bool(self._entries) and self._entries == self._private_entries

    @property
    def spells_private(self) -> bool:
        """Whether every entry spells out a private address, which no name server can change."""
        return bool(self._entries) and self._entries == self._literals

    @property
    def private_hosts(self) -> frozenset[str]:
        """The hosts that may be private: those that the author allowed, and entries that were
        private when the crawl was created.
        """
        return self._also | self._private_entries

    def addresses(self, host: str, *, for_page: bool = False) -> tuple[str, ...]:
        """Return the addresses of ``host`` as they are now, all of them checked. Connect to one of
        these, and to no other.

        ``for_page``: a page wants the connection, whose own address was checked before. A crawl of
        a private network lets its pages load what they need from anywhere.

        Raises:
            PrivateAddress: one of them is private, and the crawl may not go there.
            OSError: it has none.
        """
        allowed = self._allows(host) or (for_page and self.starts_private)
        if is_private_host(host) and not allowed:  # no resolver is needed
            raise PrivateAddress(host)
        try:
            return (str(ip_address(normal_host(f"[{host}]" if ":" in host else host))),)
        except ValueError:  # a name
            addresses = tuple(self._resolve(host))
        if not allowed and any(map(self._private, addresses)):
            raise PrivateAddress(host)
        return addresses

    def _allows(self, host: str) -> bool:
        """Whether ``host`` may be private. An entry that was public when the crawl was created, and
        is private now, was rebound: it may not.
        """
        return host in self._also or host in self._private_entries

    def is_private(self, host: str) -> bool:
        """Whether any address of ``host`` is private."""
        literal = is_private_host(host)
        if literal is not None:
            return literal
        now = self._clock()
        if (known := self._answers.get(host)) and now - known[0] < self._ttl:
            return known[1]
        try:
            private = any(map(self._private, self._resolve(host)))
        except (OSError, UnicodeError):
            private = False
        self._answers[host] = now, private
        self._answers.move_to_end(host)
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)
        return private
