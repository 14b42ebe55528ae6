"""The demands of a crawl on the browser: a profile of its sessions, and a visit of each page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..hooks import wants
from ..profile import Profile
from ..redaction import password_of
from ..secret_refs import references
from .credentials import all_steps, url_credentials
from .derived import once_per_crawl
from .steps import Visit, parse_steps

if TYPE_CHECKING:
    from .crawl import Crawl

#: Pages that a browser session loads through its proxy, at most, before another one's turn comes.
PROXY_PAGES = 100
#: Fields that a profile and a visit have under the same name.
_OF_PROFILE = (
    *("user_agent", "language", "window", "load_strategy", "images", "block", "timezone"),
    *("page_load_timeout", "conditional"),
    *("geolocation", "mobile", "scale", "console", "timings"),
    *("download_limit", "download_timeout", "keep_fragment", "interstitial_wait", "frames"),
)
_OF_VISIT = (
    *("wait_for", "wait_until", "wait_quiet", "wait_timeout", "scroll", "scroll_timeout"),
    *("frames", "screenshot", "pdf", "wait_for_response"),
)


def profile_of(crawl: Crawl, flags: Iterable[str] = ()) -> Profile:
    """Return the profile of the crawl's browser sessions. Raises DefinitionError.

    The crawl's own command line flags come after ``flags``, so they win.
    """
    referring = (all_steps(crawl), crawl.basic_auth, crawl.login)
    return Profile(
        crawl.name,
        flags=(*flags, *crawl.flags),
        headers=tuple(sorted((crawl.headers or {}).items())),
        exchanges=crawl.response_headers or bool(crawl.keep_headers),
        headers_shown=tuple(sorted({name.lower() for name in crawl.keep_headers})),
        basic_auth=tuple(sorted((url_credentials(crawl) | (crawl.basic_auth or {})).items())),
        references=tuple(sorted({name for value in referring for name in references(value)})),
        downloads=crawl.downloads == "save",
        watch=_watches(crawl),
        captures=_captures(crawl),
        line=_wants_line(crawl),
        pages=PROXY_PAGES if crawl.proxy else None,
        **_values(crawl, _OF_PROFILE),
    )


def attached_warnings(crawl: Crawl) -> Iterator[str]:
    """Yield what the crawl cannot have of a browser that runs already, at a bare DevTools endpoint:
    a line for each field.
    """
    where = "the browser at CRAWLER_CHROME_URL"
    if crawl.flags:
        yield f"flags: {where} runs already, and takes none"
    if crawl.downloads == "save":
        yield f"downloads: {where} cannot hand files over; no page is begun there"
    if any(password_of(proxy) or any(references(proxy)) for proxy in crawl.proxy):
        yield f"proxy: {where} cannot be told a proxy's password; no page is begun there"


@once_per_crawl
def visit_of(crawl: Crawl) -> Visit | None:
    """Return what is done on a page before it is read; None if that is nothing. Raises
    DefinitionError.
    """
    return Visit(steps=parse_steps(crawl.steps), **_values(crawl, _OF_VISIT)) or None


def _watches(crawl: Crawl) -> bool:
    """Whether the loading of some page must be watched."""
    visit = visit_of(crawl)
    if visit and visit.watches:
        return True
    quiet = any(table.get("wait_quiet") for table in crawl.routes.values())
    return quiet or any(step.action == "quiet" for step in parse_steps(all_steps(crawl)))


def _wants_line(crawl: Crawl) -> bool:
    """Whether a hook may give the browser headers for some hosts only."""
    hooks = [crawl.hooks.get(step) for step in ("before_all", "before")]
    hooks += [table.get("before") for table in crawl.routes.values()]
    return any(callable(hook) and wants(hook, "browser") for hook in hooks)


def _captures(crawl: Crawl) -> bool:
    """Whether responses of some page are captured, or waited for."""
    names = ("capture", "wait_for_response")
    tables = [*crawl.routes.values(), {name: getattr(crawl, name) for name in names}]
    return any(table.get(name) for table in tables for name in names)


def _values(crawl: Crawl, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(crawl, name) for name in names}
