"""The reaper: end the remote sessions of processes that are gone, in a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ...errors import FrontierUnavailable
from ...observe.logs import logger
from ..transport.remote_end import end_session, split_credentials

if TYPE_CHECKING:
    from .registry import Registry

log = logger(__name__)

#: Seconds for which a process that ends a session for another has it to itself, beyond the time
#: that the endpoint may take.
REAP_MARGIN = 15.0


class SessionReaper:
    """Ends sessions of ``registry`` at the endpoint ``url``, which has ``timeout`` seconds for an
    answer.
    """

    def __init__(self, registry: Registry, url: str, timeout: float) -> None:
        self._registry, self._url, self._timeout = registry, url, timeout
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to reap, unless that is under way. Returns at once: an endpoint may take its
        time.
        """
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._reap, name="crawler-reaper", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait until the sessions are ended."""
        if self._thread:
            self._thread.join()

    def _reap(self) -> None:
        address, lease = split_credentials(self._url)[0], 2 * self._timeout + REAP_MARGIN
        try:
            self._registry.reap(address, self._end, lease)
        except FrontierUnavailable as error:
            log.warning("remote sessions of processes that are gone: %s", error)
        except Exception:
            log.exception("remote sessions of processes that are gone")

    def _end(self, session: str) -> bool:
        return end_session(self._url, session, self._timeout)
