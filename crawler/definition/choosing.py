"""Choose among the links of a page: by depth, by its route, by the page's own wishes, by scope, and
by the filter hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..hooks import call, hook_name, wants
from ..model import Link, Page, Priority, Response
from .bounds import scope_of
from .routes import route_of, view_of, with_priorities

if TYPE_CHECKING:
    from ..urls.scope import Chosen
    from .crawl import Crawl

#: ``rel`` of links that are what a page is, and of no region of it.
INHERENT = ("refresh", "frame")
#: Calls the filter hook with ``link`` or ``links``, and with all else that its caller has for it.
Keep = Callable[..., Any]


def choose(
    crawl: Crawl,
    page: Page,
    links: Iterable[Link],
    *,
    response: Response | None = None,
    keep: Keep | None = None,
    explain: bool = False,
) -> Chosen:
    """Return the pages that the ``links`` of ``page`` become: in scope, not too deep, chosen by the
    filter hook, each once.

    ``keep`` calls the filter hook (with ``link`` or ``links``) for a caller that has more arguments
    for it than are known here. ``response``, with its HTML, is needed for ``restrict_css`` and for
    pages that say nofollow. ``explain`` asks for the reason of each dropped link.

    Raises:
        TypeError: the filter hook returned something else than links.
    """
    route, whole = route_of(crawl, page), crawl
    crawl = view_of(crawl, page)
    hook = crawl.hooks.get("filter")
    chooser = None
    if hook:
        chooser = partial(_filtered, hook, keep or partial(_call_filter, crawl, page, response))
    links, reason = tuple(links), None
    kept: tuple[Link, ...] = links
    if crawl.depth_limit is not None and page.depth >= crawl.depth_limit:
        kept, reason = (), "depth"
    elif route is not None and not route.links:
        kept, reason = (), "route"
    elif response is not None and response.html is not None:
        kept, reason = _allowed_by_page(crawl, links, response.html, response.url)
    chosen = scope_of(crawl).choose(page, kept, keep=chooser, explain=explain)
    chosen = replace(chosen, pages=with_priorities(whole, chosen.pages))
    remain = set(map(id, kept))
    lost = [link for link in links if id(link) not in remain]
    if not lost or reason is None:
        return chosen
    reasons = tuple((link, reason) for link in lost) if explain else ()
    return replace(
        chosen,
        dropped={reason: len(lost), **chosen.dropped},
        reasons=reasons + chosen.reasons,
        examples={reason: lost[0].url, **chosen.examples},
    )


def _call_filter(crawl: Crawl, page: Page, response: Response | None, **links: Any) -> Any:
    available = {"crawl": crawl, "page": page, "response": response, **links}
    return call(crawl.hooks["filter"], available)


def _allowed_by_page(
    crawl: Crawl, links: tuple[Link, ...], html: str, url: str
) -> tuple[tuple[Link, ...], str | None]:
    """Return the links that the page's nofollow and ``restrict_css`` leave, and the reason why the
    others are dropped.
    """
    if not (crawl.nofollow or crawl.restrict_css):
        return links, None
    from .selectors import regions  # parsel takes 0.1 s to import, and few crawls need it here

    # where a page leads by itself, and the documents of a frameset, are no advice of the page
    inherent = tuple(link for link in links if link.rel in INHERENT)
    if crawl.nofollow and regions.says_nofollow(html):
        return inherent, "nofollow"
    if not crawl.restrict_css:
        return links, None
    look = scope_of(crawl).look
    inside = {look(link).key for link in regions.links_within(html, url, crawl.restrict_css)}
    # the scope drops links that have a reason of their own, and counts them under it
    within = tuple(
        link
        for link in links
        if link in inherent or look(link.url).key in inside or look(link.url).reason
    )
    return within, "restrict"


def _filtered(hook: Keep, keep: Keep, links: tuple[Link, ...]) -> Iterable[tuple[Link, Priority]]:
    """Yield the links that the filter hook chooses, with their priorities."""
    if wants(hook, "link"):
        for link in links:
            answer = keep(link=link, links=links)
            if isinstance(answer, Priority):
                yield link, answer
            elif answer:
                yield link, Priority.NORMAL
        return
    answer = keep(links=links)
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes | Mapping):
        raise TypeError(
            f"the filter hook {hook_name(hook)} must return the links to keep, not"
            f" {type(answer).__name__}"
        )
    for choice in answer:
        yield _with_priority(choice, hook)


def _with_priority(choice: Any, hook: Keep) -> tuple[Link, Priority]:
    match choice:
        case Link():
            return choice, Priority.NORMAL
        case str():
            return Link(choice), Priority.NORMAL
        case (Link() as link, Priority() as priority):
            return link, priority
        case (str() as url, Priority() as priority):
            return Link(url), priority
    raise TypeError(
        f"the filter hook {hook_name(hook)} returned {choice!r}, which is neither a link nor a URL"
    )
