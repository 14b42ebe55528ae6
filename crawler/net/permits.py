"""Permits for requests: what robots.txt and the safety of the network allow, asked once per site
and kept for all workers.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..errors import BrowserUnavailable, PageError
from ..observe.logs import logger
from ..storage.connection import RedisClient
from ..urls import robots
from ..urls.proxy_url import Proxy
from ..urls.url import host_of, origin_of, parse_url
from .chrome_flags import private_literal_flags, proxy_flags
from .fetch import FetchError
from .gateway import Gateway
from .guard import Guard
from .http_client import Way
from .proxies import Proxies
from .robots_files import Browse, RobotsFiles

log = logger(__name__)

#: Reasons of Chrome when its proxy, which is our gateway, has no connection to a page, or to where
#: the page went on by itself.
PROXY_REASONS = frozenset((
    "proxy", "err_socks_connection_failed", "err_socks_connection_host_unreachable", "unreachable",
    "err_failed",
))  # fmt: skip
#: Sites whose rules a process keeps in memory; the others are asked of Redis again.
SITES_MAX = 1_000
#: Characters of their files in all. Rules take some thirty bytes of memory for each.
SITES_LENGTH_MAX = 4_000_000
#: Comparisons for the links of one page, two to eight a microsecond, after which the rest of them
#: are not asked for. Ordinary rules take ten for a link, half a megabyte of them a hundred.
EFFORT_MAX = 1_000_000


class Permits:
    """The permits of one crawl, for one process.

    ``guard`` knows the hosts that must not be talked to. With ``obey``, robots.txt is asked; the
    answer is kept in ``redis`` under ``{prefix}robots:{origin}``, so that all workers ask a site
    once a day; without ``redis``, this process remembers it. ``pace`` is called with a lane and its
    Crawl-delay, in seconds, when a site asks for one. With ``proxies``, Chrome and robots.txt go
    through one of them at a time. ``names`` are those by which a robots.txt may address the crawl,
    the first one first; ``headers`` are sent when it is asked for.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        obey: bool = True,
        redis: RedisClient | None = None,
        prefix: str = "",
        pace: Callable[[str, float], None] | None = None,
        proxies: Proxies | None = None,
        names: Sequence[str] = (robots.AGENT,),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.names, self.guard, self.obey, self.pace = tuple(names), guard, obey, pace
        self._files = RobotsFiles(guard, redis, prefix, headers or {})
        self._sites: dict[str, tuple[float, robots.Rules]] = {}
        self._sizes: dict[str, int] = {}  # characters of their files
        self._proxies = proxies or Proxies()
        self._gateways: dict[Proxy | None, Gateway] = {}
        self._gateway: Gateway | None = None  # the one in use
        self._failures = 0  # of the gateway, before the page at hand was requested

    def flags(self, *, local: bool, fresh: bool = False, submits: bool = False) -> tuple[str, ...]:
        """Return command line flags that keep Chrome within the limits of :meth:`check`. ``local``:
        it runs on this machine. ``submits``: it sends forms, perhaps, which needs the gateway.

        A crawl whose entries spell out private addresses needs none. The gateway is opened here,
        and ends with this object. ``fresh``: the flags are for a new session, which goes through
        the next proxy.

        Raises:
            BrowserUnavailable: the proxy has a password, which a Chrome on another machine
                cannot get.
        """
        if self._proxies:
            proxy = self._proxies.current(fresh=fresh)
            gateway = self._open(proxy)  # our own requests go through it in any case
            if local:
                return gateway.flags
            if proxy.user:
                raise BrowserUnavailable(
                    f"the proxy {proxy} has a password, which a Chrome elsewhere cannot be told;"
                    " use a local Chrome, or a proxy that knows the Grid by its address"
                )
            # the proxy itself must refuse private addresses
            return proxy_flags(str(proxy))
        if (self.guard.spells_private and not (submits and local)) or (
            self.guard.starts_private and not local
        ):
            return ()
        if not local:
            return private_literal_flags(self.guard.private_hosts)
        return self._open(None).flags

    def _open(self, proxy: Proxy | None) -> Gateway:
        """Return the gateway to ``proxy``, or to the net if it is None; open it if need be."""
        gateway = self._gateways.get(proxy)
        if gateway is None or not gateway.open:
            gateway = self._gateways[proxy] = Gateway(self.guard, proxy)
            weakref.finalize(self, gateway.close)
        if gateway is not self._gateway:
            self._gateway, self._failures = gateway, gateway.count
        return gateway

    def way(self, *, verify: bool = True) -> Way:
        """Return the way of requests without a browser within the limits of :meth:`check`: to
        addresses that the guard has checked, or through this thread's proxy. ``verify``:
        certificates are checked.
        """
        version = self.guard.version
        if self._proxies:
            gateway = self._open(self._proxies.current())
            return Way(gateway=gateway.port, version=version, verify=verify)
        return Way(self._page_addresses, version=version, verify=verify)

    def _page_addresses(self, host: str) -> tuple[str, ...]:
        return self.guard.addresses(host, for_page=True)

    def explain(self, error: PageError) -> PageError:
        """Return ``error``, with the true reason if Chrome only knows that our gateway had no
        connection.

        A proxy that is to blame is set aside, so the next session goes through another.
        """
        if self._gateway is None or error.reason not in PROXY_REASONS:
            return error
        reason = self._gateway.reason(host_of(error.url), self._failures)
        if self._proxies and (reason or error.reason) in ("proxy", "proxy_auth"):
            proxy = self._proxies.fail()
            log.warning("the proxy %s is set aside: %s", proxy, reason or error.reason)
        if reason is None:
            return error
        return PageError(error.url, reason, retryable=reason != "private_address")

    def cut_idle(self, url: str) -> None:
        """Let Chrome send what it sends next to the host of ``url`` by a new connection, where it
        goes through our gateway.
        """
        if self._gateway is not None:
            address = parse_url(url)
            self._gateway.cut_idle(address.host, address.port)

    def set_proxy_aside(self, reason: str) -> None:
        """Set this thread's proxy aside, if it has one, for ``reason``: the next session goes
        through another.
        """
        if self._proxies:
            log.warning("the proxy %s is set aside: %s", self._proxies.fail(), reason)

    def learn(self, version: int, read: Callable[[], Iterable[str]]) -> None:
        """Have the guard know what was decided when the crawl was created: the entries that were
        private. ``read`` is asked for them unless ``version`` is known already.
        """
        if version != self.guard.version:
            self.guard.learn(version, read())

    def check(self, url: str, lane: str = "", browse: Browse | None = None) -> bool:
        """Pass if ``url`` may be requested. It may take as long as a look-up of its name and a
        fetch of robots.txt.

        Where a plain request cannot tell what robots.txt says, ``browse`` goes there. Without it,
        such a site counts as one without the file, for this once.

        Return whether ``browse`` was used: its tab shows another document now.

        Raises:
            PageError: ``private_address``, ``robots`` (both final), ``robots_unavailable`` (its
                server is at fault: by RFC 9309 that forbids everything for now, so ask again
                when that has passed), or why the site cannot be reached.
        """
        if self._gateway is not None:
            self._failures = self._gateway.count
        if self.guard.refuses(host_of(url)):
            raise PageError(url, "private_address")
        if not self.obey:
            return False
        try:
            until, rules, browsed = self._rules(origin_of(url), lane, browse)
        except FetchError as error:
            if error.reason == "private":
                raise PageError(url, "private_address") from error
            raise PageError(url, error.reason, retryable=True) from error
        if rules.allowed(url):
            return browsed
        if rules.everything is None:
            raise PageError(url, "robots")
        raise PageError(
            url, "robots_unavailable", retryable=True, retry_after=until - time.monotonic()
        )

    def crawl_delay(self, url: str) -> float | None:
        """Return the Crawl-delay, in seconds, that is known of the site of ``url``; None if none
        is. Nothing is fetched.
        """
        site = self._sites.get(origin_of(url)) if self.obey else None
        return site[1].crawl_delay if site else None

    def robots_group(self, url: str) -> str | None:
        """Return the name of the group of robots.txt that is known to count for ``url``; None if
        none is. Nothing is fetched.
        """
        site = self._sites.get(origin_of(url)) if self.obey else None
        return site[1].group if site else None

    def forbids(self, url: str) -> bool:
        """Whether it is known already that robots.txt forbids ``url``. Nothing is fetched."""
        site = self._sites.get(origin_of(url)) if self.obey else None
        return site is not None and site[1].everything is None and not site[1].allowed(url)

    def forbidden(self, urls: Iterable[str]) -> list[str]:
        """Return those of ``urls`` that robots.txt is known to forbid. Nothing is fetched.

        Rules that were written to take long are tried on the first URLs only: the others are asked
        for when it is their turn.
        """
        found, effort = [], 0
        for url in urls:
            site = self._sites.get(origin_of(url)) if self.obey else None
            if site is None or site[1].everything is not None:
                continue
            before = site[1].effort
            if not site[1].allowed(url):
                found.append(url)
            effort += site[1].effort - before
            if effort > EFFORT_MAX:
                break
        return found

    def _rules(
        self, origin: str, lane: str, browse: Browse | None
    ) -> tuple[float, robots.Rules, bool]:
        """Return the time (by the monotonic clock) until which the rules of ``origin`` hold, the
        rules, and whether a browser went for them.
        """
        now = time.monotonic()
        known = self._sites.get(origin)
        if known and now < known[0]:
            return *known, False
        gateway = self._gateway.port if self._gateway and self._proxies else None
        file = self._files.get(origin, gateway, browse)
        if file is None:
            return now, robots.Rules(everything=True), False
        rules = robots.parse_robots(file.status, file.body, self.names)
        self._sites.pop(origin, None)
        self._sites[origin] = now + file.keep, rules
        self._sizes[origin] = len(file.body)
        while len(self._sites) > SITES_MAX or (
            len(self._sites) > 1 and sum(self._sizes.values()) > SITES_LENGTH_MAX
        ):
            oldest = next(iter(self._sites))
            del self._sites[oldest], self._sizes[oldest]
        if rules.crawl_delay and self.pace:
            self.pace(lane, rules.crawl_delay)
        return now + file.keep, rules, file.by_browser
