"""Details of a response that a crawl may ask for: headers and redirects, console, timings.

Each costs a question. Headers and redirects are in Chrome's performance log; WebDriver tells none
of them. The log tells them through a Grid as well, and costs Chrome and us some milliseconds a
page, so it is only kept where a crawl asks for it. Headers that hold secrets (cookies, credentials)
are named, without their value.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException

from ...errors import BrowserLost
from ...model import Response
from ...observe.logs import logger
from ...profile import Profile
from ...redaction import names_secret
from ..transport.base import first_line
from ..transport.javascript import script

if TYPE_CHECKING:
    from ..transport.webdriver import Driver
    from .network_log import Exchange, NetworkLog

log = logger(__name__)

#: Errors and warnings of a page's console that are kept, and characters of each.
CONSOLE_MAX, CONSOLE_LENGTH = 50, 500
#: Seconds of a host's delay for which a request for a header waits.
DELAY_MAX = 5.0
#: Seconds that asking for a page's headers may take.
HEADER_TIMEOUT = 10.0
#: Stands for a value that is a secret.
HIDDEN = "***"
#: Headers whose values are secrets, besides those whose names say so.
SECRET_HEADERS = frozenset({"cookie", "set-cookie", "authorization", "proxy-authorization"})


class ResponseDetails:
    """Adds to responses what ``profile`` asks for; a profile that asks for nothing costs
    nothing.
    """

    def __init__(self, driver: Driver, profile: Profile, network: NetworkLog) -> None:
        self.driver, self.profile, self._network = driver, profile, network
        self._told = 0  # entries of the log whose exchanges were told
        #: Seconds that its host wants between two requests, also between the page and this one.
        self.delay = 0.0

    def begin(self) -> None:
        """Forget what the page before went on to do."""
        self._told = 0
        if self.profile.network_log:
            self._network.begin()
        if self.profile.console:
            self._console()

    def status(self) -> int | None:
        """Return the status of the last answer without a document; None: it is not known."""
        if not self.profile.exchanges:
            return None
        return next((one.status for one in reversed(self._exchanges()) if one.status), None)

    def add_to(self, response: Response, before: Response | None = None) -> Response:
        """Return ``response`` with its details; ``before`` is an earlier one of the same page."""
        if self.profile.exchanges:
            response = self._with_exchange(response, later=before is not None)
        if self.profile.console:
            console = ((before.console if before else None) or ()) + self._console()
            response = replace(response, console=console[:CONSOLE_MAX])
        if self.profile.timings:
            try:
                timings = self.driver.execute_script(script("timings.js"))
                response = replace(response, timings=timings)
            # the page went elsewhere, or replaced what is asked
            except WebDriverException as error:
                log.debug("no timings of %s: %s", response.url, first_line(error))
        return response

    def header(self, name: str, *, cookies: bool = True) -> str | None:
        """Return a header of the page that is shown, by asking its server for the headers again;
        None if the server does not give it. Without ``cookies`` none are sent, and none are taken.

        WebDriver knows no headers. This costs a request, so it is for the few answers where a
        header decides (Retry-After). It keeps the host's ``delay``; where that is long, no server
        is asked.
        """
        if self.delay > DELAY_MAX:
            return None
        time.sleep(self.delay)
        try:
            with self.driver.within(HEADER_TIMEOUT):
                value = self.driver.execute_async_script(
                    script("header.js"),
                    name,
                    HEADER_TIMEOUT * 1_000 / 2,
                    "same-origin" if cookies else "omit",
                )
        except (WebDriverException, BrowserLost):
            return None
        return value if isinstance(value, str) else None

    def _with_exchange(self, response: Response, later: bool) -> Response:
        """Return ``response`` with its exchange. A ``later`` response may have none: the page is
        still the same.
        """
        shown = response.url.partition("#")[0]
        answered = [one for one in self._exchanges() if one.status]
        own = [one for one in answered if one.url.partition("#")[0] == shown]
        if not own and not later:
            own = answered  # a script may have changed the address that is shown
        if not own:
            return response
        one = own[-1]
        return replace(
            response,
            status=response.status or one.status,
            content_type=response.content_type or one.mime,
            status_text=one.status_text,
            headers=without_secrets(one.headers, self.profile.headers_shown),
            request_headers=without_secrets(one.request_headers),
            redirects=tuple(one.hops),
        )

    def _exchanges(self) -> list[Exchange]:
        """Return the exchanges for documents that began since the last time, the latest last."""
        found = self._network.read().values()
        before, self._told = self._told, self._network.length
        return [one for one in found if one.is_document and one.place >= before]

    def _console(self) -> tuple[dict[str, str], ...]:
        """Return the errors and warnings of the console since the last time."""
        entries = self.driver.execute("getLog", {"type": "browser"})["value"]
        return tuple(
            {
                "level": "error" if entry["level"] == "SEVERE" else "warning",
                "message": entry["message"][:CONSOLE_LENGTH],
            }
            for entry in entries
            if entry["level"] in ("SEVERE", "WARNING")
        )


def without_secrets(
    headers: Mapping[str, str] | None, shown: Collection[str] = ()
) -> dict[str, str] | None:
    """Return headers by their names in lower case, *** in place of secrets that are not among the
    ``shown`` ones.
    """
    if headers is None:
        return None
    found = {name.lower(): value for name, value in headers.items() if name[:1] != ":"}
    return {
        name: HIDDEN if is_secret_header(name) and name not in shown else value
        for name, value in found.items()
    }


def is_secret_header(name: str) -> bool:
    """Whether the value of the header ``name``, in lower case, is a secret."""
    return name in SECRET_HEADERS or names_secret(name)
