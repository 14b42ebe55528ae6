"""What Chrome's performance log tells of a page's requests: read once, for all who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

#: Entries of the log that are kept; the others are not even parsed.
RELEVANT = ('"Network.requestWillBeSent', '"Network.responseReceived', '"Network.loadingFinished"')
#: Entries of one page that are kept: beyond, a page asks for something again and again.
ENTRIES_MAX = 50_000


class NetworkLog:
    """The entries of the log of ``driver`` since :meth:`begin`, as JSON texts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.entries: list[str] = []

    def begin(self) -> None:
        """Forget what the page before did, and went on to do."""
        self.read()
        self.entries = []

    def read(self) -> list[str]:
        """Return all entries of this page so far."""
        for entry in self._driver.execute("getLog", {"type": "performance"})["value"]:
            text = entry["message"]
            if len(self.entries) < ENTRIES_MAX and any(event in text for event in RELEVANT):
                self.entries.append(text)
        return self.entries
