"""Passwords that a crawl refers to, so that they need not stand in it: ``$CRAWLER_SECRET_SHOP`` is
a variable of each worker.

Only variables with this beginning can be referred to: a crawl that somebody else wrote gets no
other out of a worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import BrowserUnavailable

#: How the names of the variables begin.
PREFIX = "CRAWLER_SECRET_"
_REFERENCE = re.compile(rf"\$({PREFIX}[A-Z0-9_]+)")


def reveal(text: str, known: Mapping[str, str]) -> str:
    """``text``, or what it refers to.

    Raises:
        BrowserUnavailable: this worker has no such variable. No page is to blame, and none is
            claimed until it has one.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return text
    if match[1] not in known:
        raise BrowserUnavailable(
            f"the environment of this worker has no {match[1]}, which the crawl refers to"
        )
    return known[match[1]]


def references(value: Any) -> Iterator[str]:
    """The references within ``value``: a text, or tables and lists of texts."""
    if isinstance(value, str):
        if _REFERENCE.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        yield from references(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)
