"""The address of a proxy, as URL and in its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

#: Kinds of proxies, and their usual ports. The proxy looks up names in all of them.
PROXY_PORTS = {"http": 3128, "socks5": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. ``str`` and ``repr`` show its address alone."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """Return the proxy at ``url``. Raises ValueError, whose text does not repeat the URL."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = "socks5" if parts.scheme == "socks5h" else parts.scheme
    if scheme not in PROXY_PORTS:
        raise ValueError(
            f"a proxy's address begins with {' or '.join(f'{name}://' for name in PROXY_PORTS)}"
        )
    try:
        port = parts.port or PROXY_PORTS[scheme]
    except ValueError:
        raise ValueError("a proxy's address has a port that does not exist") from None
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            "a proxy's address is scheme://user:password@host:port; other characters are written as"
            " %-codes"
        )
    return Proxy(
        scheme, parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or "")
    )
