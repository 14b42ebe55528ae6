"""Headers, cookies and passwords that a hook gives the browser for its page, and that are gone with
the page unless they are to be kept for the session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException

from ...definition.field_types import OWN_HEADERS
from ...redaction import looks_secret, names_secret
from ..transport.base import NoLine, first_line
from .host_headers import HostHeaders, Reach
from .http_auth import HttpAuth
from .login_state import CookieKey, cookie_for_chrome, cookie_key
from .response_details import SECRET_HEADERS

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

#: A header, and the hosts that it is for.
Given = tuple[str, str, Reach | None]
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class PageCredentials:
    """What hooks gave one session; ``always`` are the headers of the crawl."""

    def __init__(self, driver: Driver, always: Mapping[str, str], http_auth: HttpAuth) -> None:
        self._driver, self._http_auth = driver, http_auth
        self._always, self._hosts = dict(always), HostHeaders(driver)
        # by name in lower case: the header, and the hosts that it is for (None: all)
        self._kept: dict[str, Given] = {}
        self._of_page: dict[str, Given] = {}
        # cookies that were set for the page, and what was there before
        self._cookies: dict[CookieKey, Mapping[str, Any] | None] = {}

    def headers(self, headers: Mapping[str, str], reach: Reach | None, *, keep: bool) -> None:
        """Send ``headers`` with each request that ``reach`` includes (None: with each), in place of
        those of the same names.

        Raises:
            ValueError: one cannot be sent, or cannot be held to its hosts, and holds credentials.
        """
        for name, value in headers.items():
            check_header(name, value)
            if names_secret(name):
                self._driver.secrets.add(value, value.partition(" ")[2])
        into = self._kept if keep else self._of_page
        before = dict(into)
        into |= {name.lower(): (name, value, reach) for name, value in headers.items()}
        try:
            self.restore()
        except ValueError:
            into.clear()
            into |= before
            raise

    def restore(self) -> None:
        """Tell the tab the headers that hold now. Where it has no line for those of some hosts, all
        hosts get them, except credentials, which are refused: ValueError.
        """
        merged: dict[str, Given] = {
            name.lower(): (name, value, None) for name, value in self._always.items()
        }
        given = {**self._kept, **self._of_page}
        rules = [(name, value, reach) for name, value, reach in given.values() if reach]
        try:
            self._hosts.apply(rules)
            merged |= {name: header for name, header in given.items() if header[2] is None}
        except NoLine as error:
            if secret := next((name for name, value, _ in rules if is_secret(name, value)), None):
                raise ValueError(
                    f"{secret} holds credentials, and this session cannot keep it from other hosts"
                    f' ({error}): to="all" sends it to all of them'
                ) from None
            merged |= given
        self._driver.cdp("Network.enable")
        headers = {name: value for name, value, _ in merged.values()}
        self._driver.cdp("Network.setExtraHTTPHeaders", headers=headers)

    def cookie(self, name: str, value: str, url: str, *, keep: bool, **options: Any) -> None:
        """Set a cookie for ``url``; ``options`` are those of Network.setCookie.

        Raises:
            ValueError: Chrome does not take it.
        """
        before = {cookie_key(one): one for one in self._of_url(url) if one["name"] == name}
        self._driver.secrets.add(value)
        try:
            self._driver.cdp("Network.setCookie", name=name, value=value, url=url, **options)
        except WebDriverException as error:
            if self._driver.health.fault:
                raise
            raise ValueError(
                f"Chrome takes no cookie {name!r} for {url}: {first_line(error)}"
            ) from None
        if keep:
            return
        for one in self._of_url(url):
            key = cookie_key(one)
            if one["name"] == name and one["value"] == value:
                self._cookies.setdefault(key, before.get(key))

    def basic_auth(self, user: str, password: str, url: str, *, keep: bool) -> None:
        """Tell the host of ``url`` this user and password when it asks.

        Raises:
            ValueError: it has others in this session.
        """
        self._http_auth.add(urlsplit(url).netloc.rpartition("@")[2], user, password, keep=keep)

    def forget(self) -> None:
        """Forget what was given for the page. Chrome cannot forget a password that it has told a
        host: the session serves no other page then.

        Raises:
            WebDriverException: the session does not answer.
        """
        if self._of_page or self._kept:  # a tab that took the place of another has none of them
            self._of_page = {}
            self.restore()
        while self._cookies:
            (name, domain, path), before = self._cookies.popitem()
            self._driver.cdp("Network.deleteCookies", name=name, domain=domain, path=path)
            if before is not None:
                self._driver.cdp("Network.setCookie", **cookie_for_chrome(before))
        if self._http_auth.forget():
            self._driver.health.distrust("a password was for one page")

    def _of_url(self, url: str) -> list[dict[str, Any]]:
        return list(self._driver.cdp("Network.getCookies", urls=[url])["cookies"])


def is_secret(name: str, value: str) -> bool:
    """Whether a header holds credentials."""
    return name.lower() in SECRET_HEADERS or names_secret(name) or looks_secret(value)


def check_header(name: object, value: object) -> None:
    """Raise ValueError if a header cannot be sent, or is better sent in another way."""
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if name.lower() in OWN_HEADERS:
        raise ValueError(f"{name} is Chrome's own to set")
    if name.lower() == "referer":
        raise ValueError("Chrome blocks requests with a Referer of ours; use the field referer")
    if name.lower() == "cookie":
        raise ValueError("cookies are set by browser.cookie(name, value)")
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"the value of {name} is no line of printable characters")
