"""The Referer of a page's request: a URL that the crawl gives, or the page that led to it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..model import LINK

if TYPE_CHECKING:
    from ..model import Page
    from .crawl import Crawl


def found_on(crawl: Crawl, url: str) -> str:
    """Return what pages bring along whose links were found at ``url``; "" if the crawl tells no
    page what led to it.
    """
    if LINK not in crawl.referer:
        return ""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def referer_of(crawl: Crawl, page: Page) -> str:
    """Return the Referer of ``page``; "" if its request has none.

    Other sites are told no more of the page on which the link was found than its origin, and those
    without encryption nothing of one with it, as browsers do.
    """
    if not page.referer:
        return next((value for value in crawl.referer if value != LINK), "")
    here, there = urlsplit(page.referer), urlsplit(page.url)
    if (here.scheme, here.netloc) == (there.scheme, there.netloc):
        return page.referer
    if (here.scheme, there.scheme) == ("https", "http"):
        return ""
    return f"{here.scheme}://{here.netloc}/"
