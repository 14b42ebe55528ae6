"""Which hosts a crawl may talk to: a crawl of the public web must not be led into the network that
the crawler stands in.

A crawl that starts on public addresses is refused every private, loopback, link-local or reserved
one, whether a link spells it out or a name resolves to it. One that starts on a private address may
go there, on that host. The lifecycle asks before each request and after redirects; what Chrome does
by itself in between goes through the gateway (``gateway.py``), which asks here for the addresses
that it may connect to.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from .errors import CrawlerError
from .links import InvalidURL, normal_host

#: Host → its addresses, as text. Raises OSError where there are none.
Resolve = Callable[[str], Iterable[str]]

_PUBLIC_IPV6 = IPv6Network("2000::/3")  # no other was ever given out
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAMES = ("localhost", "localhost.localdomain")


class PrivateAddress(CrawlerError):
    """A crawl of the public web may not connect to ``host``, which is a private address, or has
    one.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


def system_resolve(host: str) -> tuple[str, ...]:
    """The addresses of ``host`` by this machine's resolver."""
    return tuple(
        {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    )


def is_private_address(address: str) -> bool:
    """Whether ``address`` (an IP address as text) is anything but one on the public internet."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if (inner := _inner(ip)) is not None:
            return is_private_address(str(inner))
        if ip not in _PUBLIC_IPV6:
            return True
    return not ip.is_global or ip.is_multicast


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that ``ip`` leads to: mapped, compatible, NAT64, 6to4."""
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


@lru_cache(maxsize=4_096)
def is_private_host(host: str) -> bool | None:
    """Whether ``host`` is a private address or a name of this machine; None for a name that only a
    resolver can tell about.

    Any spelling of an address that Chrome understands is understood here. What is no host at all
    counts as private.
    """
    try:
        host = normal_host(f"[{host}]" if ":" in host and not host.startswith("[") else host)
    except InvalidURL:
        return True
    # Chrome knows these without asking anybody
    if host in _LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return is_private_address(host)
    except ValueError:
        return None


class Guard:
    """Says which hosts are refused, for a crawl that starts at ``entries`` and was allowed the
    private hosts ``also``.

    ``resolve`` is asked at most once in ``ttl`` seconds about a host; at most ``size`` answers are
    kept. A name that does not resolve is not refused: Chrome will say what is wrong with it, and
    behind a proxy only the proxy may know it. ``private`` says of an address that a name resolved
    to whether it is private.
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
        self._resolve, self._private, self._ttl, self._size, self._clock = (
            resolve,
            private,
            ttl,
            size,
            clock,
        )
        self._answers: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._entries = frozenset(entries)
        self._started_private: dict[str, bool] = {}
        self._also = frozenset(also)

    def refuses(self, host: str) -> bool:
        """Whether the crawl must not send a request to ``host``. May take as long as a look-up of a
        name.
        """
        return not self._allows(host) and self.is_private(host)

    @property
    def starts_private(self) -> bool:
        """Whether the crawl stays in a private network: every entry was at a private address when
        it was first asked about.
        """
        return bool(self._entries) and all(map(self._began_private, self._entries))

    @property
    def private_hosts(self) -> frozenset[str]:
        """The hosts that may be private, as far as is known: what the author allowed, and entries
        that began so.
        """
        return self._also | {
            host for host, private in tuple(self._started_private.items()) if private
        }

    def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of ``host`` as they are now, to connect to one of them: what was checked is
        then what is used.

        Raises:
            PrivateAddress: one of them is private, and the crawl may not go there.
            OSError: it has none.
        """
        allowed = self._allows(host)
        if is_private_host(host) and not allowed:  # nobody needs to be asked
            raise PrivateAddress(host)
        try:
            return (str(ip_address(normal_host(f"[{host}]" if ":" in host else host))),)
        except ValueError:  # a name
            found = tuple(self._resolve(host))
        if not allowed and any(map(self._private, found)):
            raise PrivateAddress(host)
        return found

    def _allows(self, host: str) -> bool:
        """Whether ``host`` may be private. An entry that was public at first and is private now was
        rebound: it may not.
        """
        return host in self._also or (host in self._entries and self._began_private(host))

    def _began_private(self, host: str) -> bool:
        """Whether ``host``, an entry, was private when it was first asked about."""
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
