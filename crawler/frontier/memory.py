"""The memory that a crawl has of its pages, from one generation to the next: see
``lua/lib/memory.lua``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model import Json, Plan, page_id
from ..storage.errors import redis_errors
from .answers import Creation
from .arguments import batches
from .keys import LASTING, TYPES, delete_pages

if TYPE_CHECKING:
    from .frontier import Frontier

#: URLs that one call moves or looks up.
WINDOW = 500
#: The list of known URLs is rid of pages that are forgotten when it is so many times as long as
#: those that the crawl knows, and so many more.
GARBAGE, GARBAGE_MIN = 1.25, 1_000
#: Seconds in an hour, to which times are remembered.
HOUR = 3_600
#: The reason of a page that vanished because no link and no seed led to it.
NOT_MET = "not_met"

#: Returns the canonical form of a URL.
Canonical = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of a page: when it was first and last seen, in epoch seconds, to the
    hour. ``met``: in this generation. ``present``: its last visit went well, and was no 404.
    """

    first_seen: int
    last_seen: int
    met: bool
    present: bool


@dataclass(frozen=True, slots=True)
class Vanished:
    """A page that was known before, and is not there any more: why not, and with which status."""

    url: str
    reason: str
    status: int | None
    memory: Memory

    def record(self) -> dict[str, Json]:
        """Return it as JSON; times are epoch seconds."""
        return {
            "url": self.url,
            "reason": self.reason,
            "status": self.status,
            "first_seen": self.memory.first_seen,
            "last_seen": self.memory.last_seen,
        }


class Memories:
    """The memory of ``frontier``, over its generations."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._redis, self._key = frontier.redis, frontier.key

    def begin_generation(self, plan: Plan) -> Creation:
        """Begin another generation of a crawl that has ended, by ``plan``: all its pages can be
        queued again, and what is remembered of them stays.

        In small steps; one that was cut short is repeated. A crawl that does not exist is created.

        Raises:
            FrontierRefused: the crawl has not ended; or its hook for the end is still to be called.
        """
        frontier = self._frontier
        if frontier.digest() is not None:
            while frontier.run_script("turn", WINDOW):
                pass
            with redis_errors():
                delete_pages(self._redis, frontier.prefix)
        left = [name for name in TYPES if name not in LASTING]
        answer = frontier.write_plan(plan, left=left)
        frontier.enlist()
        return answer

    def last_start(self) -> float | None:
        """Return when the last generation began that came to its end, in epoch seconds; None: there
        was none.
        """
        with redis_errors():
            last = self._redis.hget(self._key("memory"), "last")
        return int(last) / 1_000 if last else None

    def recall(self, ids: Sequence[str]) -> list[Memory | None]:
        """Return what is remembered of the pages ``ids``, some hundred at most; None: nothing."""
        flat = self._frontier.run_script("recall", *ids)
        return [
            Memory(HOUR * first, HOUR * last, bool(met), bool(present)) if known else None
            for known, first, last, met, present in batches(flat, 5)
        ]

    def vanished(self, canonical: Canonical) -> Iterator[Vanished]:
        """Yield the pages that were known when this generation began and that have vanished since:
        those that are gone, and, if the crawl looked for all pages, those that it did not meet.

        ``canonical`` is of the crawl's own rules.
        """
        yield from self._gone()
        if self._frontier.snapshot().whole:
            yield from self._not_met(canonical)

    def _gone(self) -> Iterator[Vanished]:
        seen = set[str]()
        for window in self._windows("vanished"):
            letters = [json.loads(text) for text in window]
            memories = self.recall([letter[3] for letter in letters])
            for (_, status, reason, id_, url), memory in zip(letters, memories, strict=True):
                if memory and not memory.present and id_ not in seen:
                    seen.add(id_)
                    yield Vanished(url, reason, status or None, memory)

    def _not_met(self, canonical: Canonical) -> Iterator[Vanished]:
        seen = set[str]()
        for window in self._windows("known"):
            urls = [text.decode("utf-8", "replace") for text in window]
            ids = [page_id(canonical(url)) for url in urls]
            for url, id_, memory in zip(urls, ids, self.recall(ids), strict=True):
                if memory and not memory.met and id_ not in seen:
                    seen.add(id_)
                    yield Vanished(url, NOT_MET, None, memory)

    def _windows(self, name: str) -> Iterator[list[bytes]]:
        start = 0
        while True:
            with redis_errors():
                window = self._redis.lrange(self._key(name), start, start + WINDOW - 1)
            if not window:
                return
            yield window
            start += len(window)

    def tidy(self, canonical: Canonical) -> int:
        """Take the URLs of pages that are forgotten off the list of those that are known, if they
        are many; return how many are left.
        """
        with redis_errors():
            length = int(self._redis.llen(self._key("known")))
            known = int(self._redis.hget(self._key("memory"), "known") or 0)
        if length <= GARBAGE * known + GARBAGE_MIN:
            return length
        left, seen = 0, set[str]()
        for start in range(0, length, WINDOW):
            size = min(WINDOW, length - start)
            with redis_errors():  # each step takes the first, and puts those that stay to the end
                window = self._redis.lrange(self._key("known"), 0, size - 1)
            ids = [page_id(canonical(text.decode("utf-8", "replace"))) for text in window]
            kept = [id_ if id_ not in seen else "" for id_ in ids]
            seen.update(ids)
            left += int(self._frontier.run_script("sift", *kept))
        return left
