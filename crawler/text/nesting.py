"""How deep JSON is nested: code that reads it, ours and others', calls itself for each level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Levels of lists and tables in a crawl's message, and in a page's result.
NESTING_MAX = 32


def is_deeper(value: Any, levels: int = NESTING_MAX) -> bool:
    """Whether lists and tables in ``value`` are nested deeper than that, or hold themselves."""
    parts = [value]
    for _ in range(levels + 1):
        inner: list[Any] = []
        for part in parts:
            if isinstance(part, Mapping):
                inner += part.values()
            elif isinstance(part, list | tuple):
                inner += part
        if not (parts := inner):
            return False
    return True
