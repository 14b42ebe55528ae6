"""Changes of limits, as people write them on a command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..definition.limits import LIMITS, check_limits
from .click_errors import Mistake


def parse_limits(changes: Iterable[str]) -> dict[str, Any]:
    """Return ``field=value`` pairs as values, checked as in a definition.

    Values are written as in TOML; ``none`` lifts a limit.

    Raises:
        Mistake: a pair has no such form, names no limit, or its value is wrong.
    """
    texts: dict[str, str] = {}
    for change in changes:
        field, equals, text = (part.strip() for part in change.partition("="))
        if not equals:
            raise Mistake(f"{change!r} is no change of a limit (for example: page_limit=1000)")
        if field not in LIMITS:
            raise Mistake(f"no limit is named {field!r}; there are: {', '.join(LIMITS)}")
        texts[field] = text
    values, faults = check_limits(texts)
    if faults:
        raise Mistake("\n".join(map(str, faults)))
    return values
