"""The operations on a crawl: who did what to it from outside, as far as commands, schedules and
the jobs API say so. The admin has a log of its own.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import FrontierError
from ..storage.errors import redis_errors
from ..text.encodable import encodable

if TYPE_CHECKING:
    from .frontier import Frontier

#: Operations that are kept of a crawl, until it begins again.
KEPT = 100
#: Characters of each text that are kept.
TEXT_MAX = 300


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: ``what`` was done ("was started"), ``by`` whom, and when (epoch seconds by
    Redis's clock).
    """

    at: float
    what: str
    by: str


class Operations:
    """The operations on the crawl of ``frontier``, in Redis."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier

    def note(self, what: str, by: str) -> None:
        """Keep that ``by`` did ``what``. What was done is done: if Redis fails now, nobody is
        told.
        """
        text = json.dumps([encodable(what, TEXT_MAX), encodable(by, TEXT_MAX)])
        with suppress(FrontierError):
            self._frontier.run_script("note", text, KEPT)

    def latest(self) -> list[Operation]:
        """Return those that are kept, the latest first."""
        with redis_errors():
            texts = self._frontier.redis.lrange(self._frontier.key("operations"), 0, -1)
        found = []
        for text in reversed(texts):
            at, _, rest = text.decode("utf-8", "replace").partition(" ")
            found.append(Operation(int(at) / 1_000, *json.loads(rest)))
        return found
