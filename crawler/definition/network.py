"""The ways of a crawl into the network: the hosts that it must not talk to, and its proxies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..net.guard import Guard, Resolve, private_entries, system_resolve
from ..net.proxies import Proxies
from ..urls.robots import AGENT, product_token
from .bounds import scope_of

if TYPE_CHECKING:
    from .crawl import Crawl


def guard_of(
    crawl: Crawl, private_entries: Iterable[str] = (), resolve: Resolve = system_resolve
) -> Guard:
    """Return a guard that says which hosts the crawl must not talk to. Raises DefinitionError.

    ``private_entries`` are kept with the crawl since it was created; see :func:`entries_decided`.
    Make one guard per process: it remembers the addresses that names resolve to.
    """
    return Guard(
        entry_hosts(crawl), crawl.private_hosts, private_entries=private_entries, resolve=resolve
    )


def entries_decided(
    crawl: Crawl, *, by_name: bool = True, resolve: Resolve = system_resolve
) -> dict[str, bool]:
    """Return the hosts at which the crawl starts, and whether each is at a private address now, so
    that the crawl may go there. Decide once, when the crawl is created. Raises DefinitionError.

    Without ``by_name`` no name counts as private, only addresses that are spelled out. It may take
    as long as look-ups of names.
    """
    hosts = entry_hosts(crawl)
    private = private_entries(hosts, resolve if by_name else _no_address)
    return {host: host in private for host in sorted(hosts)}


def entry_hosts(crawl: Crawl) -> frozenset[str]:
    """Return the hosts of the crawl's entries; none if it may go nowhere private."""
    return frozenset() if crawl.public_only else scope_of(crawl).hosts


def _no_address(_: str) -> tuple[str, ...]:
    return ()


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
