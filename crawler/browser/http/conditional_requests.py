"""Requests for pages that the crawl visited before: each asks for the document only if it has
changed, by what is kept of the last visit.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...net.http_client import Exchange
from .kept_answers import KeptAnswer, KeptAnswers

NOT_MODIFIED = 304


class ConditionalRequests:
    """The conditions of a session's requests, by the answers ``kept``; None: it makes none."""

    def __init__(self, kept: KeptAnswers | None) -> None:
        self._kept = kept
        self._url = ""  # of the last request
        self._recalled: KeptAnswer | None = None
        self.begin(None)

    def begin(self, known: bool | None) -> None:
        """Begin a page; ``known``: the crawl visited it before. None: nothing is to be kept."""
        self._known = known
        #: Whether the document that came is that of the last visit.
        self.not_modified = False
        #: Why the answer is not kept although it should be; "": it is, or need not be.
        self.unkept = ""

    def added_to(self, headers: dict[str, str], url: str, cookies: str) -> dict[str, str]:
        """Return ``headers`` of a request for ``url``, which goes with ``cookies``, with its
        conditions. Those that a hook gave are the hook's own affair.
        """
        self._url, self._recalled = url, None
        if self._kept is None or not self._known or _has_own(headers):
            return headers
        whole = {**headers, "Cookie": cookies} if cookies else headers
        self._recalled = self._kept.recall(url, whole)
        return {**headers, **self._recalled.conditions} if self._recalled else headers

    def settled(self, exchange: Exchange) -> Exchange | None:
        """Return ``exchange``, with the document that is kept if it says that this is right still.
        None: it speaks of another one, so the page must be asked for without conditions.
        """
        self.not_modified = False
        if exchange.status != NOT_MODIFIED or self._recalled is None or self._kept is None:
            return exchange
        confirmed = self._recalled.confirmed_by(exchange)
        if confirmed is None:
            self._known = False
            return None
        self.not_modified = True
        self._kept.confirm(self._url)
        return confirmed

    def keep(self, exchange: Exchange) -> None:
        """Keep the answer to the last request, whose document was parsed."""
        whole = exchange.status == 200 and exchange.whole
        if self._kept is not None and self._known is not None and whole and not self.not_modified:
            self.unkept = self._kept.keep(exchange, self._url)

    def close(self) -> None:
        """Close the file of what is kept."""
        if self._kept is not None:
            self._kept.close()


def _has_own(headers: Mapping[str, str]) -> bool:
    return any(name.lower().startswith("if-") or name.lower() == "range" for name in headers)
