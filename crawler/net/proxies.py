"""The proxies of a crawl, which its browser sessions use in turn. A proxy that fails is set aside,
by this process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from functools import cached_property

from ..errors import BrowserUnavailable
from ..secret_refs import reveal
from ..urls.proxy_url import Proxy, parse_proxy


class Proxies:
    """The proxies at ``urls`` in turn; :meth:`fail` sets one aside for ``pause`` seconds.
    ``secrets`` holds the variables that the URLs may refer to, by name.
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
        """Return this thread's proxy: as before, unless it failed, or a ``fresh`` one is wanted for
        a new session.

        If all are set aside, it is the one whose time is up first.

        Raises:
            BrowserUnavailable: this worker does not know a variable that a URL refers to.
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
        """Set this thread's proxy aside, and return it."""
        proxy: Proxy = self._mine.proxy
        with self._lock:
            self._until[proxy] = time.monotonic() + self._pause
        return proxy
