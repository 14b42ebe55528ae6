"""Which way pages come of a crawl with ``fetch="auto"``: as comparisons of both ways decide, for
each route, over all processes.

The first pages of a route are fetched by HTTP and by Chrome. While both tell the same, pages come
by HTTP; one in ``AUDIT_EACH`` and later fewer, and each page whose scripts were not seen in one
that was compared, is fetched both ways again. The first difference sends the route to Chrome for
good, and the pages that came by HTTP since the last comparison are done again.
"""

from __future__ import annotations

from random import uniform
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..frontier.frontier import Frontier

#: Pages of a route that are compared before HTTP is trusted.
TRIALS = 10
#: Of the pages of a route that come by HTTP then, each process has one in so many compared: one in
#: N when N were the same, but no more than one in the first of these, and no fewer than one in the
#: second. N that are the same, and none that differs, say that fewer than some one in N differ.
AUDIT_EACH, AUDIT_EACH_MAX = 20, 200
#: How far from that the next one may be, so that processes which began together soon take turns:
#: what is done again for a difference is what came since the last comparison of any of them.
SPREAD = 0.5
#: Kinds of scripts that are remembered of a route. One with more is left to Chrome.
SHAPES_MAX = 100
#: Seconds after which the notes of other processes are read again.
FRESH = 1.0

TRIAL, HTTP, CHROME = "trial", "http", "chrome"


class Fetching:
    """What this process knows of the ways of one crawl's pages."""

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}
        self._read_at = float("-inf")
        self._until_audit: dict[str, int] = {}  # pages, by route
        #: Whether this process has compared a page: the first one also waits for connections, and
        #: for what Chrome does once, so it is not timed.
        self.warm = False

    def way(self, frontier: Frontier, route: str) -> str:
        """Return the way of the next page of ``route``: TRIAL (both), HTTP or CHROME."""
        if monotonic() - self._read_at > FRESH:
            self._take(frontier, frontier.note_fetched())
        if f"differs:{route}" in self._notes or self._number("shapes", route) > SHAPES_MAX:
            return CHROME
        return HTTP if self._number("same", route) >= TRIALS else TRIAL

    def is_due(self, route: str) -> bool:
        """Whether the page at hand, which comes by HTTP, is compared as one in so many."""
        left = self._until_audit.get(route, AUDIT_EACH) - 1
        if left <= 0:
            each = min(max(AUDIT_EACH, self._number("same", route)), AUDIT_EACH_MAX)
            self._until_audit[route] = round(each * uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311
            return True
        self._until_audit[route] = left
        return False

    def knows(self, route: str, shape: str) -> bool:
        """Whether a page of ``route`` with scripts of this ``shape`` was the same both ways."""
        return f"shape:{route}:{shape}" in self._notes

    def time(self, frontier: Frontier, *, fresh: bool) -> int:
        """Return a time by Redis's clock, in ms, that is past: with ``fresh`` the present."""
        if fresh:
            self._take(frontier, frontier.note_fetched())
        return int(self._notes.get("time", 0))

    def note_same(self, frontier: Frontier, route: str, shape: str, time: int) -> None:
        """Note that a page of ``route`` is the same both ways, which was not requested before
        ``time``.
        """
        self._take(
            frontier, frontier.note_fetched(route, "same", shape, shapes=SHAPES_MAX, time=time)
        )

    def note_difference(self, frontier: Frontier, route: str, text: str) -> None:
        """Note that a page of ``route`` is not; ``text`` names it, and what differs. Pages that
        came by HTTP since the last comparison are queued again.
        """
        self._take(frontier, frontier.note_fetched(route, "differs", text=text))

    def _take(self, frontier: Frontier, notes: dict[str, str]) -> None:
        """Go on with ``notes``; see that no page in doubt is left of a route that differs."""
        while int(notes["again"]):
            notes = frontier.note_fetched()
        self._notes, self._read_at = notes, monotonic()

    def _number(self, name: str, route: str) -> int:
        return int(self._notes.get(f"{name}:{route}", 0))


def difference(by_http: dict[str, object], by_chrome: dict[str, object]) -> str:
    """Return what differs between a page's two ways, in a few words; "": nothing."""
    for name, value in by_chrome.items():
        other = by_http.get(name)
        if other == value:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            fields = [key for key in {**value, **other} if value.get(key) != other.get(key)]
            return f"{name}: {', '.join(map(str, fields[:5]))}"
        if isinstance(value, list) and isinstance(other, list):
            return f"{name}: {len(other)} by HTTP, {len(value)} by Chrome"
        return f"{name}: {str(other)[:60]!r} by HTTP, {str(value)[:60]!r} by Chrome"
    return ""
