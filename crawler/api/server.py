"""The jobs API as a server of its own: Starlette and uvicorn around ``api``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from ..config import settings as configuration
from ..config.settings import Settings
from ..errors import PortTaken, SetupError
from ..observe.logs import logger
from .api import RETRY_AFTER, SAFE_HEADERS, Api, ApiRequest, ApiResponse, Problem

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

log = logger(__name__)

#: Seconds after which a request gets the response that Redis is away, however many of its steps
#: still wait.
ANSWER_TIMEOUT = 4.5
#: Seconds for the body of a request to arrive, and for the next request of a connection.
BODY_TIMEOUT, IDLE_TIMEOUT = 10.0, 5
#: Connections at once.
CONNECTIONS = 1_000
#: Requests that may wait for the end of a job, at once: others get their response at once. Seconds
#: after which each asks again.
WAITERS_MAX, WAIT_INTERVAL = 200, 0.5
#: Seconds that responses under way may take when the server is told to end.
GRACE = 10
#: Names under which a server without authentication responds: no web page can then reach it by a
#: name of its own.
LOOPBACK_NAMES = ("localhost",)


class Server:
    """An ASGI application: ``api`` behind HTTP."""

    def __init__(self, api: Api) -> None:
        self.api = api
        #: Requests that wait for the end of a job.
        self.waiting = 0
        #: Whether the server is told to end: nobody is kept waiting then.
        self.is_ending: Callable[[], bool] = lambda: False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of a connection."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            began = time.monotonic()
            try:
                response = await self.respond(request)
            except ClientDisconnect:
                return
            ms = (time.monotonic() - began) * 1_000
            log.info("%s %s %s %.0f ms", request.method, request.url.path, response.status, ms)
            headers = {**response.headers, **SAFE_HEADERS}
            body, args = response.body, (response.status, headers, response.type)
            whole = (
                Response(body, *args) if isinstance(body, bytes) else StreamingResponse(body, *args)
            )
            await whole(scope, receive, send)

    async def respond(self, request: Request) -> ApiResponse:
        """Return the API's response, or a problem once its time is over."""
        if self.api.tokens is None and not is_loopback(request.url.hostname or ""):
            detail = "without authentication, this server answers to localhost only"
            return Problem(403, detail).response()
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, query = request.scope["path"], request.url.query
        head = ApiRequest(request.method, path, query, headers)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                refusal = await run_in_threadpool(self.api.refuse, head)
        except TimeoutError:
            return _too_late()
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                body = await read_body(request, self.api.body_max + 1)
        except TimeoutError:
            return Problem(408, f"the body did not arrive within {BODY_TIMEOUT:g} s").response()
        whole = replace(head, body=body)
        if self.waiting >= WAITERS_MAX or self.is_ending():
            return await self._answer(whole)
        response = await self._answer(replace(whole, is_poll=whole.method == "GET"))
        if response.wait:
            self.waiting += 1
            try:
                return await self._wait(whole, response, request)
            finally:
                self.waiting -= 1
        return response

    async def _answer(self, request: ApiRequest) -> ApiResponse:
        """Return the API's response to a request that was admitted, or that it takes too long."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return await run_in_threadpool(self.api.answer, request)
        except TimeoutError:
            return _too_late()

    async def _wait(
        self, request: ApiRequest, response: ApiResponse, connection: Request
    ) -> ApiResponse:
        """Ask the API again until it has another response than to wait, or the time is over. No
        thread is held meanwhile.
        """
        end, poll = time.monotonic() + response.wait, replace(request, is_poll=True)
        while (left := end - time.monotonic()) > 0 and not self.is_ending():
            await asyncio.sleep(min(left, WAIT_INTERVAL))
            if await connection.is_disconnected():
                raise ClientDisconnect
            response = await self._answer(poll)
            if not response.wait:
                return response
        return await self._answer(request)


def _too_late() -> ApiResponse:
    """Return the response that Redis, or what asks it, takes too long."""
    later = {"Retry-After": str(RETRY_AFTER)}
    return Problem(503, "Redis did not answer in time; try again", headers=later).response()


async def read_body(request: Request, most: int) -> bytes:
    """Return the body of ``request``, or its beginning: at least ``most`` bytes, if it has them."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) >= most:
            break
    return bytes(body)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def is_loopback(host: str) -> bool:
    """Whether ``host`` is an address that only this machine reaches."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def app() -> Server:
    """Return the server as the environment describes it.

    For ``uvicorn --factory crawler.api.server:app --workers 4``.
    """
    return Server(Api.of(configuration.load()))


def serve(settings: Settings, host: str, port: int, *, authentication: bool = True) -> None:
    """Serve until told to end.

    Raises:
        SetupError: without ``authentication``, ``host`` is not loopback; or no token is configured;
            or PortTaken.
    """
    import uvicorn

    from .http_connection import HEAD_MAX, HttpConnection

    if not authentication and not is_loopback(host):
        raise SetupError(
            "without authentication the server listens on loopback only (127.0.0.1, ::1), not on"
            f" {host}"
        )
    application = Server(Api.of(settings, authentication=authentication))
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_TIMEOUT,
        timeout_graceful_shutdown=GRACE,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=HEAD_MAX,
        http=HttpConnection,
        ws="none",
    )
    server = uvicorn.Server(config)
    application.is_ending = lambda: server.should_exit
    try:
        server.run()
    except SystemExit as error:  # uvicorn has said why in its log
        raise PortTaken(host, port, "is the port taken?") from error
