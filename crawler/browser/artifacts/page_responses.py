"""The responses that a page loaded, of those that its crawl captures: the JSON behind a list, for
instance.

They are in Chrome's performance log, through a Grid as well; their bodies are asked of Chrome,
which keeps them while the tab shows the page.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException

from ...observe.logs import logger
from ...redaction import masked
from ...text.encodable import encodable, encodable_value
from ..transport.base import TransportError, first_line
from .response_details import without_secrets

if TYPE_CHECKING:
    from ...model import Json
    from ..transport.base import Transport
    from .network_log import Exchange, NetworkLog

log = logger(__name__)

#: Responses of one page that are captured.
RESPONSES_MAX = 500


@dataclass(frozen=True, slots=True)
class CapturedResponse:
    """A response that the page loaded: its ``url``, ``method``, ``status``, ``headers`` (names in
    lower case, *** for secrets) and ``body`` in bytes.

    ``truncated``: the body is too long to be kept, still loading, or Chrome has it no longer; then
    it is cut, or empty.
    """

    url: str
    method: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    truncated: bool = False

    @property
    def text(self) -> str:
        """The body as text: in the charset that its header names, or UTF-8; what is neither becomes
        U+FFFD.
        """
        charset = "utf-8"
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.strip().partition("=")
            if name.lower() == "charset":
                charset = value.strip("\"' ")
        try:
            return encodable(self.body.decode(charset, "replace"))
        except LookupError:  # a charset that does not exist
            return encodable(self.body.decode("utf-8", "replace"))

    def json(self) -> Json:
        """Return the body as JSON. Raises ValueError: it is none, or is truncated."""
        if self.truncated:
            raise ValueError(f"the body of {masked(self.url)} is not here whole")
        return encodable_value(json.loads(self.text))


class PageResponses:
    """The responses of the page in the tab whose URLs match one of ``patterns`` (``*`` stands for
    anything); bodies of at most ``body_limit`` bytes each, and ``limit`` bytes in all.
    """

    def __init__(self, network: NetworkLog, transport: Transport) -> None:
        self._network, self._transport = network, transport
        self.patterns: tuple[str, ...] = ()
        self.body_limit = self.limit = 0
        self.begin()

    def begin(self) -> None:
        """Forget the page before."""
        self._bodies: dict[str, tuple[bytes, bool]] = {}
        self._kept = 0

    def here(self, patterns: Iterable[str]) -> set[str]:
        """Return those of ``patterns`` for which a response has come whole."""
        done = [one for _, one in self._answered() if one.size is not None]
        return {pattern for pattern in patterns if any(matches(one.url, pattern) for one in done)}

    def captured(self, pattern: str | None = None) -> list[CapturedResponse]:
        """Return the responses that came so far, in the order of their requests; with ``pattern``
        only those whose URLs match it, too.
        """
        found = []
        for request, one in self._answered():
            wanted = any(matches(one.url, each) for each in self.patterns)
            if wanted and (pattern is None or matches(one.url, pattern)):
                body, truncated = self._body(request, one)
                headers = without_secrets(one.headers) or {}
                status = one.status or 0
                found.append(
                    CapturedResponse(one.url, one.method, status, headers, body, truncated)
                )
            if len(found) == RESPONSES_MAX:
                break
        return found

    def _answered(self) -> Iterator[tuple[str, Exchange]]:
        """Yield those that were answered, each with the number of its request."""
        for request, one in self._network.read().items():
            if one.status is not None and one.url.startswith(("http://", "https://")):
                yield request, one

    def _body(self, request: str, one: Exchange) -> tuple[bytes, bool]:
        """Return the body, and whether it is not whole. Each is asked for once it has come."""
        if one.method == "HEAD" or one.status in (204, 304):
            return b"", False
        if one.size is None:
            return b"", True
        if request not in self._bodies:
            room = min(self.body_limit, self.limit - self._kept)
            body = None if one.size > max(room, 0) else self._ask(request, one)
            if body is None or room <= 0:
                self._bodies[request] = b"", True
            else:
                self._bodies[request] = body[:room], len(body) > room
                self._kept += len(self._bodies[request][0])
        return self._bodies[request]

    def _ask(self, request: str, one: Exchange) -> bytes | None:
        """Ask Chrome for a body; None: it has it no longer."""
        try:
            answer = self._transport.cdp("Network.getResponseBody", requestId=request)
        except (TransportError, WebDriverException) as error:
            log.info("no body of %s: %s", masked(one.url), first_line(error))
            return None
        text: str = answer["body"]
        if answer["base64Encoded"]:
            return base64.b64decode(text)
        return text.encode("utf-8", "replace")


def matches(url: str, pattern: str) -> bool:
    """Whether ``url`` is one of ``pattern``, in which ``*`` stands for anything, and all else for
    itself.
    """
    return fnmatchcase(url, pattern.replace("[", "[[]").replace("?", "[?]"))
