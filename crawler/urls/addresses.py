"""Tell private IP addresses and host names from those of the public internet."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from .url import InvalidURL, normal_host

_PUBLIC_IPV6 = IPv6Network("2000::/3")  # no other address has been allocated


_NAT64 = IPv6Network("64:ff9b::/96")


_LOCAL_NAMES = ("localhost", "localhost.localdomain")


def is_private_address(address: str) -> bool:
    """Whether ``address`` (an IP address as text) is none of the public internet."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if (inner := _inner(ip)) is not None:
            return is_private_address(str(inner))
        if ip not in _PUBLIC_IPV6:
            return True
    return not ip.is_global or ip.is_multicast


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that ``ip`` leads to: mapped, compatible, NAT64, 6to4; None if it
    leads to none.
    """
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


@lru_cache(maxsize=4_096)
def is_private_host(host: str) -> bool | None:
    """Whether ``host`` is a private address or a name of this machine; None for a name that only a
    resolver knows.

    Every spelling of an address that Chrome understands is understood here. A text that is no host
    counts as private.
    """
    try:
        host = normal_host(f"[{host}]" if ":" in host and not host.startswith("[") else host)
    except InvalidURL:
        return True
    # Chrome knows these without a resolver
    if host in _LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return is_private_address(host)
    except ValueError:
        return None
