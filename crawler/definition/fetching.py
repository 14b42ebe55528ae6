"""How the pages of a crawl are fetched: by Chrome, by HTTP, or as a comparison of both decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hooks import wants
from .browser_profile import profile_of, visit_of
from .derived import once_per_crawl

if TYPE_CHECKING:
    from ..model import Page
    from ..profile import Profile
    from .crawl import Crawl

#: The ways to fetch pages, by the field ``fetch``.
CHROME, HTTP, AUTO = "chrome", "http", "auto"
#: Hooks that look at the page, and may ask for a browser beside it.
READERS = ("logged_out", "extract", "filter", "after")


@once_per_crawl
def fetches_by_http(crawl: Crawl) -> bool:
    """Whether some page of the crawl may be fetched without a browser."""
    ways = [crawl.fetch, *(table.get("fetch") for table in crawl.routes.values())]
    return any(way in (HTTP, AUTO) for way in ways)


@once_per_crawl
def tab_reason(view: Crawl) -> str:
    """Return why pages of ``view`` (a crawl, or one of its routes) need the tab of a browser,
    whatever its field ``fetch`` says: the field or the hook that asks for it; "": they need none.
    """
    if view.fetch == CHROME:
        return CHROME
    if visit := visit_of(view):
        for name in ("wait_for", "wait_until", "wait_quiet", "wait_for_response", "steps", "scroll",
                     "screenshot", "pdf"):  # fmt: skip
            if getattr(visit, name, None):
                return name
        return "frames"
    for name in ("capture", "console", "timings"):
        if getattr(view, name):
            return name
    for step in READERS:
        hook = view.calls.get(step)
        if hook is not None and wants(hook, "browser"):
            return f"the hook {step}, which asks for browser"
    return ""


def chrome_reason(view: Crawl, page: Page, *, first: bool) -> str:
    """Return why ``page`` needs a browser; "": it needs none. ``first``: its run does
    ``before_all``.
    """
    if page.form is not None:
        return "form"
    if first and (hook := view.calls.get("before_all")) is not None and wants(hook, "browser"):
        return "before_all"
    return tab_reason(view)


@once_per_crawl
def profile_by_http(crawl: Crawl) -> Profile:
    """Return the profile of the crawl's sessions without a browser."""
    return profile_of(crawl)
