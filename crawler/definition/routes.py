"""Which route a page of a crawl takes, and the crawl as the pages of a route see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..model import Page, Priority
from .bounds import scope_of
from .derived import once_per_crawl, share
from .route_options import Route, parse_route

if TYPE_CHECKING:
    from .crawl import Crawl


@once_per_crawl
def routes_of(crawl: Crawl) -> Mapping[str, Route]:
    """Return the routes of the crawl by name, in order of definition. Raises DefinitionError."""
    return {name: parse_route(name, table) for name, table in crawl.routes.items()}


def route_of(crawl: Crawl, page: Page) -> Route | None:
    """Return the route that ``page`` takes: the one that its link names, else the first whose
    pattern matches; None: no route, or none that this version of the crawl knows.
    """
    routes = routes_of(crawl)
    if not routes:
        return None
    return routes.get(page.route) or route_at(crawl, page.url)


def route_at(crawl: Crawl, url: str) -> Route | None:
    """Return the first route whose pattern matches ``url``; None: no one does."""
    paths = paths_of(url)
    return next((route for route in routes_of(crawl).values() if route.takes(paths)), None)


def paths_of(url: str) -> tuple[str, ...]:
    """Return the path and query of ``url`` as they are sent and, if that differs, as people read
    them.
    """
    path = "/" + url.partition("://")[2].partition("/")[2]
    return (path, unquote(path)) if "%" in path else (path,)


def route_names(crawl: Crawl) -> str:
    """Return the names of the crawl's routes for a message. Raises DefinitionError."""
    return ", ".join(routes_of(crawl)) or "none"


def routed(crawl: Crawl, page: Page) -> Page:
    """Return ``page`` with the name of the route that it takes; "" if it takes none."""
    route = route_of(crawl, page)
    name = route.name if route else ""
    return page if page.route == name else replace(page, route=name)


def arrived(crawl: Crawl, page: Page, url: str) -> Page:
    """Return ``page``, as its link gave it, with the route that it takes now that it has arrived at
    ``url``: where a redirect led to a URL that a pattern matches, that route takes it, unless its
    link names one.
    """
    if url == page.url or not routes_of(crawl) or page.route in routes_of(crawl):
        return routed(crawl, page)
    route = route_at(crawl, url) or route_of(crawl, page)
    return replace(page, route=route.name if route else "")


def view_of(crawl: Crawl, page: Page) -> Crawl:
    """Return the crawl as ``page`` sees it: with the options of its route in place of its own. It
    is made once for each route. A page without a route sees the crawl itself.
    """
    route = route_of(crawl, page)
    if route is None:
        return crawl
    views = _views(crawl)
    return views.get(route.name) or views.setdefault(route.name, _view(crawl, route))


@once_per_crawl
def _views(crawl: Crawl) -> dict[str, Crawl]:  # noqa: ARG001 -- the crawl keeps them
    return {}


def _view(crawl: Crawl, route: Route) -> Crawl:
    extracts = "extract" in (*route.fields, *route.hooks, *crawl.hooks) or crawl.fields.extract
    fields = dict(route.fields)
    if takes_items(crawl) and not extracts:
        fields["extract"] = {}
    view = crawl.for_route(fields, route.hooks)
    share(scope_of, crawl, view)  # it remembers thousands of links, and no route changes it
    return view


def takes_items(crawl: Crawl) -> bool:
    """Whether the crawl, or a route of it, says what an item is: where one does, pages of which
    nothing is said have no item.
    """
    return any("extract" in (*one.fields, *one.hooks) for one in routes_of(crawl).values())


def with_priorities(crawl: Crawl, pages: Iterable[Page]) -> tuple[Page, ...]:
    """Return ``pages``, which are about to be queued, with the priorities of their routes. One that
    has another priority than the normal one keeps it.
    """
    pages = tuple(pages)
    if all(route.priority is None for route in routes_of(crawl).values()):
        return pages
    return tuple(_with_priority(crawl, page) for page in pages)


def _with_priority(crawl: Crawl, page: Page) -> Page:
    route = route_of(crawl, page) if page.priority is Priority.NORMAL else None
    return (
        page if route is None or route.priority is None else replace(page, priority=route.priority)
    )
