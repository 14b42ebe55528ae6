"""The routes of the API: a request as plain values in, a response as plain values out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from pydantic import ValidationError

from ..client.client import Client
from ..client.wakeups import WakeUps
from ..config.settings import TOKEN, Settings
from ..errors import CrawlerError, DefinitionError, FrontierError, FrontierUnavailable, UnknownCrawl
from ..model import Json
from ..observe.logs import logger
from ..storage.errors import NO_ANSWER, redis_errors
from ..storage.server import write_refusal
from ..text import nesting as json_nesting
from .job import AddressRefused, JobConflict, Order, UnknownJob
from .jobs import Jobs
from .openapi import describe_api
from .schemas import FORMS, NUMBER, PAGE_MAX, PAGE_SIZE, PLACE, RESULT_PLACE, WAIT_MAX, NewJob
from .tokens import Tokens

log = logger(__name__)

JSON, PROBLEM, LINES = "application/json", "application/problem+json", "application/x-ndjson"
#: Seconds to connect to Redis, and for an answer of it, at most: a request asks several times, and
#: gets its response within five.
CONNECT_TIMEOUT, REDIS_TIMEOUT = 1.0, 1.4
#: Seconds after which a client may try again that got a 503.
RETRY_AFTER = 5
#: Headers of every response: nothing keeps it, or takes it for something else.
SAFE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
#: Levels of lists and objects in the body of a request, which holds a message.
NESTING_MAX = json_nesting.NESTING_MAX + 1
#: Paths that are open to everybody.
OPEN = frozenset({"/health", "/openapi.json"})
#: Seconds over which the requests of a token are counted.
WINDOW = 60


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request. ``path`` is the part of the path after the place of the API (``base``), as in
    ``/jobs``; header names are lower case.

    ``body`` need not be read further than one byte beyond the bytes that it may have.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""
    #: The response is sent only if the client would not wait for another one.
    is_poll: bool = False


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response. A body that is an iterator is sent piece by piece; if it raises, the connection
    is broken.
    """

    status: int
    body: bytes | Iterator[bytes]
    type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Seconds for which the client would wait for another response; 0: it would not.
    wait: float = 0.0


class Problem(Exception):
    """A response other than success (RFC 9457); ``errors`` names faulty parts of the request."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Json = None,
    ) -> None:
        super().__init__(status, detail)
        self.status, self.detail, self.headers, self.errors = status, detail, headers or {}, errors

    def response(self) -> ApiResponse:
        """Return the response that tells the problem."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return ApiResponse(self.status, as_json(body), PROBLEM, self.headers)


#: What a method of a path does.
Operation = Callable[..., ApiResponse]


