"""Run a page again that was saved in a folder: with the hooks and tables of today, without a
network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..definition.bounds import scope_of
from ..definition.fetching import CHROME
from ..definition.network import guard_of, robots_names
from ..errors import PageError
from ..net.permits import Permits
from .dry_run import DryRun, dry_run
from .looks import StillLooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..browser.trial.saved_chrome import SavedChrome
    from ..definition.crawl import Crawl
    from ..net.robots_files import Browse
    from ..output.saved_page import SavedPage

#: Hooks that are not called for a saved page: they act before it is there.
ABSENT_HOOKS = ("before_all", "before")


class SavedPermits(Permits):
    """The permits of a saved page: what robots.txt forbade, it forbids; nothing else is asked."""

    def __init__(self, crawl: Crawl, saved: SavedPage) -> None:
        super().__init__(
            guard_of(crawl, resolve=lambda _: ()), obey=crawl.robots, names=robots_names(crawl)
        )
        self._saved = saved

    def flags(self, *, local: bool, fresh: bool = False, submits: bool = False) -> tuple[str, ...]:  # noqa: ARG002
        """Return no flags: there is no way into a network."""
        return ()

    def check(self, url: str, lane: str = "", browse: Browse | None = None) -> bool:  # noqa: ARG002
        """Pass: nothing is requested."""
        return False

    def robots_group(self, url: str) -> str | None:  # noqa: ARG002
        """Return the group that counted when the page was saved."""
        return self._saved.robots_group

    def forbidden(self, urls: Iterable[str]) -> list[str]:
        """Return those of ``urls`` that robots.txt forbade then, if it counts today."""
        known = set(self._saved.forbidden) if self.obey else set()
        return [url for url in urls if url in known]


def run_saved(
    crawl: Crawl,
    chrome: SavedChrome,
    saved: SavedPage,
    *,
    route: str = "",
    after: bool = False,
    on_read: Callable[[], None] = lambda: None,
) -> DryRun:
    """Run a ``saved`` page of ``crawl`` in ``chrome``; ``route``: another one than its link named.

    Its log-in, steps and waits are what it was saved after, so they are left out. Raises PageError;
    an error of a hook passes through.
    """
    chrome.saved = page_of_saved(crawl, saved, route)
    return dry_run(
        by_chrome(crawl).without(*ABSENT_HOOKS),
        chrome,
        SavedPermits(crawl, saved),
        page=chrome.saved.page,
        after=after,
        log_in=False,
        looks=StillLooks(),
        on_read=on_read,
    )


def page_of_saved(crawl: Crawl, saved: SavedPage, route: str = "") -> SavedPage:
    """Return ``saved`` with its page as ``crawl`` knows it; ``route``: another one than its link
    named. Raises PageError: it was saved without a document.
    """
    known = saved.page
    if not saved.html:
        raise PageError(known.url, f"saved without a document, as it failed: {saved.failure}")
    page = replace(
        scope_of(crawl).entry(known.url),
        depth=known.depth,
        route=route or known.route,
        data=known.data,
        referer=known.referer,
        form=known.form,
    )
    return replace(saved, page=page)


def by_chrome(crawl: Crawl) -> Crawl:
    """Return ``crawl`` as one whose pages are all shown by Chrome, whatever fetches them else."""
    raw = crawl.raw.get("routes") or {}
    tables = {
        name: {**raw.get(name, {}), "fetch": CHROME}
        for name, table in crawl.routes.items()
        if "fetch" in table
    }
    routes = {"routes": {**raw, **tables}} if tables else {}
    return crawl.replace(fetch=CHROME, **routes)
