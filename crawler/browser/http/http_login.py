"""The log-in of a session without a browser: its cookies; storage waits for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...model import Json
from ...redaction import Secrets
from ..artifacts.login_state import CookieKey, cookie_key, tokens

if TYPE_CHECKING:
    from ...net.cookie_jar import CookieJar


class HttpLogin:
    """What a session holds of the crawl's log-in, ``version`` (0: nothing)."""

    def __init__(self, jar: CookieJar, secrets: Secrets) -> None:
        self._jar, self._secrets = jar, secrets
        self.version = 0
        #: The log-in as the frontier keeps it, for a browser that comes later.
        self.state: Mapping[str, Json] = {}
        self._cookies: set[CookieKey] = set()

    def begin(self) -> None:
        """Forget the log-in at hand."""
        self._jar.clear()
        self.version, self.state, self._cookies = 0, {}, set()

    def keep(self) -> dict[str, Json]:
        """Return the cookies that this session has, as JSON. Secrets: never log it."""
        cookies: list[dict[str, Any]] = [one.for_chrome() for one in self._jar]
        state: dict[str, Json] = {"cookies": cookies, "storage": {}}
        self._note(state)
        return state

    def load(self, login: Mapping[str, Json], version: int) -> None:
        """Take the cookies of a log-in, in place of all that there are."""
        self._jar.clear()
        self._jar.put_from_chrome(login.get("cookies", ()))
        self._note(login)
        self.version = version

    def has_cookie(self, cookie: Mapping[str, Any]) -> bool:
        """Whether a cookie belongs to the log-in, whatever its value is now."""
        return cookie_key(cookie) in self._cookies

    def _note(self, login: Mapping[str, Json]) -> None:
        self.state = login
        self._cookies = set(map(cookie_key, login.get("cookies", ())))
        self._secrets.add(*tokens(login))
