"""Examples of what a crawl leaves out, for its report: of each reason, the first link."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..redaction import masked
from ..text.encodable import encodable

#: Seconds after which a process names an example of the same reason again: the frontier keeps the
#: first one of a crawl, and the crawl may have been begun again.
INTERVAL = 60.0
#: Characters of an example that are kept.
SIZE_MAX = 300


@dataclass
class Examples:
    """Chooses the examples that one process sends for one crawl: hardly any, as each costs a bit
    of the page's report.
    """

    sent: dict[str, float] = field(default_factory=dict)  # by reason: when, by the monotonic clock

    def new(self, dropped: Mapping[str, str]) -> dict[str, str]:
        """Return the URLs of ``dropped``, by reason, that are due."""
        now, due = time.monotonic(), {}
        for reason, url in dropped.items():
            if now >= self.sent.get(reason, now):
                self.sent[reason] = now + INTERVAL
                due[reason] = encodable(masked(url), SIZE_MAX)
        return due
