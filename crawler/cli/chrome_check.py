"""Whether a local Chrome starts, for a command whose own workers begin no page."""

from __future__ import annotations

import time

from ..client.client import Client
from ..config.settings import Settings
from ..definition.browser_profile import profile_of
from ..definition.crawl import Crawl
from ..model import Snapshot

#: Seconds without a page begun, while a worker is alive, after which Chrome is tried.
DOUBT_MIN = 5.0


class ChromeCheck:
    """Tries a local Chrome, as workers of our own do, if none of them begins a page: one clear
    error is better than a crawl that waits for a browser.
    """

    def __init__(self, crawl: Crawl, client: Client) -> None:
        self.crawl, self.client = crawl, client
        self.over = client.settings.chrome_url is not None
        self.begun: int | None = None
        self.alive: float | None = None

    def look(self, seen: Snapshot) -> None:
        """Try it once, if no page was begun though a worker is alive since ``DOUBT_MIN`` seconds.

        Raises:
            BrowserUnavailable: it does not start.
        """
        if self.over:
            return
        begun, now = seen.counts.get("started", 0), time.monotonic()
        self.begun = begun if self.begun is None else self.begun
        if begun > self.begun:
            self.over = True
        elif self.alive is None:
            self.alive = now if self.client.workers.workers() else None
        elif now - self.alive >= DOUBT_MIN:
            self.over = True
            start_chrome(self.crawl, self.client.settings)


def start_chrome(crawl: Crawl, settings: Settings) -> None:
    """Start a Chrome as the workers do, and end it. Raises BrowserUnavailable."""
    # they load Selenium, which no other part of this command needs
    from ..browser.pool import Chrome
    from ..services import endpoint

    with Chrome(endpoint(settings)) as chrome, chrome.session(profile_of(crawl)):
        pass
