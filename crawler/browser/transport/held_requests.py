"""Requests of a tab that Chrome holds until somebody says what becomes of each.

Chrome waits for the answer, so they are answered by a thread, on a line of its own to the tab.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import websocket

from .base import NoLine
from .cdp_line import Line

if TYPE_CHECKING:
    from .webdriver import Driver

#: Seconds in which the line must open, and Chrome must answer.
ANSWER_TIMEOUT = 10.0
#: The number of commands whose answer nobody waits for.
UNAWAITED = 2**30

#: Takes what Chrome tells of a request; returns the command by which it goes on (of the domain
#: Fetch), and its parameters but for the number of the request.
Decide = Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]


class Answer:
    """The answer to a command, once it is ``here``. ``result`` None: Chrome refused, or the line
    broke.
    """

    def __init__(self) -> None:
        self.here = threading.Event()
        self.result: dict[str, Any] | None = None


class HeldRequests:
    """Holds requests of the tab of ``driver``; ``decide`` says, in a thread, how each goes on."""

    def __init__(self, driver: Driver, decide: Decide) -> None:
        self._driver, self._decide = driver, decide
        self._line: Line | None = None
        self._session: dict[str, str] = {}  # of the tab, where the line leads to the browser
        self._number = 0
        self._answers: dict[int, Answer] = {}

    def hold(self, patterns: Iterable[str]) -> None:
        """Hold, from now on, the requests to URLs of these ``patterns``, and no others.

        Raises:
            NoLine: the session offers no line of Chrome's own protocol.
        """
        if self._line is None:
            self._open()
        self._call("Fetch.enable", patterns=[{"urlPattern": one} for one in sorted(set(patterns))])

    def release(self) -> None:
        """Hold no request from now on."""
        if self._line:
            self._line.cut()  # Chrome holds none then
            self._line = None

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
        thread.name = "held-requests"
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
        with suppress(OSError, websocket.WebSocketException, ValueError):  # the line ends
            while True:
                message = line.receive()
                if answer := answers.pop(message.get("id", 0), None):
                    answer.result = message.get("result")
                    answer.here.set()
                elif message.get("method") == "Fetch.requestPaused":
                    line.send(self._next(message))
        if self._line is line:
            self._line = None
        for answer in list(answers.values()):
            answer.here.set()
        line.close()

    def _next(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the command by which a request that is held goes on."""
        params = message["params"]
        method, answer = self._decide(params)
        answer["requestId"] = params["requestId"]
        session = {key: message[key] for key in ("sessionId",) if key in message}
        return {"id": UNAWAITED, "method": method, "params": answer, **session}
