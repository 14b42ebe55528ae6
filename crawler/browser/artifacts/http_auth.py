"""User names and passwords that sites ask for by HTTP (Basic, Digest): given to the hosts they are
for, and to no other.

WebDriver cannot answer such a question. But Chrome remembers what a URL with a user and a password
in it was let in with, for as long as the session lives. So when a host asks, it is once requested
by such a URL, with scripts off, since a document loaded so could read the password; then the page
is requested anew, by its own URL, and Chrome answers the question by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from selenium.common.exceptions import WebDriverException

from ..transport.webdriver import Driver


class HttpAuth:
    """``by_host``: "user:password" by host, or by host and port."""

    def __init__(self, driver: Driver, by_host: Mapping[str, str]) -> None:
        self._driver, self._by_host = driver, by_host
        driver.secrets.add(*(given.partition(":")[2] for given in by_host.values()))
        # hosts that did not take them: no password is tried twice in a session
        self._refused: set[str] = set()

    def known(self, url: str) -> bool:
        """Whether there are some for the host of ``url``."""
        return self._of(url) is not None

    def offer(self, url: str) -> bool:
        """Give the host of ``url`` its credentials; whether there are some that it has not
        refused.
        """
        given = self._of(url)
        parts = urlsplit(url)
        if given is None or parts.netloc in self._refused:
            return False
        user, _, password = given.partition(":")
        inside = parts._replace(
            netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
        ).geturl()
        self._driver.cdp("Emulation.setScriptExecutionDisabled", value=True)
        try:
            with contextlib.suppress(WebDriverException):  # its text may hold the URL
                self._driver.get(inside)
        finally:
            self._driver.cdp("Emulation.setScriptExecutionDisabled", value=False)
        return True

    def refused(self, url: str) -> None:
        """The host of ``url`` still asks."""
        self._refused.add(urlsplit(url).netloc)

    def _of(self, url: str) -> str | None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return self._by_host.get(f"{host}:{port}") or self._by_host.get(host)
