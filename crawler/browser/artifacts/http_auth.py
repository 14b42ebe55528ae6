"""User names and passwords that sites ask for by HTTP (Basic, Digest): each is given to the host it
is for, and to no other.

WebDriver cannot answer such a question. But Chrome remembers the user and the password of a URL
that had them in it and was let in, for as long as the session lives. So when a host asks, such a
URL is requested once, with scripts off, since a document loaded so could read the password; then
the page is requested again, by its own URL, and Chrome answers the question by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from selenium.common.exceptions import WebDriverException

if TYPE_CHECKING:
    from ..transport.webdriver import Driver


class HttpAuth:
    """The credentials of one session, ``by_host``: "user:password" by host, or by host and port."""

    def __init__(self, driver: Driver, by_host: Mapping[str, str]) -> None:
        self._driver, self._by_host = driver, by_host
        driver.secrets.add(*(value.partition(":")[2] for value in by_host.values()))
        # hosts that did not take them: no password is tried twice in a session
        self._refused: set[str] = set()
        # those of hooks, by host and port: whether they are kept, and those that were told
        self._added: dict[str, tuple[str, bool]] = {}
        self._told: set[str] = set()
        self._offered: set[str] = set()  # URLs of forms

    def add(self, netloc: str, user: str, password: str, *, keep: bool) -> None:
        """Have credentials for the host and port ``netloc``, until ``forget`` or for good.

        Raises:
            ValueError: there are others for it in this session.
        """
        value = f"{user}:{password}"
        self._driver.secrets.add(password)
        known = self._credentials(f"http://{netloc}/")
        if known not in (None, value):
            raise ValueError(f"{netloc} has another user or password in this session")
        if known is None or netloc in self._added:
            kept = keep or self._added.get(netloc, ("", False))[1]
            self._added[netloc] = value, kept
            self._refused.discard(netloc)

    def forget(self) -> bool:
        """Forget the credentials that are not kept; return whether Chrome has told any of them."""
        gone = [netloc for netloc, (_, keep) in self._added.items() if not keep]
        for netloc in gone:
            del self._added[netloc]
        return any(netloc in self._told for netloc in gone)

    def knows(self, url: str) -> bool:
        """Whether there are credentials for the host of ``url``."""
        return self._credentials(url) is not None

    def offer(self, url: str) -> bool:
        """Give the host of ``url`` its credentials.

        Returns whether there are any that the host has not refused.
        """
        credentials = self._credentials(url)
        parts = urlsplit(url)
        if credentials is None or parts.netloc in self._refused:
            return False
        self._told.add(parts.netloc)
        user, _, password = credentials.partition(":")
        netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
        self._driver.cdp("Emulation.setScriptExecutionDisabled", value=True)
        try:
            with contextlib.suppress(WebDriverException):  # its text may hold the URL
                self._driver.get(parts._replace(netloc=netloc).geturl())
        finally:
            self._driver.cdp("Emulation.setScriptExecutionDisabled", value=False)
        return True

    def offer_once(self, url: str) -> None:
        """Give the host of ``url`` its credentials before it asks for them there, once."""
        if self.knows(url) and url not in self._offered:
            self._offered.add(url)
            self.offer(url)

    def note_refusal(self, url: str) -> None:
        """Note that the host of ``url`` still asks."""
        self._refused.add(urlsplit(url).netloc)

    def _credentials(self, url: str) -> str | None:
        parts = urlsplit(url)
        if parts.netloc in self._added:
            return self._added[parts.netloc][0]
        host = parts.hostname or ""
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return self._by_host.get(f"{host}:{port}") or self._by_host.get(host)
