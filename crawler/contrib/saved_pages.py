"""Saved pages for tests of a crawl: ``crawler run --save`` makes them, no network is needed."""

# The rest is imported where it is used: it lies above much of the house, and takes a while.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..config import settings as configuration
from ..output.saved_page import read_saved_page

if TYPE_CHECKING:
    from ..browser.chrome.endpoint import Endpoint
    from ..definition.crawl import Crawl
    from ..run.dry_run import DryRun


class SavedPages:
    """Runs saved pages again, in one Chrome, which is started with the first of them.

    ::

        with SavedPages() as pages:
            assert pages.run(shop, "tests/pages/book").item == {"title": "Tea"}

    ``place`` says where Chrome is; None: as the settings say.
    """

    def __init__(self, place: Endpoint | None = None) -> None:
        from ..browser.trial.saved_chrome import SavedChrome
        from ..services import endpoint

        self._chrome = SavedChrome(place or endpoint(configuration.load()))

    def __enter__(self) -> SavedPages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End Chrome. May be called again."""
        self._chrome.close()

    def run(self, crawl: Crawl, folder: str | Path) -> DryRun:
        """Run the page that ``folder`` holds; return its ``item``, its ``links``, and all else that
        a run makes of it (``result``, ``kept``, ``dropped``, ``hints``).

        Raises:
            SetupError: the folder holds no saved page, or a damaged one.
            PageError: the page fails, as it did when it was saved. An error of a hook passes
                through.
        """
        from ..run.saved_run import run_saved

        return run_saved(crawl, self._chrome, read_saved_page(Path(folder)))
