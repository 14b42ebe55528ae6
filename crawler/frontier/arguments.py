"""Pages, times and sums as scripts take them: in portions that no call takes long for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from ..model import Page
from ..urls.url_patterns import pattern_of
from . import entries
from .answers import RouteTally

#: Pages per script call, and characters of their URLs and data, so that no call takes long.
BATCH, BATCH_LENGTH = 200, 100_000
#: Pages that are given back, and dead letters, per call: fewer, as each is dearer.
RELEASE_BATCH, LETTER_BATCH = 20, 100
#: Characters of a reason that are kept.
REASON_MAX = 400

T = TypeVar("T")


def pack_pages(
    pages: Iterable[Page], parent: str | None, skipped: dict[str, int], *, again: bool = False
) -> list[str | int]:
    """Return ``pages``, found on the page with the id ``parent``, as arguments of a script.
    ``again``: all of them are to be queued again.

    Pages that cannot be written are counted in ``skipped``, under ``invalid``.
    """
    args: list[str | int] = []
    for page in pages:
        text = entries.encode_page(page, parent)
        if text is None:
            skipped["invalid"] = skipped.get("invalid", 0) + 1
        else:
            key = page.key or page.url
            bucket, value = entries.fingerprint(key)
            # seeds are there because somebody asked for each of them
            pattern = pattern_of(entries.url_of_key(key)) if parent else None
            first = (
                f"{bucket} {pattern.kind:d} {pattern.name} {pattern.path}" if pattern else bucket
            )
            args += [first, f"{value}+" if again or page.again else value, text]
    return args


def pack_skipped(skipped: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return the numbers of links ``skipped``, by reason, as an argument; with their ``examples``,
    which are URLs by reason.
    """
    counted = {
        reason: [number, examples[reason]] if reason in examples else number
        for reason, number in skipped.items()
    }
    return json.dumps(counted)


def portions(pages: Iterable[Page], *, at_least_one: bool) -> Iterator[list[Page]]:
    """Split ``pages`` into lists that one call may take.

    With ``at_least_one``, no pages give one empty list.
    """
    portion: list[Page] = []
    length = 0
    for page in pages:
        size = len(page.url) + len(page.key) + (len(json.dumps(page.data)) if page.data else 0)
        size += len(json.dumps(page.form)) if page.form else 0
        if len(portion) == BATCH or (portion and length + size > BATCH_LENGTH):
            yield portion
            portion, length, at_least_one = [], 0, False
        portion.append(page)
        length += size
    if portion or at_least_one:
        yield portion


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split ``items`` into lists of ``size``, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def rand() -> float:
    """Return a random number in [0,1) for a script: Lua's own is the same in every call."""
    return random.random()  # noqa: S311


def to_ms(seconds: float) -> int:
    """Return seconds as the milliseconds that Redis holds."""
    return round(seconds * 1_000)


def pack_route(route: RouteTally | None) -> tuple[str, int]:
    """Return the route that a page took, and for how many ms; "" and 0 if there is none."""
    return (route.route, to_ms(route.seconds)) if route else ("", 0)


def pack_tallies(tallies: Mapping[str, int]) -> str:
    """Return ``tallies`` as one text, which is packed fastest."""
    return " ".join([f"{name} {amount}" for name, amount in tallies.items()])
