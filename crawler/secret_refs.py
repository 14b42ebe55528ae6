"""References to passwords, which then need not stand in a crawl: ``$CRAWLER_SECRET_SHOP`` is a
variable of each worker.

Only variables with this beginning can be referred to: a crawl of another author gets no other out
of a worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import BrowserUnavailable

#: The beginning of the variables' names.
SECRET_PREFIX = "CRAWLER_SECRET_"  # noqa: S105 -- no password
_REFERENCE = re.compile(rf"\$({SECRET_PREFIX}[A-Z0-9_]+)")


def reveal(text: str, known: Mapping[str, str]) -> str:
    """Return ``text``; if it is a reference, return the value of its variable in ``known``.

    Raises:
        BrowserUnavailable: this worker has no such variable. No page is to blame, and none is
            claimed until there is one.
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
    """Yield the references within ``value``: a text, or tables and lists of texts."""
    if isinstance(value, str):
        if _REFERENCE.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        yield from references(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)
