"""The examination of a crawl's keys, and their repair.

The lists of pages are true; claims, lanes and counts are derived from them.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import FrontierUnavailable
from ..storage.errors import redis_errors
from ..text.printable import printable
from . import entries
from .arguments import batches, to_ms
from .keys import memory_keys, mistyped_keys
from .listing import WINDOW, Listing

if TYPE_CHECKING:
    from .frontier import Frontier

#: Lanes that one call examines or mends.
LANE_BATCH = 100
#: Claims, leases, tokens and deliveries that one call examines or mends.
CLAIM_BATCH = 100
#: Seconds for which a crawl is closed at most while it is examined in steps; two hundred thousand
#: lanes take some twenty.
CLOSED_LIFE = 120.0
#: The sentence of a key that somebody else wrote.
MISTYPED = "the key '{}' is not of our type: somebody else wrote it; a repair moves it aside"


def audit_keys(frontier: Frontier) -> list[str]:
    """Return what is wrong with the crawl's keys, in sentences; empty if nothing is.

    One atomic step, so the crawl may go on meanwhile. With more than 500 lanes, or a thousand pages
    in flight or deliveries, it is closed while it is examined in many steps, some seconds for a
    hundred thousand lanes: other callers wait meanwhile.
    """
    with redis_errors():
        mistyped = list(mistyped_keys(frontier.redis, frontier.prefix))
    if mistyped:
        return [MISTYPED.format(printable(name)) for name in mistyped]
    return _examine(frontier, "audit")


def repair_keys(frontier: Frontier) -> list[str]:
    """Rebuild what is derived (claims, lanes, counts) from the lists; return what was wrong, in
    sentences.

    As with ``audit_keys``, the crawl may go on meanwhile, or waits. Pages in processing without a
    claim are tried again after the next tick. An interrupted repair is to be repeated.

    Raises:
        FrontierUnavailable: also if it took so long that the crawl went on.
    """
    moved = [MISTYPED.format(printable(name)) for name in frontier.move_aside()]
    return moved + _examine(frontier, "repair")


def _examine(frontier: Frontier, script: str) -> list[str]:
    answer = frontier.run_script(script, "all")
    if answer == b"LARGE":
        with exclusive_access(frontier):
            answer = list(_examine_in_steps(frontier, script))
    return [sentence.decode("utf-8", "replace") for sentence in answer]


def _examine_in_steps(frontier: Frontier, script: str) -> Iterator[bytes]:
    yield from _examine_claims(frontier, script)
    with redis_errors():
        lanes = _places(frontier)
    steps = [[field for lane in batch for field in lane] for batch in batches(lanes, LANE_BATCH)]
    queued, damaged = 0, False
    for fields in steps:
        number, *wrong = frontier.run_script(script, "lanes", *fields)
        queued, damaged = queued + number, damaged or bool(wrong)
        yield from wrong
    if damaged and script == "repair":
        frontier.run_script(script, "clear")
        for fields in steps:
            frontier.run_script(script, "replace", *fields)
    for names in batches(_scheduled(frontier, "outbox", "outbox_due"), CLAIM_BATCH):
        yield from frontier.run_script(script, "deliveries", *names)
    for ids in batches(_scheduled(frontier, "revisit_pages", "revisits"), CLAIM_BATCH):
        yield from frontier.run_script(script, "revisits", *ids)
    remembered = 0
    with redis_errors():
        buckets = memory_keys(frontier.redis, frontier.prefix)
    for some in batches(buckets, LANE_BATCH):
        remembered += frontier.run_script(script, "memory", *some)[0]
    yield from frontier.run_script(script, "remembered", remembered)
    yield from frontier.run_script(script, "counts", queued)


def _examine_claims(frontier: Frontier, script: str) -> Iterator[bytes]:
    """Examine the claims of all entries in processing, and what other pages left of theirs."""
    redis, key = frontier.redis, frontier.key
    working: dict[bytes, bytes] = {}
    twice: list[bytes] = []
    with redis_errors():  # a repair takes entries out of the list
        raws = list(_windows(key("processing"), redis.lrange))
    for batch in batches(raws, CLAIM_BATCH):
        claims, wrong = frontier.run_script(script, "claims", *batch)
        yield from wrong
        for id_, token, raw in zip(claims[::2], claims[1::2], batch, strict=True):
            if id_ in working:
                twice += [id_, raw]
            elif id_:
                working[id_] = token
    for fields in batches(twice, 2):
        yield from frontier.run_script(script, "twice", *fields)
    with redis_errors():
        left = {
            "inflight": [one for one, _ in _pairs(redis.hscan_iter(key("inflight"), count=WINDOW))],
            "leases": [one for one, _ in _pairs(redis.zscan_iter(key("leases"), count=WINDOW))],
        }
        tokens = [
            field
            for token, id_ in _pairs(redis.hscan_iter(key("tokens"), count=WINDOW))
            if working.get(id_) != token
            for field in (token, id_)
        ]
    for where, ids in left.items():
        for batch in batches((id_ for id_ in ids if id_ not in working), CLAIM_BATCH):
            yield from frontier.run_script(script, where, *batch)
    for batch in batches(tokens, CLAIM_BATCH):
        yield from frontier.run_script(script, "tokens", *batch)


def _pairs(scan: Any) -> Iterator[tuple[bytes, bytes]]:
    """Yield what a scan found, each once."""
    return iter(dict(scan).items())


def _scheduled(frontier: Frontier, table: str, times: str) -> list[bytes]:
    """Return the names of all that is in the hash ``table``, or is due by the sorted set
    ``times``.
    """
    redis, key = frontier.redis, frontier.key
    with redis_errors():
        there = {name for name, _ in redis.hscan_iter(key(table), count=WINDOW)}
        due = {name for name, _ in redis.zscan_iter(key(times), count=WINDOW)}
    return sorted(there | due)


def _places(frontier: Frontier) -> list[tuple[bytes, str, int]]:
    """Return every lane, its place ("ready", "snoozed", "", or several of them), and its number of
    pages in flight.
    """
    redis = frontier.redis
    places: dict[bytes, list[str]] = {lane: [] for lane in Listing(frontier).lanes()}
    for lane in _windows(frontier.key("ready"), redis.lrange):
        places.setdefault(lane, []).append("ready")
    for lane in _windows(frontier.key("snoozed"), redis.zrange):
        places.setdefault(lane, []).append("snoozed")
    running = Counter(
        entries.decode_page(raw).lane.encode()
        for raw in _windows(frontier.key("processing"), redis.lrange)
    )
    return [
        (lane, " and ".join(places.get(lane, [])), running[lane])
        for lane in sorted(places.keys() | running.keys())
    ]


def _windows(key: str, read: Any) -> Iterator[bytes]:
    """Yield the elements of a large collection, which ``read`` returns by their places."""
    start = 0
    while window := read(key, start, start + WINDOW - 1):
        yield from window
        start += WINDOW


@contextmanager
def exclusive_access(frontier: Frontier) -> Iterator[None]:
    """Keep all other callers out of the crawl."""
    token = secrets.token_hex(8)
    frontier.run_script("close", token, to_ms(CLOSED_LIFE))
    try:
        yield
    finally:
        ours = frontier.run_script("close", token, 0)
    if not ours:
        raise FrontierUnavailable(
            f"it took more than {CLOSED_LIFE:.0f} s, and the crawl went on meanwhile: repeat it"
        )
