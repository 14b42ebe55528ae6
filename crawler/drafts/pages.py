"""Pages of a site as a draft is given them, however they were loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..model import Json
from .proposals import Sample

#: Seconds without a request after which what comes late is there.
QUIET = 0.5
#: Seconds for which a page is looked at that has not what was looked for when it was loaded, and
#: between two looks.
LATE_MAX, LATE_PAUSE = 5.0, 0.25


@dataclass(frozen=True)
class Loaded:
    """A page, and as it was before content came late that it loaded; None: none came. ``grows``:
    content came late that it did not load; a script put it there after a while.
    """

    page: Sample
    early: Sample | None
    title: str
    grows: bool = False


class Pages(Protocol):
    """What loads pages."""

    def load(self, url: str, waits: Mapping[str, Json] | None = None) -> Loaded:
        """Return the page at ``url``, after these ``waits``, fields of a crawl. Raises PageError if
        it does not come.
        """

    def later(self, url: str, has: Callable[[Sample], bool]) -> Sample | None:
        """Return the page at ``url`` as soon as ``has`` says yes to it; None: it never does, within
        ``LATE_MAX`` seconds after it was loaded.
        """