class Api:
    """The API to ``jobs``.

    ``wait_max``: seconds that a request is held that waits for the end of a job, at most.
    ``tokens``: None lets everybody use it. ``rate``: requests per token and minute; 0: no limit.
    ``body_max``: bytes that the body of a request may have.
    """

    def __init__(
        self,
        jobs: Jobs,
        tokens: Tokens | None,
        *,
        rate: int = 0,
        body_max: int = 65_536,
        wait_max: float = WAIT_MAX,
    ) -> None:
        self.jobs, self.tokens, self.rate, self.body_max = jobs, tokens, rate, body_max
        self.wait_max = wait_max
        #: By the pattern of a path, the operation of each method.
        self._routes: dict[re.Pattern[str], dict[str, Operation]] = {
            re.compile(r"/jobs"): {"GET": self._list, "POST": self._create},
            re.compile(r"/jobs/(?P<id>[^/]*)"): {"GET": self._get, "DELETE": self._stop},
            re.compile(r"/jobs/(?P<id>[^/]*)/results"): {"GET": self._results},
            re.compile(r"/jobs/(?P<id>[^/]*)/failed"): {"GET": self._failed, "POST": self._retry},
            re.compile(r"/jobs/(?P<id>[^/]*)/undelivered"): {
                "GET": self._undelivered,
                "POST": self._redeliver,
            },
            re.compile(r"/health"): {"GET": self._health},
            re.compile(r"/openapi\.json"): {"GET": self._openapi},
        }

    @classmethod
    def of(cls, settings: Settings, *, authentication: bool = True) -> Api:
        """Return the API as ``settings`` describe it, less patient with Redis than a worker.

        Raises:
            SetupError: there is no token, or no Redis is configured.
        """
        tokens = (
            Tokens.load(settings.api_tokens, settings.api_tokens_file, TOKEN)
            if authentication
            else None
        )
        impatient = settings.model_copy(
            update={
                "redis_connect_timeout": min(CONNECT_TIMEOUT, settings.redis_connect_timeout),
                "redis_timeout": min(REDIS_TIMEOUT, settings.redis_timeout),
            }
        )
        client = Client(impatient)
        # an error now is better than one with the first order, and so is a delay
        _ = client.known
        if isinstance(client.send, WakeUps):
            client.send.prepare()
        jobs = Jobs(client, private=settings.api_private, retention=settings.job_retention)
        return cls(
            jobs,
            tokens,
            rate=settings.api_rate,
            body_max=settings.api_body_max,
            wait_max=settings.api_wait_max,
        )

    def refuse(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to a request that is refused before its body is read: no operation,
        no token, or too many in this minute. None: it is counted, and may be answered.

        Like :meth:`answer`, blocks while Redis is asked, and never raises for an act of the client
        or for a Redis that is away.
        """
        try:
            self._find(request)
            if request.path not in OPEN:
                with errors_as_problems():
                    self._admit(request)
        except Problem as problem:
            response = problem.response()
            return without_body(response) if request.method == "HEAD" else response
        return None

    def answer(self, request: ApiRequest) -> ApiResponse:
        """Answer a ``request`` that :meth:`refuse` let pass, now with its body."""
        try:
            operation, names = self._find(request)
            with errors_as_problems():
                response = operation(request, **names)
        except Problem as problem:
            response = problem.response()
        return without_body(response) if request.method == "HEAD" else response

    def _find(self, request: ApiRequest) -> tuple[Operation, dict[str, str]]:
        """Return the operation that ``request`` names, and the names in its path."""
        for pattern, operations in self._routes.items():
            if not (match := pattern.fullmatch(request.path)):
                continue
            method = "GET" if request.method == "HEAD" else request.method
            if method not in operations:
                methods = {*operations, *(("HEAD",) if "GET" in operations else ())}
                allowed = ", ".join(sorted(methods))
                detail = f"{request.path[:200]} knows: {allowed}"
                raise Problem(405, detail, headers={"Allow": allowed})
            return operations[method], match.groupdict()
        raise Problem(
            404,
            f"there is nothing at {request.path[:200]}; {request.base}/openapi.json says what"
            " there is",
        )

    def _admit(self, request: ApiRequest) -> None:
        """Let the request pass, or raise the Problem that refuses it."""
        holder: str | None = "anybody"
        if self.tokens is not None:
            holder = self.tokens.holder(request.headers.get("authorization", ""))
        if holder is None:
            raise Problem(
                401, "show a token: Authorization: Bearer …", headers={"WWW-Authenticate": "Bearer"}
            )
        if self.rate:
            self._count(holder)

    def _count(self, holder: str) -> None:
        """Count a request of ``holder``, and refuse it if there were too many in this minute."""
        now = time.time()
        window = int(now // WINDOW)
        key = f"{self.jobs.prefix}rate:{holder}:{window}"
        with redis_errors():
            count = self.jobs.redis.incr(key)
            if count == 1:
                self.jobs.redis.expire(key, 2 * WINDOW)
        if count > self.rate:
            wait = max(1, round((window + 1) * WINDOW - now + 0.5))
            raise Problem(
                429,
                f"at most {self.rate} requests in {WINDOW} s; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )

    # -- operations

    def _create(self, request: ApiRequest) -> ApiResponse:
        new = self._read(request)
        order = Order(
            new.crawl or None, new.url or None, new.message, new.limits(), new.webhook or None
        )
        job, is_new = self.jobs.create(order, new.id)
        place = {"Location": f"{request.base}/jobs/{job.id}"}
        return ApiResponse(201 if is_new else 200, as_json(job.record()), headers=place)

    def _read(self, request: ApiRequest) -> NewJob:
        if len(request.body) > self.body_max:
            raise Problem(413, f"the body of a request may have {self.body_max:,} bytes")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != JSON:
            raise Problem(415, f"the body of the request must be JSON, with Content-Type: {JSON}")
        try:
            text = request.body.decode()
            if nesting(text) > NESTING_MAX:
                raise Problem(400, f"the body of a request may be nested {NESTING_MAX} levels deep")
            body = json.loads(text, parse_constant=_refuse_constant)
            json.dumps(body, allow_nan=False)  # a number such as 1e999 has become infinite
        except ValueError as error:  # also not UTF-8, integers of 5,000 digits
            raise Problem(400, f"the body of the request is no JSON: {str(error)[:200]}") from None
        try:
            return NewJob.model_validate(body)
        except ValidationError as error:
            raise Problem(422, "the order is wrong", errors=faulty_fields(error)) from None

    def _list(self, request: ApiRequest) -> ApiResponse:
        query = self._query(request, {"limit": NUMBER, "cursor": PLACE})
        size = _number(query, "limit", PAGE_SIZE, 1, PAGE_MAX)
        jobs, cursor = self.jobs.page(size, query.get("cursor"))
        records = [job.record() for job in jobs]
        return ApiResponse(200, as_json({"jobs": records, "cursor": cursor}))

    def _get(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        wait = _number(self._query(request, {"wait": NUMBER}), "wait", 0, 0, WAIT_MAX)
        job = self.jobs.get(id)
        held = 0.0 if job.ended else min(wait, self.wait_max)
        if not (held and request.is_poll):  # to find the reason takes some trips to Redis
            job = self.jobs.explained(job)
        return ApiResponse(200, as_json(job.record()), wait=held)

    def _stop(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        self._query(request, {})
        job = self.jobs.stop(id)
        return ApiResponse(200 if job.ended else 202, as_json(job.record()))

    def _results(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        after = self._query(request, {"after": RESULT_PLACE}).get("after", "0")
        lines = (line.encode("utf-8", "replace") for line in self.jobs.results(id, after))
        return ApiResponse(200, lines, LINES)

    def _failed(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        query = self._query(request, {"limit": NUMBER, "cursor": NUMBER})
        size = _number(query, "limit", PAGE_SIZE, 1, PAGE_MAX)
        pages, cursor = self.jobs.failed(id, size, int(query.get("cursor", 0)))
        return ApiResponse(200, as_json({"failed": pages, "cursor": cursor}))

    def _retry(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        self._query(request, {})
        return ApiResponse(202, as_json(self.jobs.retry(id).record()))

    def _undelivered(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        self._query(request, {})
        lines = (line.encode("utf-8", "replace") for line in self.jobs.undelivered(id))
        return ApiResponse(200, lines, LINES)

    def _redeliver(self, request: ApiRequest, id: str) -> ApiResponse:  # noqa: A002
        self._query(request, {})
        return ApiResponse(202, as_json(self.jobs.redeliver(id).record()))

    def _health(self, request: ApiRequest) -> ApiResponse:
        self._query(request, {})
        client = self.jobs.client
        workers = len(client.workers.workers())
        if why := write_refusal(client.redis, f"{self.jobs.prefix}probe"):
            raise FrontierUnavailable(why)
        status = "ok" if workers else "no worker"
        return ApiResponse(200, as_json({"status": status, "workers": workers}))

    def _openapi(self, request: ApiRequest) -> ApiResponse:
        self._query(request, {})
        document = describe_api(authenticated=self.tokens is not None)
        return ApiResponse(200, as_json({**document, "servers": [{"url": request.base or "/"}]}))

    def _query(
        self, request: ApiRequest, patterns: Mapping[str, re.Pattern[str]]
    ) -> dict[str, str]:
        """Return the parameters of the query, each of its pattern, and none twice."""
        try:
            pairs = parse_qsl(request.query, keep_blank_values=True, max_num_fields=20)
        except ValueError:
            raise Problem(422, "the query has too many parameters") from None
        query: dict[str, str] = {}
        for name, value in pairs:
            if name not in patterns:
                others = f"; there are: {', '.join(patterns)}" if patterns else ""
                raise Problem(
                    422,
                    f"no parameter is named {name[:80]!r}{others}",
                    errors=[{"field": name[:80], "what": "is unknown"}],
                )
            if name in query or not patterns[name].fullmatch(value):
                what = "is given twice" if name in query else FORMS[name]
                raise Problem(422, f"{name} {what}", errors=[{"field": name, "what": what}])
            query[name] = value
        return query


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Return the number ``name`` of a query. Raises Problem unless it lies in its bounds."""
    number = int(query.get(name, default))
    if not least <= number <= most:
        what = f"is not between {least} and {most}"
        raise Problem(422, f"{name} {what}", errors=[{"field": name, "what": what}])
    return number


def without_body(response: ApiResponse) -> ApiResponse:
    """Return the response to HEAD: that to GET, without its body."""
    if not isinstance(response.body, bytes):
        return replace(response, body=iter(()))
    headers = {**response.headers, "Content-Length": str(len(response.body))}
    return replace(response, body=b"", headers=headers, wait=0)


@contextmanager
def errors_as_problems() -> Iterator[None]:
    """Turn errors of jobs and of the frontier into problems: the one place where that happens."""
    later = {"Retry-After": str(RETRY_AFTER)}
    try:
        yield
    except (UnknownJob, UnknownCrawl) as error:
        raise Problem(404, str(error)) from error
    except JobConflict as error:
        raise Problem(409, str(error)) from error
    except AddressRefused as error:
        raise Problem(403, str(error)) from error
    except DefinitionError as error:
        errors = [{"field": fault.field, "what": fault.what} for fault in error.faults]
        raise Problem(422, "the order is wrong", errors=errors) from error
    except FrontierError as error:
        log.warning("503: %s", error)
        away = str(error).startswith(NO_ANSWER)
        what = "is away" if away else "cannot do it now"
        raise Problem(503, f"Redis {what}; try again", headers=later) from error
    except CrawlerError as error:
        log.warning("503: %s", error)
        raise Problem(503, "this server cannot begin the job now", headers=later) from error


def as_json(value: Json) -> bytes:
    """Return ``value`` as bytes that any client reads; half characters stay escaped."""
    return json.dumps(value, separators=(",", ":")).encode()


#: What opens and closes a level of JSON, and strings, in which the same characters say nothing.
_LEVEL = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def nesting(text: str) -> int:
    """Return how many levels of lists and objects ``text``, which may be no JSON, opens at once."""
    deepest = level = 0
    for piece in _LEVEL.findall(text):
        if piece in "[{":
            level += 1
            deepest = max(deepest, level)
        elif piece in "]}":
            level -= 1
    return deepest


def _refuse_constant(name: str) -> None:
    """Refuse ``NaN`` and ``Infinity``, which Python's parser takes for JSON."""
    raise ValueError(f"{name} is no JSON")


def faulty_fields(error: ValidationError) -> list[dict[str, str]]:
    """Return the faulty fields of an order, each with what is wrong with it."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    faults = []
    for detail in details:
        name, what = ".".join(map(str, detail["loc"]))[:200], detail["msg"]
        if detail["type"] == "string_pattern_mismatch":  # its text would show the pattern
            what = FORMS.get(name, "is not of the right form")
        faults.append({"field": name, "what": what.removeprefix("Value error, ")})
    return faults
