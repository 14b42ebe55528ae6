"""Details of a response that a crawl may ask for: headers and redirects, console, timings.

Each costs a question. Headers and redirects are in Chrome's performance log; WebDriver tells none
of them. The log tells them through a Grid as well, and costs Chrome and us some milliseconds a
page, so it is only kept where a crawl asks for it. Headers that hold secrets (cookies, credentials)
are named, without their value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

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
    from .network_log import NetworkLog

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


@dataclass(slots=True)
class Exchange:
    """A request for a document in the tab itself, and its answer.

    ``hops`` are the URLs that redirected, in their order.
    """

    url: str
    hops: list[str] = field(default_factory=list)
    status: int | None = None
    status_text: str | None = None
    headers: Mapping[str, str] | None = None
    request_headers: Mapping[str, str] | None = None
    mime: str | None = None


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
            headers=one.headers,
            request_headers=one.request_headers,
            redirects=tuple(one.hops),
        )

    def _exchanges(self) -> list[Exchange]:
        """Return the exchanges since the last time, the latest last."""
        entries = self._network.read()
        before, self._told = self._told, len(entries)
        return exchanges(entries[before:], self.profile.headers_shown)

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


def exchanges(messages: Iterable[str], shown: Collection[str] = ()) -> list[Exchange]:
    """Return the exchanges of which ``messages`` of the log tell, the latest last. Headers that are
    ``shown`` have their values, secrets or not.
    """
    by_request: dict[str, Exchange] = {}
    # the headers as they really were; the log has them before or after the rest
    sent: dict[str, Mapping[str, str]] = {}
    received: dict[tuple[str, int], Mapping[str, str]] = {}
    for text in messages:
        entry = json.loads(text)
        method, params = entry["message"]["method"], entry["message"]["params"]
        request = params.get("requestId")
        match method:
            case "Network.requestWillBeSent":
                if params.get("type") == "Document" and params.get("frameId") == entry["webview"]:
                    note_request(by_request.setdefault(request, Exchange("")), params)
            case "Network.requestWillBeSentExtraInfo":
                sent[request] = params["headers"]
            case "Network.responseReceivedExtraInfo":
                received[request, params["statusCode"]] = params["headers"]
            case "Network.responseReceived" if request in by_request:
                note_response(by_request[request], params["response"])
    for request, one in by_request.items():
        one.request_headers = without_secrets(sent.get(request) or one.request_headers)
        headers = received.get((request, one.status or 0)) or one.headers
        one.headers = without_secrets(headers, shown)
    return list(by_request.values())


def note_request(exchange: Exchange, params: Mapping[str, Any]) -> None:
    """Note a request, or the redirect that led to it, in its exchange."""
    if redirect := params.get("redirectResponse"):
        exchange.hops.append(redirect["url"])
    exchange.url = params["request"]["url"]
    exchange.request_headers = params["request"]["headers"]


def note_response(exchange: Exchange, response: Mapping[str, Any]) -> None:
    """Note the final answer in its exchange."""
    exchange.status = response["status"] or None
    exchange.status_text = response["statusText"] or None
    exchange.headers, exchange.mime = response["headers"], response["mimeType"] or None


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
