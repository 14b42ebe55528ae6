"""The lists of a crawl's pages, for people and for exports; nothing here changes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..model import Claim, Page
from ..storage.errors import redis_errors
from . import entries
from .answers import Lane, Recent, Sample
from .arguments import batches
from .entries import FailedPage
from .keys import queue_names

if TYPE_CHECKING:
    from .frontier import Frontier

#: Elements of a large collection that are read at a time.
WINDOW = 1_000
#: Lanes whose queues are measured in one round trip.
LANES = 500


class Listing:
    """The lists of ``frontier``. Each method returns at most ``count`` elements from ``start`` on.

    Two calls see two instants: a page that moves meanwhile may be in both lists, or in none.
    """

    def __init__(self, frontier: Frontier) -> None:
        self.frontier = frontier
        self.redis, self.key = frontier.redis, frontier.key

    def queued(self, start: int = 0, count: int = 100) -> list[Page]:
        """Return waiting pages, lane by lane, high priority first."""
        pages: list[Page] = []
        with redis_errors():
            for name, length in self._queues():
                if start >= length:
                    start -= length
                    continue
                stop = start + count - len(pages) - 1
                pages += map(entries.decode_page, self.redis.lrange(name, start, stop))
                start = 0
                if len(pages) >= count:
                    break
        return pages

    def _queues(self) -> Iterator[tuple[str, int]]:
        """Yield the lists of waiting pages that are not empty, and their lengths."""
        for lanes in batches(sorted(self.lanes()), LANES):
            names = [
                name for lane in lanes for name in queue_names(self.frontier.prefix, lane.decode())
            ]
            pipe = self.redis.pipeline(transaction=False)
            for name in names:
                pipe.llen(name)
            yield from (
                (name, length) for name, length in zip(names, pipe.execute(), strict=True) if length
            )

    def lanes(self) -> set[bytes]:
        """Return the names of all lanes, read in small steps."""
        with redis_errors():
            return set(self.redis.sscan_iter(self.key("lanes"), count=WINDOW))

    def lane_count(self) -> int:
        """Return the number of lanes."""
        with redis_errors():
            return int(self.redis.scard(self.key("lanes")))

    def delayed(self, start: int = 0, count: int = 100) -> list[Page]:
        """Return pages that wait for their next attempt, the first one due first."""
        with redis_errors():
            raws = self.redis.zrange(self.key("delayed"), start, start + count - 1)
        return [entries.decode_page(raw) for raw in raws]

    def processing(self, start: int = 0, count: int = 100) -> list[Claim]:
        """Return pages that are being worked on, and their workers, the oldest claim first.

        The tokens are real: the caller may report with them.
        """
        with redis_errors():
            values = [*filter(entries.is_claim, self.redis.hvals(self.key("inflight")))]
        values.sort(key=entries.claimed_at)
        return [entries.decode_claim(value) for value in values[start : start + count]]

    def steps(self, claims: Iterable[Claim]) -> dict[str, str]:
        """Return the steps that runs were at when they last renewed their leases, by page id: of
        pages that have been in flight for a third of a lease, at least.
        """
        ids = [claim.page.id for claim in claims]
        with redis_errors():
            steps = self.redis.hmget(self.key("steps"), ids) if ids else []
        return {id_: step.decode() for id_, step in zip(ids, steps, strict=True) if step}

    def history(self) -> list[Sample]:
        """Return the course of the counts, which ticks write down every ten seconds: the last 360
        samples, the oldest first.
        """
        with redis_errors():
            texts = self.redis.lrange(self.key("history"), 0, -1)
        return [Sample.parse(text) for text in texts]

    def recent(self, count: int = 10, size: int = 4_000) -> list[Recent]:
        """Return the last results, the newest first, with the first ``size`` bytes of each."""
        flat = self.frontier.run_script("recent", count, size)
        return [
            Recent(int(place.split(b"-")[0]) / 1_000, text.decode("utf-8", "ignore"), whole > size)
            for place, whole, text in batches(flat, 3)
        ]

    def waiting_lanes(self, count: int = 10) -> list[Lane]:
        """Return the lanes that wait for their time, the next one first."""
        with redis_errors():
            names = self.redis.zrange(self.key("snoozed"), 0, count - 1)
        return self.lane_states([name.decode() for name in names])

    def next_lanes(self, count: int = 10) -> list[str]:
        """Return the names of lanes that are ready, the one whose turn is next first."""
        with redis_errors():
            return [name.decode() for name in self.redis.lrange(self.key("ready"), 0, count - 1)]

    def lane_sums(self) -> tuple[int, int, int]:
        """Return the numbers of lanes: all, those that are ready, and those that wait for their
        time.
        """
        with redis_errors():
            pipe = self.redis.pipeline(transaction=False)
            pipe.scard(self.key("lanes")).llen(self.key("ready")).zcard(self.key("snoozed"))
            known, ready, waiting = pipe.execute()
        return int(known), int(ready), int(waiting)

    def lane_states(self, names: Sequence[str]) -> list[Lane]:
        """Return the states of the lanes ``names``, some hundred at most."""
        with redis_errors():
            pipe = self.redis.pipeline(transaction=False)
            for name in names:
                pipe.hmget(self.key(f"lane:{name}"), *Lane.FIELDS)
            replies = pipe.execute() if names else []
        return [Lane.parse(name, reply) for name, reply in zip(names, replies, strict=True)]

    def done(self, start: int = 0, count: int = 100) -> list[str]:
        """Return the records of finished pages, oldest first; fewer than ``counts`` says if
        another program drained the list.
        """
        return [raw.decode("utf-8", "replace") for raw in self._range("done", start, count)]

    def failed(self, start: int = 0, count: int = 100) -> list[FailedPage]:
        """Return dead letters, oldest first."""
        return [entries.decode_letter(raw) for raw in self._range("failed", start, count)]

    def _range(self, name: str, start: int, count: int) -> list[bytes]:
        with redis_errors():
            return list(self.redis.lrange(self.key(name), start, start + count - 1))

    def results(self, after: str = "0", count: int = 500) -> list[tuple[str, int, str]]:
        """Return results after the stream id ``after``.

        Each is its stream id, its running number from 1 (a gap: results were trimmed), and JSON.
        """
        with redis_errors():
            stream = self.redis.xrange(self.key("results"), f"({after}", "+", count)
        return _decoded(stream)

    def results_from(self, place: str, count: int = 500) -> list[tuple[str, int, str]]:
        """Return results from the stream id ``place`` on, as ``results`` does, its own too.

        If its own is not the first, it is gone: trimmed, or lost by a fail-over.
        """
        with redis_errors():
            stream = self.redis.xrange(self.key("results"), place, "+", count)
        return _decoded(stream)

    def place_to_resume(self, after: str) -> str:
        """Return ``after``, or "0" if the stream went back: a fail-over lost the result there, and
        those that are done again may have earlier places.
        """
        stream = self.key("results")
        with redis_errors():
            if after == "0" or self.redis.xrange(stream, after, after, 1):
                return after
            oldest = self.redis.xrange(stream, "-", "+", 1)
        was_trimmed = oldest and _order(oldest[0][0].decode()) > _order(after)
        return after if was_trimmed else "0"

    def seen(self, key: str) -> bool:
        """Whether the canonical URL ``key`` is known: queued once, whatever became of it, or the
        end of a redirect.
        """
        return bool(self.frontier.run_script("seen", *entries.fingerprint(key)))


def _order(place: str) -> tuple[int, int]:
    """Return a stream id as numbers, which are in the order of the stream."""
    time, _, number = place.partition("-")
    return int(time), int(number or 0)


def _decoded(stream: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[tuple[str, int, str]]:
    return [
        (id_.decode(), int(fields[b"n"]), fields[b"json"].decode("utf-8", "replace"))
        for id_, fields in stream
    ]
