"""The wishes of a page for its links, and the regions of it in which links are followed."""

from __future__ import annotations

from collections.abc import Iterable

from .rendered import RenderedDocument, path_of_css, resolved

#: Elements that lead to another document.
_LINKS = "a[href], area[href], iframe[src], object[data]"


def says_nofollow(html: str) -> bool:
    """Whether the page asks robots, in a meta tag, to leave its links alone."""
    for one in RenderedDocument(html).root.iter("meta"):
        if one.get("name", "").strip().lower() == "robots":
            words = {word.strip() for word in one.get("content", "").lower().split(",")}
            if words & {"nofollow", "none"}:
                return True
    return False


def links_within(html: str, url: str, regions: Iterable[str]) -> frozenset[str]:
    """Return the targets of the links inside of the elements that the selectors ``regions`` match,
    absolute, for a page at ``url``.
    """
    document = RenderedDocument(html, url)
    targets = set()
    for css in regions:
        for region in document.root.xpath(path_of_css(css)):
            for link in region.xpath(path_of_css(_LINKS)):
                address = link.get("href") or link.get("src") or link.get("data") or ""
                targets.add(resolved(document.base_of(link), address))
    return frozenset(targets)
