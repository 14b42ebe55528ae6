"""A guard that keeps a crawl of the public web out of the network that the crawler stands in.

A crawl that starts on public addresses is refused every private, loopback, link-local or reserved
one, whether a link spells it out or a name resolves to it. One that starts on a private address may
go there, on that host. A run asks before each request and after redirects. Chrome's own requests in
between go through the gateway (``gateway.py``), which asks here for the addresses that it may
connect to.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from ..errors import CrawlerError
from ..urls.addresses import is_private_address, is_private_host
from ..urls.url import normal_host

#: Host → its addresses, as text. Raises OSError where there are none.
Resolve = Callable[[str], Iterable[str]]


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


class Guard:
    """Says which hosts are refused, for a crawl that starts at ``entries`` and may visit the
    private hosts ``also``.

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
        self._started_private: dict[str, bool] = {}
        self._also = frozenset(also)

    def refuses(self, host: str) -> bool:
        """Whether the crawl must not send a request to ``host``. It may take as long as a look-up
        of a name.
        """
        return not self._allows(host) and self.is_private(host)

    @property
    def starts_private(self) -> bool:
        """Whether the crawl stays in a private network: every entry was at a private address when
        it was first looked up.
        """
        return bool(self._entries) and all(map(self._began_private, self._entries))

    @property
    def private_hosts(self) -> frozenset[str]:
        """The hosts that may be private, as far as is known: those that the author allowed, and
        entries that were private at first.
        """
        return self._also | {
            host for host, private in tuple(self._started_private.items()) if private
        }

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of ``host`` as they are now, all of them checked. Connect to one of
        these, and to no other.

        Raises:
            PrivateAddress: one of them is private, and the crawl may not go there.
            OSError: it has none.
        """
        allowed = self._allows(host)
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
        """Whether ``host`` may be private. An entry that was public at first and is private now was
        rebound: it may not.
        """
        return host in self._also or (host in self._entries and self._began_private(host))

    def _began_private(self, host: str) -> bool:
        """Whether ``host``, an entry, was private when it was first looked up."""
        if host not in self._started_private:
            self._started_private[host] = self.is_private(host)
        return self._started_private[host]

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
