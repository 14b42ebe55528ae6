"""Headers that go with the requests of a tab to some hosts, and to no other.

Chrome itself sends a header with every request, or with none. So each request to one of the hosts
is held, and goes on with its headers, by a thread on a line of its own to the tab.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import websocket

from ...observe.logs import logger
from ...urls.url import domain_of
from ..transport.base import NoLine
from ..transport.cdp_line import Line

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

log = logger(__name__)

#: Seconds in which the line must open, and Chrome must answer.
ANSWER_TIMEOUT = 10.0
#: The number of commands whose answer nobody waits for.
UNAWAITED = 2**30
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts that a header is for: that of ``url``, with ``site`` also the others of its
    registrable domain, and ``others``. Over http it goes only where ``url`` is http as well.
    """

    url: str
    site: bool = False
    others: tuple[str, ...] = ()

    def includes(self, url: str) -> bool:
        """Whether a request to ``url`` is for one of them."""
        try:
            here, there = urlsplit(self.url), urlsplit(url)
            mine, port = here.hostname or "", port_of(there)
        except ValueError:
            return False
        host = there.hostname or ""
        if there.scheme != "https" and there.scheme != here.scheme:
            return False
        if host in self.others or (self.site and domain_of(host) == domain_of(mine)):
            return True
        # the same server, or where it sends those who come without encryption
        return host == mine and port in (port_of(here), PORTS["https"])

    def patterns(self) -> list[str]:
        """Return patterns of URLs, for Chrome, that match all that it includes, perhaps more."""
        mine = urlsplit(self.url).hostname or ""
        hosts = [domain_of(mine) if self.site else mine, *self.others]
        below = [f"*.{hosts[0]}"] if self.site else []
        named = [f"[{host}]" if ":" in host else host for host in (*hosts, *below)]
        return [f"*://{host}{end}" for host in named for end in ("/*", ":*")]


def port_of(parts: SplitResult) -> int | None:
    """Return the port of a URL, its scheme's own if it names none. Raises ValueError."""
    return parts.port or PORTS.get(parts.scheme)


class Answer:
    """The answer to a command, once it is ``here``. ``result`` None: Chrome refused, or the line
    broke.
    """

    def __init__(self) -> None:
        self.here = threading.Event()
        self.result: dict[str, Any] | None = None


class HostHeaders:
    """The headers of one session that are for some hosts: (name, value, reach)."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._rules: tuple[tuple[str, str, Reach], ...] = ()
        self._line: Line | None = None
        self._session: dict[str, str] = {}  # of the tab, where the line leads to the browser
        self._number = 0
        self._answers: dict[int, Answer] = {}

    def apply(self, rules: Sequence[tuple[str, str, Reach]]) -> None:
        """Send these headers from now on, and no others.

        Raises:
            NoLine: the session offers no line of Chrome's own protocol.
        """
        self._rules = tuple(rules)
        if not rules:
            if self._line:
                self._line.cut()  # Chrome holds no request then
                self._line = None
            return
        if self._line is None:
            self._open()
        found = {pattern for _, _, reach in rules for pattern in reach.patterns()}
        patterns = [{"urlPattern": pattern} for pattern in sorted(found)]
        self._call("Fetch.enable", patterns=patterns)

    def _open(self) -> None:
        address = self._driver.debugger_address()
        if address is None:
            raise NoLine("the endpoint offers none")
        try:
            line = Line(address.url, address.headers, ANSWER_TIMEOUT)
        except (OSError, websocket.WebSocketException) as error:
            raise NoLine(type(error).__name__) from error
        self._line, self._session, self._answers = line, {}, {}
        thread = threading.Thread(target=self._serve, args=(line, self._answers), daemon=True)
        thread.name = "host-headers"
        thread.start()
        if address.target:
            answer = self._call("Target.attachToTarget", targetId=address.target, flatten=True)
            self._session = {"sessionId": answer["sessionId"]}

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return Chrome's answer to a command. Raises NoLine."""
        self._number += 1
        number = self._number
        answer = self._answers[number] = Answer()
        try:
            if self._line is None:
                raise NoLine("it broke")
            self._line.send({"id": number, "method": method, "params": params, **self._session})
        except (OSError, websocket.WebSocketException) as error:
            self._line = None
            raise NoLine(type(error).__name__) from error
        if not answer.here.wait(ANSWER_TIMEOUT) or answer.result is None:
            raise NoLine(f"{method} was not answered")
        return answer.result

    def _serve(self, line: Line, answers: dict[int, Answer]) -> None:
        try:
            while True:
                message = line.receive()
                if answer := answers.pop(message.get("id", 0), None):
                    answer.result = message.get("result")
                    answer.here.set()
                elif message.get("method") == "Fetch.requestPaused":
                    line.send(self._continued(message))
        except (OSError, websocket.WebSocketException, ValueError) as error:
            log.debug("the line for headers ends: %s", type(error).__name__)
        if self._line is line:
            self._line = None
        for answer in list(answers.values()):
            answer.here.set()
        line.close()

    def _continued(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the command by which a request that is held goes on."""
        params = message["params"]
        answer: dict[str, Any] = {"requestId": params["requestId"]}
        url = params["request"]["url"]
        ours = {name.lower(): (name, value) for name, value, reach in self._rules
                if reach.includes(url)}  # fmt: skip
        if ours:
            sent = params["request"]["headers"].items()
            theirs = [(name, value) for name, value in sent if name.lower() not in ours]
            answer["headers"] = [
                {"name": name, "value": value} for name, value in (*theirs, *ours.values())
            ]
        session = {key: message[key] for key in ("sessionId",) if key in message}
        return {"id": UNAWAITED, "method": "Fetch.continueRequest", "params": answer, **session}
