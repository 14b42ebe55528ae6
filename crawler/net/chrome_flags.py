"""Command line flags that keep Chrome from private addresses."""

from __future__ import annotations

from collections.abc import Iterable

#: Without it, Chrome goes to loopback and link-local addresses by itself, past its proxy.
PROXY_EVERYTHING = "--proxy-bypass-list=<-loopback>"
#: STUN would send datagrams to any address. Chrome understands the first flag, a headless shell
#: the second.
NO_DATAGRAMS = (
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
#: Beginnings of private IPv4 addresses, in the patterns of Chrome's host rules ("?" is any one
#: character): those of ``urls/addresses.py``.
PRIVATE_IPV4 = (
    *("0.", "10.", "127.", "169.254.", "192.0.0.", "192.0.2.", "192.88.99."),
    *("192.168.", "198.18.", "198.19.", "198.51.100.", "203.0.113."),
    *(f"172.{second}." for second in ("16", "17", "18", "19", "2?", "30", "31")),
    *(f"100.{second}." for second in (*range(64, 70), "7?", "8?", "9?")),
    *(f"100.{second}." for second in ("10?", "11?", *range(120, 128))),
    *(f"{first}." for first in (*range(224, 230), "23?", "24?", *range(250, 256))),
)
#: Names, the address of Azure's platform, and IPv6 addresses that are private or lead to IPv4 ones:
#: all whose first group is none of 2000 to 3fff, and the private ones among these.
PRIVATE_OTHERS = (
    *("localhost", "*.localhost", "168.63.129.16"),
    *(f"[{first}*" for first in ":01456789abcdef"),
    *(f"[{first}{rest}:*" for first in "23" for rest in ("", "?", "??")),
    *("[2001:db8:*", "[2001::*", "[2001:?:*", "[2001:??:*", "[2001:1??:*", "[2002:*"),
    *("[3fff::*", "[3fff:?:*", "[3fff:??:*", "[3fff:???:*"),
)


def proxy_flags(address: str) -> tuple[str, ...]:
    """Return the flags with which Chrome uses the proxy at ``address`` for everything."""
    return f"--proxy-server={address}", PROXY_EVERYTHING, *NO_DATAGRAMS


def private_literal_flags(allowed: Iterable[str]) -> tuple[str, ...]:
    """Return flags with which Chrome finds no host that a URL spells out as a private address,
    except the hosts ``allowed``.

    They are for a Chrome on another machine, which cannot use a gateway here. It resolves names
    there, and these flags do not see to what.
    """
    # No name ends in a digit, so a site called 10.example.com is not meant.
    literals = (f"{start}*{digit}" for start in PRIVATE_IPV4 for digit in range(10))
    rules = [f"MAP {pattern} ~NOTFOUND" for pattern in (*PRIVATE_OTHERS, *literals)]
    rules += [f"EXCLUDE [{host}]" if ":" in host else f"EXCLUDE {host}" for host in sorted(allowed)]
    return f"--host-resolver-rules={','.join(rules)}", *NO_DATAGRAMS
