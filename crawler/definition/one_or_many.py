"""Values of a definition that stand alone or in a list."""

from __future__ import annotations

from typing import Any


def listed(value: Any) -> list[Any]:
    """Return ``value`` as a list: of a single value, one with that value."""
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
    return [] if value is None else [value]
