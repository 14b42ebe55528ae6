"""The ways of a crawl into the network: the hosts that it must not talk to, and its proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..net.guard import Guard, Resolve, system_resolve
from ..net.proxies import Proxies
from ..urls.robots import AGENT, product_token
from .bounds import scope_of

if TYPE_CHECKING:
    from .crawl import Crawl


def guard_of(crawl: Crawl, resolve: Resolve = system_resolve) -> Guard:
    """Return a guard that says which hosts the crawl must not talk to. Raises DefinitionError.

    Make one per process: it remembers the addresses that names resolve to.
    """
    entries = () if crawl.public_only else scope_of(crawl).hosts
    return Guard(entries, crawl.private_hosts, resolve=resolve)


def robots_names(crawl: Crawl) -> tuple[str, ...]:
    """Return the names by which a robots.txt may address the crawl, its own first. Raises
    DefinitionError.
    """
    own = crawl.robots_name or product_token(crawl.user_agent or "")
    return tuple(dict.fromkeys(filter(None, (own, AGENT))))


def plain_headers(crawl: Crawl) -> dict[str, str]:
    """Return the headers with which the crawl asks for robots.txt and sitemaps: as far as it gives
    them, those of its browsers.
    """
    own = {"User-Agent": crawl.user_agent, "Accept-Language": crawl.language}
    return {name: value for name, value in own.items() if value} | dict(crawl.headers or {})


def proxies_of(crawl: Crawl, secrets: Mapping[str, str]) -> Proxies:
    """Return the proxies that the crawl's browsers go through in turn. Raises DefinitionError.

    ``secrets`` holds the variables of this worker that the crawl may refer to, by name.
    """
    return Proxies(crawl.proxy, crawl.proxy_pause, secrets)
