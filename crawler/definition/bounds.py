"""The bounds of a crawl: its scope, the pages that it starts with, and the pages that its links
become.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..model import Page
from .derived import once_per_crawl

if TYPE_CHECKING:
    from ..urls.scope import Scope
    from .crawl import Crawl


@once_per_crawl
def scope_of(crawl: Crawl) -> Scope:
    """Return the scope of the crawl. Raises DefinitionError.

    Pages get the lane of their host only where something holds per host: on a crawl of one host,
    and on one without delay, limits, robots.txt and breaker, all pages share one lane.
    """
    # 0.1 s, and a process that only defines crawls needs no scope
    from ..urls.scope import Scope
    from ..urls.url import Rules

    fields = crawl.fields
    make = partial(
        Scope,
        fields.url,
        fields.scope,
        allow=fields.allow,
        deny=fields.deny,
        deny_extensions=fields.deny_extensions,
        nofollow=fields.nofollow,
        private_hosts=fields.private_hosts,
        rules=Rules(fields.keep_fragment, fields.ignore_tracking, fields.ignore_params),
    )
    scope = make(lanes=False)
    per_host = (fields.delay, fields.host_concurrency, fields.robots, fields.throttle)
    if scope.one_host or not (any(per_host) or fields.breaker_failures):
        return scope
    return make(lanes=True)


def canonical(crawl: Crawl, url: str) -> str:
    """Return the canonical form of ``url`` by the crawl's rules; as it is if it is no URL."""
    from ..urls.url import InvalidURL

    try:
        return scope_of(crawl).rules.canonical(url)
    except InvalidURL:
        return url


def entry_pages(crawl: Crawl) -> tuple[Page, ...]:
    """Return the pages that the crawl starts with, each once. Raises DefinitionError."""
    pages: dict[str, Page] = {}
    for url in crawl.url:
        page = scope_of(crawl).entry(url)
        pages.setdefault(page.key, page)
    return tuple(pages.values())
