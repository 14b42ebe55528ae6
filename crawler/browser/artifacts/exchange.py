"""What went over the wire for a page, by Chrome's performance log: headers, redirects on the way, a
status without a document.

WebDriver tells none of it. The log does, through a Grid as well, and costs Chrome and us some
milliseconds a page, so it is only kept where a crawl asks for it. Headers that hold secrets
(cookies, credentials) are named, without their value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..transport.webdriver import Driver

#: Headers whose values are nobody's business.
SECRET = frozenset({"cookie", "set-cookie", "authorization", "proxy-authorization"})
#: What of the log is looked at; the rest is not even parsed.
TOLD = ('"Network.requestWillBeSent', '"Network.responseReceived')


@dataclass(slots=True)
class Exchange:
    """A request for a document in the tab itself, and its answer. ``hops``: the URLs that
    redirected, in their order.
    """

    url: str
    hops: list[str] = field(default_factory=list)
    status: int | None = None
    status_text: str | None = None
    headers: Mapping[str, str] | None = None
    request_headers: Mapping[str, str] | None = None
    mime: str | None = None

    @property
    def first(self) -> str:
        """The URL that was asked for."""
        return self.hops[0] if self.hops else self.url


def take(driver: Driver) -> list[Exchange]:
    """The exchanges since the last time, the latest last."""
    return exchanges(
        entry["message"] for entry in driver.execute("getLog", {"type": "performance"})["value"]
    )


def exchanges(messages: Iterable[str]) -> list[Exchange]:
    """Those that ``messages`` of the log tell of."""
    found: dict[str, Exchange] = {}
    # what really was, by request; told before or after the rest
    sent: dict[str, Mapping[str, str]] = {}
    received: dict[tuple[str, int], Mapping[str, str]] = {}
    for text in messages:
        if not any(what in text for what in TOLD):
            continue
        told = json.loads(text)
        method, params = told["message"]["method"], told["message"]["params"]
        request = params.get("requestId")
        match method:
            case "Network.requestWillBeSent" if (
                params.get("type") == "Document" and params.get("frameId") == told["webview"]
            ):
                one = found.setdefault(request, Exchange(""))
                if before := params.get("redirectResponse"):
                    one.hops.append(before["url"])
                one.url, one.request_headers = (
                    params["request"]["url"],
                    params["request"]["headers"],
                )
            case "Network.requestWillBeSentExtraInfo":
                sent[request] = params["headers"]
            case "Network.responseReceivedExtraInfo":
                received[request, params["statusCode"]] = params["headers"]
            case "Network.responseReceived" if request in found:
                one, response = found[request], params["response"]
                one.status, one.status_text = (
                    response["status"] or None,
                    response["statusText"] or None,
                )
                one.headers, one.mime = response["headers"], response["mimeType"] or None
    for request, one in found.items():
        one.request_headers = _plain(sent.get(request) or one.request_headers)
        one.headers = _plain(received.get((request, one.status or 0)) or one.headers)
    return list(found.values())


def _plain(headers: Mapping[str, str] | None) -> dict[str, str] | None:
    """Headers by their names in lower case, without secrets."""
    if headers is None:
        return None
    return {
        name.lower(): "***" if name.lower() in SECRET else value
        for name, value in headers.items()
        if name[:1] != ":"
    }
