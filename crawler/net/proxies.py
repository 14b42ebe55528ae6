"""The proxies of a crawl: its browser sessions go through one each, in turn. One that fails is set
aside, by this process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote, urlsplit

from ..errors import BrowserUnavailable
from ..secret_refs import reveal

#: Kinds of proxies, and their usual ports. Names are looked up by the proxy in all of them.
SCHEMES = {"http": 3128, "socks5": 1080}
#: Pages that a browser session loads through its proxy, at most, before another one's turn comes.
PROXY_PAGES = 100


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. What is shown of it (``str``, ``repr``) is its address alone."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """The proxy at ``url``. Raises ValueError, whose text does not repeat it."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = "socks5" if parts.scheme == "socks5h" else parts.scheme
    if scheme not in SCHEMES:
        raise ValueError(
            f"a proxy's address begins with {' or '.join(f'{name}://' for name in SCHEMES)}"
        )
    try:
        port = parts.port or SCHEMES[scheme]
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


class Proxies:
    """The proxies at ``urls`` in turn; :meth:`fail` sets one aside for ``pause`` seconds.
    ``secrets``: what URLs may refer to.
    """

    def __init__(
        self, urls: Iterable[str] = (), pause: float = 0.0, secrets: Mapping[str, str] | None = None
    ) -> None:
        self._urls, self._pause, self._secrets = tuple(urls), pause, secrets or {}
        self._until: dict[Proxy, float] = {}  # those set aside
        self._turn = 0
        self._lock = threading.Lock()
        self._mine = threading.local()  # a thread has a session of its own

    def __bool__(self) -> bool:
        return bool(self._urls)

    @cached_property
    def _proxies(self) -> tuple[Proxy, ...]:
        try:
            return tuple(parse_proxy(reveal(url, self._secrets)) for url in self._urls)
        except ValueError as error:  # a worker's variable holds something else
            raise BrowserUnavailable(str(error)) from None

    def current(self, *, fresh: bool = False) -> Proxy:
        """This thread's proxy: the same as before, unless it failed, or a ``fresh`` one is wanted
        for a new session.

        If all are set aside, it is the one whose time is up first.

        Raises:
            BrowserUnavailable: this worker does not know one that a URL refers to.
        """
        now = time.monotonic()
        mine: Proxy | None = getattr(self._mine, "proxy", None)
        with self._lock:
            if mine is None or fresh or self._until.get(mine, 0.0) > now:
                order = self._proxies[self._turn :] + self._proxies[: self._turn]
                # the first of those not set aside
                mine = min(order, key=lambda proxy: max(now, self._until.get(proxy, 0.0)))
                self._turn = (self._proxies.index(mine) + 1) % len(self._proxies)
        self._mine.proxy = mine
        return mine

    def fail(self) -> Proxy:
        """Set this thread's proxy aside; which one that was."""
        proxy: Proxy = self._mine.proxy
        with self._lock:
            self._until[proxy] = time.monotonic() + self._pause
        return proxy
