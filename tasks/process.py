"""The services of this process, for the tasks and the worker's steps.

They are imported when they are first asked for: a sender of wake-ups imports this package for its
transport, and needs no browser. A worker loads them before it forks, so that its children share
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..services import Services


def services() -> Services:
    """Return the services of this process, as its environment describes them."""
    from ..services import Services

    return Services.current()


def load() -> None:
    """Import all that the services need."""
    from .. import services as _services  # noqa: F401


def close() -> None:
    """End the browser of this process, if it has one, and send its last spans."""
    from ..services import Services

    Services.close_current()
