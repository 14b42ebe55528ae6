"""The robots.txt of each site: fetched once, and kept in Redis for all workers.

A plain request asks for it. Where that fails in a way that a browser might not, or the site says
that this client may not have it, the browser of the run is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from redis.exceptions import RedisError

from ..observe.logs import logger
from ..storage.connection import RedisClient
from ..urls import robots
from .fetch import FetchError, fetch, unpacked
from .guard import Guard

log = logger(__name__)

#: Seconds for which a robots.txt is waited for.
TIMEOUT = 10.0
#: Reasons of a plain request that a browser may not meet: it knows more certificates, packings and
#: protocols, and some servers answer nothing else.
BROWSER_REASONS = frozenset({"tls", "protocol", "encoding", "reset", "timeout", "redirect_loop"})
#: Client errors that mean the same to a browser: no such file, too many requests.
_PLAIN_STATUSES = frozenset({404, 410, 429})

#: Goes to a URL with a browser; returns status and text of the document, None if none came.
Browse = Callable[[str], tuple[int | None, str] | None]


class RobotsFile(NamedTuple):
    """A robots.txt as it came. ``keep``: seconds for which the answer holds. ``by_browser``: a
    browser went there for it.
    """

    status: int | None
    body: str
    keep: float
    by_browser: bool = False


class RobotsFiles:
    """Fetches robots.txt with ``headers``, and keeps the answers in ``redis`` under
    ``{prefix}robots:…``; without ``redis``, nothing is kept.
    """

    def __init__(
        self, guard: Guard, redis: RedisClient | None, prefix: str, headers: Mapping[str, str]
    ) -> None:
        self._guard, self._redis, self._prefix = guard, redis, prefix
        self._headers = {"User-Agent": robots.AGENT} | dict(headers)

    def get(self, origin: str, gateway: int | None, browse: Browse | None) -> RobotsFile | None:
        """Return the robots.txt of ``origin``; None: only a browser can tell, and there is no
        ``browse``.

        ``gateway`` is the port of a gateway to connect through.

        Raises:
            FetchError: no answer came.
        """
        key = f"{self._prefix}robots:{self._identity()}{origin}"
        if kept := self._kept(key, origin):
            return kept
        answer = self._fetch(origin, gateway, browse)
        if answer is not None:
            self._keep(key, origin, answer)
        return answer

    def _identity(self) -> str:
        """Return the part of a key that tells one asker from another: sites answer to one name, or
        to one header, as they do not to others.
        """
        others = {name: value for name, value in self._headers.items() if name != "User-Agent"}
        agent = robots.product_token(self._headers["User-Agent"])
        parts = [agent] if agent and agent != robots.AGENT else []
        if others:
            text = json.dumps(others, sort_keys=True)
            parts.append(hashlib.sha256(text.encode()).hexdigest()[:12])
        return "".join(f"{part}:" for part in parts)

    def _kept(self, key: str, origin: str) -> RobotsFile | None:
        if self._redis is None:
            return None
        try:
            if not (text := self._redis.get(key)):
                return None
            answer = json.loads(text)
            life = max(1.0, float(self._redis.ttl(key)))
            return RobotsFile(answer["status"], answer["body"], life)
        except RedisError as error:
            log.warning("cannot read the kept robots.txt of %s: %s", origin, error)
            return None

    def _keep(self, key: str, origin: str, answer: RobotsFile) -> None:
        if self._redis is None:
            return
        try:
            text = json.dumps({"status": answer.status, "body": answer.body})
            self._redis.set(key, text, ex=round(answer.keep))
        except RedisError as error:
            log.warning("cannot keep the robots.txt of %s: %s", origin, error)

    def _fetch(self, origin: str, gateway: int | None, browse: Browse | None) -> RobotsFile | None:
        url = f"{origin}/robots.txt"
        try:
            answer = fetch(
                url,
                timeout=TIMEOUT,
                max_bytes=robots.SIZE_MAX,
                headers=self._headers,
                addresses=self._guard.addresses,
                gateway=gateway,
            )
            status, body = answer.status, unpacked(answer.body, robots.SIZE_MAX)
        except FetchError as error:
            found = browse(url) if browse and error.reason in BROWSER_REASONS else None
            if found is None:
                raise
            return _file(*found, by_browser=True)
        if status in _PLAIN_STATUSES or not 400 <= status < 500:
            return _file(status, body)
        # refused: the site may well give the file to the browser that comes for its pages
        if browse is None:
            return None
        status_seen, text = browse(url) or (None, "")
        return _file(status_seen, text, by_browser=True)


def _file(status: int | None, body: bytes | str, *, by_browser: bool = False) -> RobotsFile:
    text = robots.decode_robots(body)
    return RobotsFile(status, text, robots.parse_robots(status).keep, by_browser)
