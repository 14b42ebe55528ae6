"""Pages of a site as a draft is given them, however they were loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .proposals import Sample

#: Seconds without a request after which what comes late is there.
QUIET = 0.5


@dataclass(frozen=True)
class Loaded:
    """A page, and as it was before content came late; None: none came."""

    page: Sample
    early: Sample | None
    title: str


class Pages(Protocol):
    """What loads pages."""

    def load(self, url: str) -> Loaded:
        """Return the page at ``url``. Raises PageError if it does not come."""
