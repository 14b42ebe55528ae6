"""Take data from a page without code, by the crawl's table of selectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hooks import wants
from ..model import Json, Response
from .routes import takes_items

if TYPE_CHECKING:
    from .crawl import Crawl


def extract_by_table(crawl: Crawl, response: Response) -> Json:
    """Return what the crawl's table of selectors takes from ``response``; without one, what the
    default one does, unless a route of the crawl says what its items are. An empty table takes
    nothing.
    """
    table = crawl.fields.extract
    if table == {} or (table is None and takes_items(crawl)):
        return None
    from . import selectors  # parsel takes 0.1 s to import, and crawls with a hook do without

    wanted = selectors.DEFAULT_EXTRACT if table is None else table
    return selectors.extract_fields(response.html or "", wanted)


def needs_html(crawl: Crawl) -> bool:
    """Whether the HTML of each page is needed, by a field, by a table of selectors or by a hook."""
    readers = ("logged_out", "extract", "filter", "after")
    return (
        crawl.keep_html
        or "extract" not in crawl.hooks
        or bool(crawl.restrict_css)
        or crawl.nofollow
        or any(wants(crawl.hooks[step], "response") for step in readers if step in crawl.hooks)
    )
