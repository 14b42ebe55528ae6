"""Shared by commands that load single pages of a crawl, without Redis: Chrome and the permits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import environment
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..definition.network import entries_decided, guard_of, plain_headers, proxies_of, robots_names
from ..local.processes import killing_children
from ..net.permits import Permits
from ..output.saved_page import SavedPage, is_saved_page, read_saved_page
from .click_errors import Mistake
from .terminal import echo

if TYPE_CHECKING:
    from ..browser.pool import Chrome
    from ..browser.trial.saved_chrome import SavedChrome
    from ..browser.trial.trial_chrome import TrialChrome


def saved_page_of(crawl: str, page: str | None) -> tuple[str, SavedPage | None]:
    """Return the reference of the crawl, and the saved page that the arguments mean; None: they
    mean none. Raises Mistake, SetupError.
    """
    if page is None:
        folder = Path(crawl)
        if folder.is_dir() and not crawl.startswith(("http://", "https://")):
            return crawl, read_saved_page(folder)
        return crawl, None
    if re.match("https?://", page):
        raise Mistake(f"another page of {crawl} is given by --url {page}")
    if is_saved_page(Path(crawl)):
        raise Mistake(f"the crawl comes first: crawler run {page} {crawl}")
    return crawl, read_saved_page(Path(page))


@contextmanager
def trial_chrome_and_permits(
    crawl: Crawl, *, window: bool = False
) -> Iterator[tuple[TrialChrome, Permits]]:
    """Give a browser, and the permits of ``crawl`` as they are decided now; end the browser, and
    what hooks started. ``window``: it is shown.
    """
    from ..browser.trial.trial_chrome import TrialChrome  # with Selenium, which help does without
    from ..services import endpoint

    place = replace(endpoint(configuration.load()), window=window)
    # of hooks: who waits for the end of our output would wait for theirs
    with killing_children(), TrialChrome(place) as chrome:
        yield chrome, permits_of(crawl, chrome)


@contextmanager
def saved_chrome() -> Iterator[SavedChrome]:
    """Give a browser for saved pages, and end it, and what hooks started."""
    from ..browser.trial.saved_chrome import SavedChrome
    from ..services import endpoint

    with killing_children(), SavedChrome(endpoint(configuration.load())) as chrome:
        yield chrome


def permits_of(crawl: Crawl, chrome: Chrome) -> Permits:
    """Return the permits of ``crawl`` for pages that no frontier knows: which of its entries are
    private is decided now. Raises DefinitionError.
    """
    entries = entries_decided(crawl)
    return Permits(
        guard_of(crawl, (host for host, private in entries.items() if private)),
        obey=crawl.robots,
        proxies=proxies_of(crawl, chrome.endpoint.secrets),
        names=robots_names(crawl),
        headers=plain_headers(crawl),
    )


def window_or_line(wanted: bool) -> bool:
    """Whether a window is ``wanted`` and can be shown; say in a line why not."""
    why = no_window() if wanted else ""
    if why:
        echo(f"no window is shown: {why}; --save DIR keeps a picture of the page", err=True)
    return wanted and not why


def no_window() -> str:
    """Return why Chrome cannot show a window here; "" if it can."""
    from ..browser.chrome.local import find_chrome, is_shell

    settings = configuration.load()
    if settings.chrome_url:
        return "CRAWLER_CHROME_URL has Chrome run elsewhere"
    if not environment.has_display():
        return "there is no display (DISPLAY, WAYLAND_DISPLAY)"
    binary = settings.chrome_binary or find_chrome(window=True)
    if binary and is_shell(str(binary)):
        return f"{binary} is a headless shell, which has none"
    return ""
