"""Pages of a site that `generate` looks at, each loaded as a crawl of it loads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..browser.pool import Chrome
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..drafts.pages import QUIET, Loaded
from ..drafts.proposals import Sample
from ..net.permits import Permits
from ..run.dry_run import dry_run

#: Fields that say what is waited for; a crawl that has one knows what it does.
WAITS = ("wait_for", "wait_for_response", "wait_until", "wait_quiet", "scroll", "steps")


@contextmanager
def site_pages(crawl: Crawl) -> Iterator[SitePages]:
    """Give the pages of the site of ``crawl``, with a browser of their own."""
    from ..services import endpoint
    from .one_page import permits_of

    with Chrome(endpoint(configuration.load())) as chrome:
        yield SitePages(crawl, chrome, permits_of(crawl, chrome))


class SitePages:
    """Loads pages of the site of ``crawl``, each once."""

    def __init__(self, crawl: Crawl, chrome: Chrome, permits: Permits) -> None:
        self.crawl, self._chrome, self._permits = crawl, chrome, permits
        self._known: dict[str, Loaded] = {}

    def load(self, url: str) -> Loaded:
        """Return the page at ``url``, as Chrome shows it.

        Raises:
            PageError: it does not come.
            BrowserLost, BrowserUnavailable: there is no browser.
        """
        if url not in self._known:
            self._known[url] = self._load(url)
        return self._known[url]

    def _load(self, url: str) -> Loaded:
        early = None
        run = dry_run(self.crawl, self._chrome, self._permits, url)
        if "late" in run.hints and not any(name in self.crawl.raw for name in WAITS):
            early = Sample.of(run.result.response)
            patient = self.crawl.replace(wait_quiet=QUIET)
            run = dry_run(patient, self._chrome, self._permits, url)
        response = run.result.response
        return Loaded(Sample.of(response), early, response.title)
