"""A step of a run is repeated while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import FrontierUnavailable
from ..observe.logs import logger

log = logger(__name__)

#: Seconds between two attempts to reach Redis while it is away.
RETRY_INTERVAL = 1.0

T = TypeVar("T")


def retry_until(end: float, step: Callable[[], T], crawl: str) -> T:
    """Return the value of ``step``; repeat it while Redis is away.

    ``end`` is the time of the last attempt, by the monotonic clock. ``crawl`` is the name to log.

    Raises:
        FrontierUnavailable: Redis is still away.
    """
    while True:
        try:
            return step()
        except FrontierUnavailable as error:
            if time.monotonic() > end:
                raise
            log.warning("%s: Redis is away (%s); trying again", crawl, error)
            time.sleep(RETRY_INTERVAL)
