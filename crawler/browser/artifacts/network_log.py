"""What Chrome's performance log tells of a page's requests: read once, for all who ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

#: Entries of the log that are read; the others are not even parsed.
RELEVANT = ('"Network.requestWillBeSent', '"Network.responseReceived', '"Network.loadingFinished"')
#: Entries of one page that are read: beyond, a page asks for something again and again.
ENTRIES_MAX = 50_000


@dataclass(slots=True)
class Exchange:
    """A request and its answer, as far as the log has told of them.

    ``place`` is that of its first entry in the log, ``is_document`` says that it is for a document
    in the tab itself. ``hops`` are the URLs that redirected, in their order; what follows them is
    about the last request. ``size`` is in bytes on the wire; None: it is still loading.
    """

    place: int
    is_document: bool = False
    hops: list[str] = field(default_factory=list)
    url: str = ""
    method: str = ""
    status: int | None = None
    status_text: str | None = None
    headers: Mapping[str, str] | None = None
    request_headers: Mapping[str, str] | None = None
    mime: str | None = None
    size: int | None = None


class NetworkLog:
    """The exchanges of the page in the tab of ``driver`` since :meth:`begin`, by the number of
    their request, in the order of the requests.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._forget()

    def _forget(self) -> None:
        self.length = 0  # entries so far
        self._exchanges: dict[str, Exchange] = {}
        # headers as they really were; the log has them before or after the rest
        self._sent: dict[str, Mapping[str, str]] = {}
        self._received: dict[tuple[str, int], Mapping[str, str]] = {}

    def begin(self) -> None:
        """Forget what the page before did, and went on to do."""
        self._driver.execute("getLog", {"type": "performance"})
        self._forget()

    def read(self) -> dict[str, Exchange]:
        """Return all exchanges of this page so far."""
        for entry in self._driver.execute("getLog", {"type": "performance"})["value"]:
            text = entry["message"]
            if self.length < ENTRIES_MAX and any(event in text for event in RELEVANT):
                told = json.loads(text)
                self._note(told["message"]["method"], told["message"]["params"], told["webview"])
                self.length += 1
        return self._exchanges

    def _note(self, method: str, params: Mapping[str, Any], tab: str) -> None:
        """Note what an entry tells."""
        request = params.get("requestId", "")
        one = self._exchanges.get(request)
        match method:
            case "Network.requestWillBeSent":
                if one is None:
                    one = self._exchanges[request] = Exchange(self.length)
                note_request(one, params, tab)
                one.request_headers = self._sent.get(request) or one.request_headers
            case "Network.requestWillBeSentExtraInfo":
                self._sent[request] = params["headers"]
                if one:
                    one.request_headers = params["headers"]
            case "Network.responseReceivedExtraInfo":
                status = params["statusCode"]
                self._received[request, status] = params["headers"]
                if one and one.status == status:
                    one.headers = params["headers"]
            case "Network.responseReceived" if one:
                note_response(one, params["response"])
                one.headers = self._received.get((request, one.status or 0)) or one.headers
            case "Network.loadingFinished" if one:
                one.size = int(params["encodedDataLength"])


def note_request(exchange: Exchange, params: Mapping[str, Any], tab: str) -> None:
    """Note a request, or the redirect that led to it, in its exchange."""
    if redirect := params.get("redirectResponse"):
        exchange.hops.append(redirect["url"])
    exchange.url, exchange.method = params["request"]["url"], params["request"]["method"]
    exchange.is_document = params.get("type") == "Document" and params.get("frameId") == tab
    exchange.request_headers = params["request"]["headers"]
    exchange.status = exchange.size = None


def note_response(exchange: Exchange, response: Mapping[str, Any]) -> None:
    """Note the final answer in its exchange."""
    exchange.status = response["status"] or None
    exchange.status_text = response["statusText"] or None
    exchange.headers, exchange.mime = response["headers"], response["mimeType"] or None
