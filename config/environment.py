"""The environment of this process as it is: to put back what user code took from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

#: Where Redis and the broker are, and their password.
REDIS_VARIABLES = ("CRAWLER_REDIS_URL", "CRAWLER_BROKER_URL", "CRAWLER_REDIS_PASSWORD_FILE")


def may_name_redis() -> bool:
    """Whether this environment may say where Redis is: a variable that names it, or a Django
    project. Tells sooner than ``settings``, which take a tenth of a second to import.
    """
    return any(
        name.upper().startswith("CRAWLER_REDIS_URL") or name == "DJANGO_SETTINGS_MODULE"
        for name in os.environ
    )


def leave_redis() -> None:
    """Take the variables that say where Redis and the broker are out of this environment."""
    for name in tuple(os.environ):
        if name.upper() in REDIS_VARIABLES:
            del os.environ[name]


def snapshot() -> dict[Any, Any]:
    """Return the environment as it is kept: to decode all of it takes a tenth of a millisecond."""
    kept = getattr(os.environ, "_data", os.environ)
    return dict(kept)


def replace(variables: Mapping[str, str]) -> None:
    """Give this process the environment of ``variables``, and no other."""
    os.environ.clear()
    os.environ.update(variables)


def put_back(before: dict[Any, Any]) -> bool:
    """Put back the variables of ``before`` that are gone or others now; return whether any was.

    What was added stays.
    """
    if before.items() <= snapshot().items():
        return False
    os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before.items()})
    return True


def has_display() -> bool:
    """Whether this process knows a display on which windows are shown."""
    if sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
