"""Tell private IP addresses and host names from those of the public internet.

What is public is written down here, and does not depend on the release of Python. Sources: the
IANA registries of special-purpose addresses, and of IPv6 address space (RFC 6890, RFC 8190, RFC
4291), as of 2025:

- https://www.iana.org/assignments/iana-ipv4-special-registry
- https://www.iana.org/assignments/iana-ipv6-special-registry
- https://www.iana.org/assignments/ipv6-address-space

An address that the registries call globally reachable, but that leads to the nearest device of
one's own network (the anycast addresses for PCP, TURN, SRP) counts as private all the same.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from .url import InvalidURL, normal_host

#: IPv4 addresses that are not public. All others are.
PRIVATE_IPV4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791)
            "10.0.0.0/8",  # private use (RFC 1918)
            "100.64.0.0/10",  # shared by a provider's customers (RFC 6598)
            "127.0.0.0/8",  # loopback (RFC 1122)
            "168.63.129.16/32",  # Azure's platform, in no registry: only its own machines reach it
            "169.254.0.0/16",  # link-local, metadata of clouds (RFC 3927)
            "172.16.0.0/12",  # private use (RFC 1918)
            "192.0.0.0/24",  # IETF protocols; .9 and .10 are one's own PCP and TURN servers
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.88.99.0/24",  # relays of 6to4, withdrawn (RFC 7526), and of 6a44
            "192.168.0.0/16",  # private use (RFC 1918)
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast (RFC 5771)
            "240.0.0.0/4",  # reserved, and broadcast (RFC 1112)
        ),
    )
)
#: The only IPv6 addresses that are allocated for hosts of the internet (RFC 4291, 2.4). Beside them
#: lie loopback, fc00::/7, fe80::/10, fec0::/10, ff00::/8, 100::/64, 5f00::/16, 64:ff9b:1::/48, …
GLOBAL_IPV6 = IPv6Network("2000::/3")
#: Parts of them that are not public, and parts of these that are.
PRIVATE_IPV6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocols: Teredo, benchmarks, ORCHIDs, DETs, anycast (RFC 2928)
            "2001:db8::/32",  # documentation (RFC 3849)
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
PUBLIC_IPV6 = tuple(
    map(
        IPv6Network,
        (
            "2001:3::/32",  # AMT (RFC 7450)
            "2001:4:112::/48",  # AS112, which serves names for all (RFC 7535)
        ),
    )
)
#: IPv6 addresses that lead to the IPv4 address in their last 32 bits: IPv4-mapped, -compatible
#: (RFC 4291, 2.5.5), and NAT64 (RFC 6052).
EMBEDDED_IPV4 = tuple(map(IPv6Network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96")))
#: The first half of an interface's identifier that holds an IPv4 address, without the bit that
#: says whether that is unique: ISATAP (RFC 5214).
ISATAP = 0x0000_5EFE

_LOCAL_NAMES = ("localhost", "localhost.localdomain")


def is_private_address(address: str) -> bool:
    """Whether ``address`` (an IP address as text) is none of the public internet."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return any(ip in network for network in PRIVATE_IPV4)
    if int(ip) > 1 and (inner := _inner(ip)) is not None:
        return is_private_address(str(inner))
    if ip not in GLOBAL_IPV6:
        return True
    if any(ip in network for network in PRIVATE_IPV6):
        return not any(ip in network for network in PUBLIC_IPV6)
    # a router of one's own may take it to an address in its network
    low = int(ip) & 0xFFFF_FFFF_FFFF_FFFF
    isatap = (low >> 32) & ~0x0200_0000 == ISATAP
    return isatap and is_private_address(str(IPv4Address(low & 0xFFFF_FFFF)))


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that ``ip`` leads to: mapped, compatible, NAT64, 6to4; None if it
    leads to none.
    """
    if any(ip in network for network in EMBEDDED_IPV4):
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.sixtofour


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
