"""The state of a log-in: taken from the session that went through a form, loaded into others.

It is the cookies of all sites, and local and session storage of the origins that were shown since
``begin``. What Chrome keeps in other places (IndexedDB, caches, client certificates) stays behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException

from ...model import Json
from ...observe.logs import logger
from ...text.encodable import encodable_value
from ..transport.base import first_line

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

log = logger(__name__)

#: The name, the domain and the path of a cookie.
CookieKey = tuple[str, str, str]

#: The document that is shown of an origin whose storage is wanted; no site minds the request.
HARMLESS = "/robots.txt"
#: Characters below which a cookie or an item of storage is no secret, but a language or a yes.
TOKEN_MIN = 12
#: ChromeDriver cannot hand out half a surrogate pair: each becomes U+FFFD in the browser.
READ = r"""
const whole = (text) => text.replace(/\p{Surrogate}/gu, "\ufffd");
const read = (get) => {
  try {
    return Object.fromEntries(Object.entries(get()).map((item) => item.map(whole)));
  } catch { return {} }
};
return [location.origin, read(() => localStorage), read(() => sessionStorage)]"""
#: Runs in the first document of an origin, before the scripts of the page do.
WRITE = """
if (location.origin === %s) {
  for (const [storage, items] of [["localStorage", %s], ["sessionStorage", %s]]) {
    try {
      window[storage].clear();
      for (const [key, value] of Object.entries(items)) window[storage].setItem(key, value);
    } catch {}
  }
}"""


class LoginState:
    """The log-in of one session. ``version`` is that of the log-in it holds; 0: it holds none that
    was kept or loaded.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.version = 0
        self._origins: set[str] = set()  # those in whose storage the log-in has something
        # origin -> script that puts its storage back, until a page of the origin was shown
        self._waiting: dict[str, str] = {}
        self._cookies: set[CookieKey] = set()  # those of the log-in
        self._before = 0  # the newest entry of the tab's history when the log-in began

    def begin(self) -> None:
        """Forget the log-in at hand, so that another one begins as in a new session.

        Raises:
            BrowserLost: here as in the other methods, for anything that goes wrong with this
                session.
        """
        with self._all_or_lost():
            self._forget()
            for origin in self._origins:
                self._driver.cdp(
                    "Storage.clearDataForOrigin", origin=origin, storageTypes="local_storage"
                )
            self._driver.execute_script("try { sessionStorage.clear() } catch {}")
            self._origins = set()
            self._before = max((entry["id"] for entry in self._history()), default=0)

    def keep(self) -> dict[str, Json]:
        """Return what was put into this session since ``begin``, as JSON. Secrets: never log it.

        This shows a harmless page of each origin that was visited and left again, so it is for a
        moment when the tab is not needed.
        """
        with self._all_or_lost():
            storage: dict[str, Json] = {}
            shown = self._read(storage)
            visited = {
                origin_of(entry["url"]) for entry in self._history() if entry["id"] > self._before
            }
            for origin in sorted(visited - {shown, ""}):
                try:
                    self._driver.get(origin + HARMLESS)
                    self._read(storage)
                except WebDriverException as error:
                    log.warning("the storage of %s is not kept: %s", origin, first_line(error))
            self._origins = set(storage)
            cookies = self._driver.cdp("Network.getAllCookies")["cookies"]
            self._cookies = set(map(cookie_key, cookies))
            login = {"cookies": cookies, "storage": storage}
            self._driver.secrets.add(*tokens(login))
            whole: dict[str, Json] = encodable_value(login)
            self._driver.secrets.add(*tokens(whole))
            return whole

    def load(self, login: Mapping[str, Json], version: int) -> None:
        """Put into this session what ``keep`` returned in another, in place of an older log-in.

        Cookies are set at once; storage is put back when the first page of its origin loads, before
        its scripts run.
        """
        with self._all_or_lost():
            if self._origins or self.version:
                self._forget()
            self._driver.secrets.add(*tokens(login))
            self._set_cookies(login.get("cookies", ()))
            self._cookies = set(map(cookie_key, login.get("cookies", ())))
            storage = login.get("storage", {})
            for origin in self._origins | set(storage):
                items = storage.get(origin, {})
                parts = (origin, items.get("local", {}), items.get("session", {}))
                source = WRITE % tuple(map(json.dumps, parts))
                added = self._driver.cdp("Page.addScriptToEvaluateOnNewDocument", source=source)
                self._waiting[origin] = added["identifier"]
            self._origins = set(storage)
            self.version = version

    def put(self, cookies: Any) -> None:
        """Set ``cookies`` beside those that there are, which are no part of the log-in."""
        with self._all_or_lost():
            self._set_cookies(cookies)

    def note_arrival(self, url: str) -> None:
        """Note that a page of this origin was shown, which put its storage back.

        What the site makes of that storage from now on stands.
        """
        if self._waiting and (identifier := self._waiting.pop(origin_of(url), None)):
            with self._all_or_lost():
                self._driver.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)

    def has_cookie(self, cookie: Mapping[str, Any]) -> bool:
        """Whether a cookie that Chrome gave belongs to the log-in, whatever its value is now."""
        return cookie_key(cookie) in self._cookies

    @contextmanager
    def _all_or_lost(self) -> Iterator[None]:
        """Do this block whole, or give the session up: half logged in it must serve no page."""
        try:
            yield
        except WebDriverException as error:
            raise self._driver.health.lost(first_line(error)) from error

    def _forget(self) -> None:
        """Drop the cookies, and the storage that waits to be put back."""
        self.version = 0
        self._cookies = set()
        for origin in list(self._waiting):
            self.note_arrival(origin)
        self._driver.cdp("Network.clearBrowserCookies")

    def _history(self) -> list[dict[str, Any]]:
        return list(self._driver.cdp("Page.getNavigationHistory")["entries"])

    def _read(self, storage: dict[str, Json]) -> str:
        """Add the storage of the page that is shown to ``storage``; return its origin."""
        origin, local, session = self._driver.execute_script(READ)
        if origin.startswith("http") and (local or session):
            storage[origin] = {"local": local, "session": session}
        return str(origin)

    def _set_cookies(self, cookies: Any) -> None:
        wanted = [cookie_for_chrome(cookie) for cookie in cookies]
        if not wanted:
            return
        try:
            self._driver.cdp("Network.setCookies", cookies=wanted)
        except WebDriverException:  # one of them is to blame, and perhaps none was set
            for cookie, params in zip(cookies, wanted, strict=True):
                self._set_cookie(cookie, params)

    def _set_cookie(self, cookie: Mapping[str, Any], params: dict[str, Any]) -> None:
        """Set one cookie; a warning says so if Chrome does not take it."""
        try:
            self._driver.cdp("Network.setCookie", **params)
        except WebDriverException as error:
            text, name, domain = first_line(error), cookie["name"], cookie["domain"]
            log.warning("cookie %s of %s is not one for this Chrome: %s", name, domain, text)


