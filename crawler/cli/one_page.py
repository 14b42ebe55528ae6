"""Shared by commands that load single pages of a crawl, without Redis: Chrome and the permits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..browser.pool import Chrome
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..definition.network import entries_decided, guard_of, plain_headers, proxies_of, robots_names
from ..local.processes import kill_children
from ..net.permits import Permits
from ..services import endpoint


@contextmanager
def chrome_and_permits(crawl: Crawl) -> Iterator[tuple[Chrome, Permits]]:
    """Give a browser, and the permits of ``crawl`` as they are decided now; end the browser, and
    what hooks started.
    """
    with Chrome(endpoint(configuration.load())) as chrome:
        yield chrome, permits_of(crawl, chrome)
    kill_children()  # of hooks: who waits for the end of our output would wait for theirs


def permits_of(crawl: Crawl, chrome: Chrome) -> Permits:
    """Return the permits of ``crawl`` for pages that no frontier knows: which of its entries are
    private is decided now. Raises DefinitionError.
    """
    entries = entries_decided(crawl)
    return Permits(
        guard_of(crawl, (host for host, private in entries.items() if private)),
        obey=crawl.robots,
        proxies=proxies_of(crawl, chrome.endpoint.secrets),
        names=robots_names(crawl),
        headers=plain_headers(crawl),
    )
