"""Pages of a site that `generate` looks at, each loaded as a crawl of it loads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..browser.trial.trial_chrome import UNASKABLE, TrialChrome
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..drafts.pages import LATE_MAX, LATE_PAUSE, QUIET, Loaded
from ..drafts.proposals import Sample
from ..errors import PageError
from ..model import Json, Response
from ..net.permits import Permits
from ..run.dry_run import DryRun, dry_run
from ..run.looks import StillLooks

#: Fields that say what is waited for; a crawl that has one knows what it does.
WAITS = ("wait_for", "wait_for_response", "wait_until", "wait_quiet", "scroll", "steps")
#: Whether the page loaded data after it was there.
LOADED_LATE = """
const [page] = performance.getEntriesByType("navigation");
const kinds = ["fetch", "xmlhttprequest", "script", "iframe"];
return performance.getEntriesByType("resource").some(
  (one) => kinds.includes(one.initiatorType) && one.responseEnd > (page ? page.loadEventEnd : 0));
"""


@contextmanager
def site_pages(crawl: Crawl) -> Iterator[SitePages]:
    """Give the pages of the site of ``crawl``, with a browser of their own."""
    from ..services import endpoint
    from .one_page import permits_of

    with TrialChrome(endpoint(configuration.load())) as chrome:
        yield SitePages(crawl, chrome, permits_of(crawl, chrome))


class SitePages:
    """Loads pages of the site of ``crawl``, each once, unless something of them comes late."""

    def __init__(self, crawl: Crawl, chrome: TrialChrome, permits: Permits) -> None:
        self.crawl, self._chrome, self._permits = crawl, chrome, permits
        self._known: dict[str, Loaded] = {}
        #: Pages as they were seen last, and whether that was at the end of the time for looks.
        self._last: dict[str, tuple[Sample, bool]] = {}

    def load(self, url: str, waits: Mapping[str, Json] | None = None) -> Loaded:
        """Return the page at ``url``, as Chrome shows it, after these ``waits``.

        Raises:
            PageError: it does not come.
            BrowserLost, BrowserUnavailable: there is no browser.
        """
        if waits:
            patient = self.crawl.replace(**waits)
            run = dry_run(patient, self._chrome, self._permits, url, looks=StillLooks())
            return _loaded(run)
        if url not in self._known:
            self._known[url] = self._load(url)
        return self._known[url]

    def _load(self, url: str) -> Loaded:
        run = dry_run(self.crawl, self._chrome, self._permits, url)
        if "late" not in run.hints or any(name in self.crawl.raw for name in WAITS):
            return _loaded(run)
        if not self._loaded_late():
            return _loaded(run, grows=True)  # quiet or not says nothing of a timer
        early = Sample.of(run.result.response)
        patient = self.crawl.replace(wait_quiet=QUIET)
        return _loaded(dry_run(patient, self._chrome, self._permits, url), early)

    def _loaded_late(self) -> bool:
        """Whether the page that is shown loaded data late; it may have, if nobody can tell."""
        with self._chrome.again() as browser:
            try:
                return browser is None or bool(browser.transport.ask(LOADED_LATE))
            except UNASKABLE:
                return True

    def later(self, url: str, has: Callable[[Sample], bool]) -> Sample | None:
        """Return the page at ``url`` as soon as ``has`` says yes to it; None: it never does, within
        ``LATE_MAX`` seconds after it was loaded, or it does not come once more.

        Raises:
            BrowserLost, BrowserUnavailable: there is no browser.
        """
        sample, whole = self._last.get(url, (None, False))
        if sample and (whole or has(sample)):
            return sample if has(sample) else None
        try:
            dry_run(self.crawl, self._chrome, self._permits, url, looks=StillLooks())
        except PageError:
            return None
        end = time.monotonic() + LATE_MAX
        with self._chrome.again() as browser:
            while browser is not None:
                try:
                    html, at = browser.source()
                except UNASKABLE:
                    break
                sample, whole = Sample.of(Response(at, html=html)), time.monotonic() > end
                self._last[url] = sample, whole
                if has(sample):
                    return sample
                if whole:
                    break
                time.sleep(LATE_PAUSE)
        return None


def _loaded(run: DryRun, early: Sample | None = None, *, grows: bool = False) -> Loaded:
    response = run.result.response
    return Loaded(Sample.of(response), early, response.title, grows)
