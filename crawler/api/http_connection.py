"""One connection of a client to the jobs API's server: bounds on what it may leave undone."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..observe.logs import logger

log = logger(__name__)

#: Bytes of a request's first line and headers.
HEAD_MAX = 16_384
#: Seconds for the first line and the headers of a request to arrive.
HEAD_TIMEOUT = 5.0
#: Seconds for the body of a request to arrive where the server does not read it: it was refused.
UNREAD_BODY_TIMEOUT = 15.0
#: Seconds in which a client must take some of a response that waits for it.
READ_TIMEOUT = 30.0
#: Connections of which no whole head has arrived, at once. One more ends the oldest of them.
WAITING_MAX = 500


class HttpConnection(H11Protocol):
    """uvicorn's connection, which waits for ever for a head that was begun, for a body that was
    announced, and for a client that does not read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What the client has yet to send: ``IDLE`` (a head), ``SEND_BODY``, or None.
        self.owes: type[h11.IDLE | h11.SEND_BODY] | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room if too many wait for their heads, and begin to wait for this one's."""
        others = [other for other in self.connections if isinstance(other, HttpConnection)]
        waiting = [other for other in others if other.owes is h11.IDLE]
        super().connection_made(transport)
        self._watch()
        if len(waiting) >= WAITING_MAX:
            min(waiting, key=HttpConnection.due).end("another needs its place")

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the times; nobody waits any more."""
        for timer in (self._overdue, self._unread):
            if timer is not None:
                timer.cancel()
        self.owes = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Hold the response back until the client has read some of it, or its time is over."""
        super().pause_writing()
        self._unread = self.loop.call_later(READ_TIMEOUT, self.end, "it does not read")

    def resume_writing(self) -> None:
        """Go on with the response."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def end(self, why: str) -> None:
        """Break the connection at once, whatever still waits to be sent."""
        log.info("a connection of %s is broken: %s", (self.client or ("a socket",))[0], why)
        self.owes = None
        self.transport.abort()

    def due(self) -> float:
        """When the time for what the client owes is over, by the loop's clock."""
        return self._overdue.when() if self._overdue is not None else 0.0

    def _watch(self) -> None:
        """Count the time of a head or a body from where it began, not from its last byte."""
        state = self.conn.their_state
        owes = state if state in (h11.IDLE, h11.SEND_BODY) else None
        if owes is self.owes:
            return
        self.owes = owes
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if owes is not None:
            what, seconds = (
                ("head", HEAD_TIMEOUT) if owes is h11.IDLE else ("body", UNREAD_BODY_TIMEOUT)
            )
            why = f"the {what} of a request did not arrive within {seconds:g} s"
            self._overdue = self.loop.call_later(seconds, self.end, why)
