"""The argument ``follow`` of hooks: pages that their code asks for, with data of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ..definition.bounds import scope_of
from ..definition.forms import form_of, with_form
from ..definition.link_data import link_data
from ..definition.referers import found_on
from ..definition.routes import route_names, routes_of, with_priorities
from ..model import Claim, Json, Link, Page, Priority
from ..urls.scope import DUPLICATE, Chosen, Drops

if TYPE_CHECKING:
    from ..browser.page import LivePage
    from ..definition.crawl import Crawl
    from ..net.permits import Permits
    from .context import RunServices
    from .observer import Observer

#: What a page brought that was followed twice, or is known: it keeps what came first.
KNOWN_DATA = "known_data"

#: Takes a link that a hook follows: the page that it becomes, or the reason why it becomes none.
Taker = Callable[[Link, Page | str], None]


class Follow:
    """Queues pages of a hook's choice, which may have a route and data of their own: with the
    page's report in ``extract`` and ``filter``, at once in other hooks.
    """

    # ``at``: the page for which ``hook`` is called; URLs may be relative to ``base()``, and pages
    # are at ``depth`` unless a call says another
    def __init__(
        self, crawl: Crawl, hook: str, at: Page, base: Callable[[], str], take: Taker, *, depth: int
    ) -> None:
        self._crawl, self._hook, self._at = crawl, hook, at
        self._base, self._take, self._depth = base, take, depth

    def __call__(
        self,
        url: str,
        route: str | None = None,
        data: Mapping[str, Json] | None = None,
        priority: Priority | str | None = None,
        depth: int | None = None,
        again: bool = False,
        form: Mapping[str, Any] | None = None,
    ) -> None:
        """Queue the page at ``url``, which may be relative, unless it is known already.

        ``route`` names the route that it takes, whatever the patterns say. ``data`` is an object of
        JSON of at most 2 KB, and the page's ``data``. ``priority`` is "high", "normal" or "low";
        ``depth`` stands in for that of a link. ``again``: a page that is known is queued, too,
        once the crawl is done with it; the page itself may be. ``form`` are the fields of a form,
        by name: it is submitted to ``url`` by POST, once, and each body is a page of its own. A URL
        that is out of scope, too deep, forbidden or none at all is counted as a link would be.

        Raises:
            TypeError, ValueError: an argument is of no use, whatever the site sends.
        """
        try:
            along, depth = self._arguments(url, route, data, priority, depth)
            if not isinstance(again, bool):
                raise TypeError(f"again is True or False, not {again!r}")
            fields = None if form is None else form_of(form)
        except (TypeError, ValueError) as error:
            error.args = (f"follow() in the hook {self._hook}: {error}",)
            raise
        link, found = self._found(url.strip(), depth, fields, again=again)
        if isinstance(found, Page):
            found = replace(found, again=again, **along)
            if self._depth:  # before_all, at depth 0, is of no page
                found = replace(found, referer=found_on(self._crawl, self._at.url))
            if priority is None:
                (found,) = with_priorities(self._crawl, [found])
        self._take(link, found)

    @cached_property
    def _base_url(self) -> str:
        return self._base()

    def _arguments(
        self, url: Any, route: Any, data: Any, priority: Any, depth: Any
    ) -> tuple[dict[str, Any], int]:
        """Return what a page is to have besides its URL, and its depth."""
        if not isinstance(url, str):
            raise TypeError(f"a URL is text, not {url!r}: nothing matched a selector, perhaps")
        if depth is None:
            depth = self._depth
        elif isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
            raise ValueError(f"depth is a number of links from the entry, not {depth!r}")
        along = {
            "priority": Priority.NORMAL if priority is None else Priority.of(priority),
            "route": "" if route is None else name_of_route(self._crawl, route),
            "data": {} if data is None else link_data(data),
        }
        return along, depth

    def _found(
        self, url: str, depth: int, form: Mapping[str, Json] | None, *, again: bool
    ) -> tuple[Link, Page | str]:
        """Return the link, and its page or the reason why there is none."""
        try:
            link = Link(url if is_absolute(url) else urljoin(self._base_url, url))
        except ValueError:
            return Link(url), "malformed"
        scope, limit = scope_of(self._crawl), self._crawl.depth_limit
        if reason := scope.judge(link, self._at):
            return link, reason
        look = scope.look(link.url)
        page = Page(look.url, depth, look.key, look.lane, parent=self._at.id, id=look.id)
        if form is not None:
            page = with_form(page, form)
        if page.key == self._at.key and not again:
            return link, DUPLICATE
        if limit is not None and depth > limit:
            return link, "depth"
        return link, page


class Followed:
    """The pages that hooks of one page follow, to be written with its report."""

    def __init__(self, *, explain: bool) -> None:
        self._pages: dict[str, Page] = {}
        self._drops = Drops(explain)
        self._written = False

    def take(self, link: Link, found: Page | str) -> None:
        """Keep the page, or count the reason why there is none.

        Raises:
            RuntimeError: the page's report is on its way; a hook kept ``follow`` for later.
        """
        if self._written:
            raise RuntimeError(
                f"follow() is called for {link.url} after its hook has returned: nothing would come"
                " of it; a hook after has a follow of its own"
            )
        if isinstance(found, str):
            self._drops.add(link, found)
        elif found.key in self._pages:
            if found.again:
                self._pages[found.key] = replace(self._pages[found.key], again=True)
            self._drops.add(link, KNOWN_DATA if found.route or found.data else DUPLICATE)
        else:
            self._pages[found.key] = found

    def merged(self, chosen: Chosen) -> Chosen:
        """Return ``chosen``, the links of the page, with what is followed: it comes first, and
        takes the place of the same link.
        """
        self._written = True
        if not self._pages and not self._drops.counts:
            return chosen
        followed, drops = self._pages, self._drops
        dropped = dict(chosen.dropped)
        for reason, number in drops.counts.items():
            dropped[reason] = dropped.get(reason, 0) + number
        links = (page for page in chosen.pages if page.key not in followed)
        return Chosen(
            (*followed.values(), *links),
            dropped,
            (*drops.reasons, *chosen.reasons),
            {**drops.examples, **chosen.examples},
        )


def at_once(
    services: RunServices, observer: Observer, *, claim: Claim | None = None, delivery: str = ""
) -> Taker:
    """Return what writes each page to the frontier at once, or counts why there is none. The hook
    is called by the run with ``claim``, or for the ``delivery`` of that name.
    """

    def take(link: Link, found: Page | str) -> None:
        if isinstance(found, Page) and services.permits.forbidden([found.url]):
            found = "robots"
        if isinstance(found, str):
            examples = {} if found == DUPLICATE else {found: link.url}
            chosen = Chosen((), {found: 1}, ((link, found),), examples)
        else:
            chosen = Chosen((found,), {})
        services.frontier.enqueue(
            chosen.pages,
            parent=claim,
            delivery=delivery,
            skipped=chosen.dropped,
            examples=services.examples.new(chosen.examples),
        )
        observer.choice(chosen)

    return take


def name_of_route(crawl: Crawl, route: Any) -> str:
    """Return the name of a route. Raises TypeError, ValueError: the crawl has none of that name."""
    if not isinstance(route, str):
        raise TypeError(f"route is the name of a route, not {route!r}")
    if route not in routes_of(crawl):
        raise ValueError(f"there is no route {route!r}; there are: {route_names(crawl)}")
    return route


def is_absolute(url: str) -> bool:
    """Whether ``url`` means the same on every page."""
    return url[:8].lower().startswith(("http://", "https://"))


def base_of(page: LivePage) -> str:
    """Return the URL to which those of the document that the tab of ``page`` shows are relative."""
    base = str(page.transport.ask("return document.baseURI"))
    return base if is_absolute(base) else page.url


def permitted(chosen: Chosen, permits: Permits) -> Chosen:
    """Return ``chosen`` without the pages that robots.txt is known to forbid."""
    urls = set(permits.forbidden(page.url for page in chosen.pages))
    forbidden = [page for page in chosen.pages if page.url in urls]
    if not forbidden:
        return chosen
    ids = {page.id for page in forbidden}
    return replace(
        chosen,
        pages=tuple(page for page in chosen.pages if page.id not in ids),
        dropped={**chosen.dropped, "robots": len(forbidden)},
        reasons=chosen.reasons + tuple((Link(page.url), "robots") for page in forbidden),
        examples={**chosen.examples, "robots": forbidden[0].url},
    )
