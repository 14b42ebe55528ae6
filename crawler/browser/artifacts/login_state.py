"""A log-in: what a session that went through a form holds of it, and how another session comes to
hold the same.

Kept are the cookies of all sites, and local and session storage of the origins that were shown
since ``begin``. What Chrome keeps in other places (IndexedDB, caches, client certificates) stays
behind.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException

from ...model import Json
from ..transport.webdriver import Driver, first_line

log = logging.getLogger(__name__)

#: What is asked for on an origin whose storage is wanted: a document that no site minds being asked
#: for.
HARMLESS = "/robots.txt"
#: Characters below which a cookie or an item of storage is no secret, but a language or a yes.
TOKEN_MIN = 12
READ = """
const read = (get) => { try { return Object.fromEntries(Object.entries(get())) } catch { return {} } };
return [location.origin, read(() => localStorage), read(() => sessionStorage)]"""
#: Runs in the first document of an origin, before the scripts of the page do.
WRITE = """
if (location.origin === %s) for (const [storage, items] of [["localStorage", %s], ["sessionStorage", %s]]) {
  try {
    window[storage].clear();
    for (const [key, value] of Object.entries(items)) window[storage].setItem(key, value);
  } catch {}
}"""


class LoginState:
    """The log-in of one session. ``version`` is that of the one it holds; 0: none that was kept or
    loaded.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.version = 0
        self._origins: set[str] = set()  # whose storage the log-in at hand has something in
        # origin -> script that puts its storage back, until it was there
        self._waiting: dict[str, str] = {}
        self._before = 0  # the newest entry of the tab's history when the log-in began

    def begin(self) -> None:
        """Forget the log-in at hand, so that another one begins as in a new session.

        Raises:
            BrowserLost: here as in the other methods, for whatever goes wrong with this session.
        """
        with self._sure():
            self._forget()
            for origin in self._origins:
                self._driver.cdp(
                    "Storage.clearDataForOrigin", origin=origin, storageTypes="local_storage"
                )
            self._driver.execute_script("try { sessionStorage.clear() } catch {}")
            self._origins = set()
            self._before = max((entry["id"] for entry in self._history()), default=0)

    def keep(self) -> dict[str, Json]:
        """What was put into this session since ``begin``, as JSON. Secrets: never log it.

        Shows a harmless page of each origin that was visited and left again, so it is for a moment
        when nobody needs the tab.
        """
        with self._sure():
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
            kept = {
                "cookies": self._driver.cdp("Network.getAllCookies")["cookies"],
                "storage": storage,
            }
            self._driver.secrets.add(*tokens(kept))
            return kept

    def load(self, login: Mapping[str, Json], version: int) -> None:
        """Put into this session what ``keep`` gave in another, in place of what it may hold of an
        older one.

        Cookies are there at once; storage is put back when the first page of its origin loads,
        before its scripts run.
        """
        with self._sure():
            if self._origins or self.version:
                self._forget()
            self._driver.secrets.add(*tokens(login))
            self._set_cookies(login.get("cookies", ()))
            storage = login.get("storage", {})
            for origin in self._origins | set(storage):
                kept = storage.get(origin, {})
                texts = (
                    json.dumps(part)
                    for part in (origin, kept.get("local", {}), kept.get("session", {}))
                )
                added = self._driver.cdp(
                    "Page.addScriptToEvaluateOnNewDocument", source=WRITE % tuple(texts)
                )
                self._waiting[origin] = added["identifier"]
            self._origins = set(storage)
            self.version = version

    def arrived(self, url: str) -> None:
        """The storage of this origin was put back by a page of it: what the site makes of it from
        now on stands.
        """
        if self._waiting and (identifier := self._waiting.pop(origin_of(url), None)):
            with self._sure():
                self._driver.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)

    @contextmanager
    def _sure(self) -> Iterator[None]:
        """A session that is half logged in must serve no page."""
        try:
            yield
        except WebDriverException as error:
            raise self._driver.lost(first_line(error)) from error

    def _forget(self) -> None:
        """Drop the cookies, and what waits to be put back."""
        self.version = 0
        for origin in list(self._waiting):
            self.arrived(origin)
        self._driver.cdp("Network.clearBrowserCookies")

    def _history(self) -> list[dict[str, Any]]:
        return list(self._driver.cdp("Page.getNavigationHistory")["entries"])

    def _read(self, storage: dict[str, Json]) -> str:
        """Add the storage of the page that is shown to ``storage``; its origin."""
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
        except WebDriverException:  # one of them is to blame, and none may be there
            for cookie, kept in zip(cookies, wanted, strict=True):
                try:
                    self._driver.cdp("Network.setCookie", **kept)
                except WebDriverException as error:
                    why = first_line(error)
                    log.warning(
                        "cookie %s of %s is not one for this Chrome: %s",
                        cookie["name"],
                        cookie["domain"],
                        why,
                    )


def tokens(login: Mapping[str, Json]) -> Iterator[str]:
    """The values in a log-in that may be secrets, also those inside of an item of storage that is
    JSON itself.
    """
    for cookie in login.get("cookies", ()):
        yield from texts(cookie["value"])
    for kept in login.get("storage", {}).values():
        for items in kept.values():
            yield from texts(items)


def texts(value: Json) -> Iterator[str]:
    """Every long text in ``value``."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)
    elif isinstance(value, str) and len(value) >= TOKEN_MIN:
        yield value
        if value[0] in "{[":
            with suppress(ValueError):
                yield from texts(json.loads(value))


def origin_of(url: str) -> str:
    """The origin of an http or https ``url``, as a page there calls it; "" of any other."""
    parts = urlsplit(url)
    return (
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if parts.scheme in ("http", "https")
        else ""
    )


def cookie_for_chrome(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """A cookie as Chrome gave it, as Chrome takes it: one without a leading dot belongs to that
    host alone.
    """
    names = ("name", "value", "path", "secure", "httpOnly", "sameSite", "priority", "partitionKey")
    kept = {name: cookie[name] for name in names if name in cookie}
    if not cookie.get("session"):
        kept["expires"] = cookie["expires"]
    if cookie["domain"].startswith("."):
        kept["domain"] = cookie["domain"]
    else:
        kept["url"] = (
            f"{'https' if cookie.get('secure') else 'http'}://{cookie['domain']}{cookie.get('path', '/')}"
        )
    return kept
