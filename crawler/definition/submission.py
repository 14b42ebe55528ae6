"""Whether a crawl sends forms, as far as that is seen before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .derived import once_per_crawl
from .digest import source_of
from .routes import routes_of

if TYPE_CHECKING:
    from .crawl import Crawl


@once_per_crawl
def may_submit(crawl: Crawl) -> bool:
    """Whether a hook of the crawl, or of a route of it, may follow a form, as its source tells."""
    routes = routes_of(crawl).values()
    hooks = [*crawl.hooks.values(), *(hook for route in routes for hook in route.hooks.values())]
    return any("form" in source for source in map(source_of, hooks) if "follow" in source)
