"""The environment of this process as it is: to put back what user code took from it."""

from __future__ import annotations

import os
from typing import Any


def snapshot() -> dict[Any, Any]:
    """Return the environment as it is kept: to decode all of it takes a tenth of a millisecond."""
    kept = getattr(os.environ, "_data", os.environ)
    return dict(kept)


def put_back(before: dict[Any, Any]) -> bool:
    """Put back the variables of ``before`` that are gone or others now; return whether any was.

    What was added stays.
    """
    if before.items() <= snapshot().items():
        return False
    os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before.items()})
    return True