def cookie_key(cookie: Mapping[str, Any]) -> CookieKey:
    """Return what tells a cookie from others."""
    return cookie["name"], cookie["domain"], cookie.get("path", "/")


def tokens(login: Mapping[str, Json]) -> Iterator[str]:
    """Yield the values in a log-in that may be secrets, also those inside of an item of storage
    that is JSON itself.
    """
    for cookie in login.get("cookies", ()):
        yield from long_texts(cookie["value"])
    for origin in login.get("storage", {}).values():
        for items in origin.values():
            yield from long_texts(items)


def long_texts(value: Json) -> Iterator[str]:
    """Yield every long text in ``value``, however deep it is nested."""
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, dict | list):
            parts += part.values() if isinstance(part, dict) else part
        elif isinstance(part, str) and len(part) >= TOKEN_MIN:
            yield part
            if part[0] in "{[":
                with suppress(ValueError, RecursionError):
                    parts.append(json.loads(part))


def origin_of(url: str) -> str:
    """Return the origin of an http or https ``url``, as a page there calls it; "" of any other."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def cookie_for_chrome(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cookie that Chrome gave in the form in which Chrome takes it.

    A cookie whose domain has no leading dot belongs to that host alone.
    """
    names = ("name", "value", "path", "secure", "httpOnly", "sameSite", "priority", "partitionKey")
    params = {name: cookie[name] for name in names if name in cookie}
    if not cookie.get("session"):
        params["expires"] = cookie["expires"]
    if cookie["domain"].startswith("."):
        params["domain"] = cookie["domain"]
    else:
        scheme = "https" if cookie.get("secure") else "http"
        params["url"] = f"{scheme}://{cookie['domain']}{cookie.get('path', '/')}"
    return params
