"""Requests and their answers."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

from pydantic import ValidationError

from ..client.client import Client
from ..config.settings import TOKEN, Settings
from ..errors import CrawlerError, DefinitionError, FrontierError, UnknownCrawl
from ..model import Json
from ..storage.errors import redis_errors
from .jobs import AddressRefused, Job, JobConflict, Jobs, Order, UnknownJob
from .openapi import describe_api
from .schemas import PAGE_MAX, PAGE_SIZE, PLACE, RESULT_PLACE, NewJob
from .tokens import Tokens

log = logging.getLogger(__name__)

JSON, PROBLEM, LINES = "application/json", "application/problem+json", "application/x-ndjson"
#: Seconds to connect to Redis, and for an answer of it, at most: a request asks several times, and
#: is answered within five.
CONNECT_TIMEOUT, REDIS_TIMEOUT = 1.0, 1.4
#: Seconds after which a client that was told 503 may try again.
RETRY_AFTER = 5
#: Seconds in which requests are counted.
WINDOW = 60


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. ``path`` is what follows the place where the API hangs (``base``), as in
    ``/jobs``; header names are lower case.

    ``body`` need not be read further than one byte beyond what it may have.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. A body that is an iterator is sent piece by piece; if it raises, the
    connection is to be broken.
    """

    status: int
    body: bytes | Iterator[bytes]
    type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Problem(Exception):
    """An answer other than success (RFC 9457); ``errors`` names faulty parts of the request."""

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

    def answer(self) -> Answer:
        """It as an answer."""
        said = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            said["errors"] = self.errors
        return Answer(self.status, as_json(said), PROBLEM, self.headers)


class Api:
    """The API to ``jobs``. Without ``tokens`` everybody may use it. ``rate`` counts per token and
    minute; 0: no limit.
    """

    def __init__(
        self, jobs: Jobs, tokens: Tokens | None, *, rate: int = 0, body_max: int = 65_536
    ) -> None:
        self.jobs, self.tokens, self.rate, self.body_max = jobs, tokens, rate, body_max
        #: By the form of a path: what each method does. Those in the second table are open to
        #: everybody.
        self._routes: dict[re.Pattern[str], dict[str, Callable[..., Answer]]] = {
            re.compile(r"/jobs"): {"GET": self._list, "POST": self._create},
            re.compile(r"/jobs/(?P<id>[^/]*)"): {"GET": self._get, "DELETE": self._stop},
            re.compile(r"/jobs/(?P<id>[^/]*)/results"): {"GET": self._results},
        }
        self._open: dict[re.Pattern[str], dict[str, Callable[..., Answer]]] = {
            re.compile(r"/health"): {"GET": self._health},
            re.compile(r"/openapi\.json"): {"GET": self._openapi},
        }

    @classmethod
    def of(cls, settings: Settings, *, authentication: bool = True) -> Api:
        """The API as ``settings`` describe it, with less patience for Redis than a worker has.

        Raises:
            SetupError: there is no token, or no Redis is configured.
        """
        tokens = (
            Tokens.load(settings.api_tokens, settings.api_tokens_file, TOKEN)
            if authentication
            else None
        )
        hurried = settings.model_copy(
            update={
                "redis_connect_timeout": min(CONNECT_TIMEOUT, settings.redis_connect_timeout),
                "redis_timeout": min(REDIS_TIMEOUT, settings.redis_timeout),
            }
        )
        client = Client(hurried)
        _ = client.known  # better an error now than with the first order
        jobs = Jobs(client, private=settings.api_private, retention=settings.job_retention)
        return cls(jobs, tokens, rate=settings.api_rate, body_max=settings.api_body_max)

    def __call__(self, ask: Ask) -> Answer:
        """Answer ``ask``. Blocks while Redis is asked. Never raises for what a client does, or for
        a Redis that is away.
        """
        try:
            return self._answer(ask)
        except Problem as problem:
            return problem.answer()

    def _answer(self, ask: Ask) -> Answer:
        for routes in (self._open, self._routes):
            for form, methods in routes.items():
                if not (match := form.fullmatch(ask.path)):
                    continue
                if ask.method not in methods:
                    allowed = ", ".join(sorted(methods))
                    raise Problem(405, f"{ask.path} knows: {allowed}", headers={"Allow": allowed})
                with problems():
                    if routes is self._routes:
                        self._admit(ask)
                    return methods[ask.method](ask, **match.groupdict())
        raise Problem(
            404, f"there is nothing at {ask.path[:200]}; {ask.base}/openapi.json says what there is"
        )

    def _admit(self, ask: Ask) -> None:
        """Let the request pass, or say why not."""
        holder = "anybody"
        if self.tokens is not None:
            found = self.tokens.holder(ask.headers.get("authorization", ""))
            if found is None:
                raise Problem(
                    401,
                    "show a token: Authorization: Bearer …",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            holder = found
        if self.rate:
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

    # -- the routes

    def _create(self, ask: Ask) -> Answer:
        new = self._read(ask)
        order = Order(new.crawl or None, new.url or None, new.message, new.limits())
        job, is_new = self.jobs.create(order, new.id)
        return Answer(
            201 if is_new else 200,
            as_json(shown(job)),
            headers={"Location": f"{ask.base}/jobs/{job.id}"},
        )

    def _read(self, ask: Ask) -> NewJob:
        if len(ask.body) > self.body_max:
            raise Problem(413, f"the body of a request may have {self.body_max:,} bytes")
        if ask.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise Problem(415, f"the body of the request must be JSON, with Content-Type: {JSON}")
        try:
            said = json.loads(ask.body, parse_constant=_no_number)
            json.dumps(said, allow_nan=False)  # a number such as 1e999 has become infinite
        except (
            ValueError,
            RecursionError,
        ) as error:  # among them what is not UTF-8, and integers of 5,000 digits
            raise Problem(400, f"the body of the request is no JSON: {str(error)[:200]}") from None
        try:
            return NewJob.model_validate(said)
        except ValidationError as error:
            raise Problem(422, "the order is wrong", errors=_faults(error)) from None

    def _list(self, ask: Ask) -> Answer:
        given = self._query(ask, {"limit": re.compile(r"[0-9]{1,9}"), "cursor": PLACE})
        size = int(given.get("limit", PAGE_SIZE))
        if not 1 <= size <= PAGE_MAX:
            what = f"is not between 1 and {PAGE_MAX}"
            raise Problem(422, f"limit {what}", errors=[{"field": "limit", "what": what}])
        jobs, cursor = self.jobs.page(size, given.get("cursor"))
        return Answer(200, as_json({"jobs": list(map(shown, jobs)), "cursor": cursor}))

    def _get(self, ask: Ask, id: str) -> Answer:  # noqa: A002
        self._query(ask, {})
        return Answer(200, as_json(shown(self.jobs.get(id))))

    def _stop(self, ask: Ask, id: str) -> Answer:  # noqa: A002
        self._query(ask, {})
        job = self.jobs.stop(id)
        return Answer(200 if job.ended else 202, as_json(shown(job)))

    def _results(self, ask: Ask, id: str) -> Answer:  # noqa: A002
        after = self._query(ask, {"after": RESULT_PLACE}).get("after", "0")
        return Answer(
            200, (line.encode("utf-8", "replace") for line in self.jobs.results(id, after)), LINES
        )

    def _health(self, ask: Ask) -> Answer:
        self._query(ask, {})
        with redis_errors():
            self.jobs.redis.ping()
        return Answer(200, as_json({"status": "ok"}))

    def _openapi(self, ask: Ask) -> Answer:
        self._query(ask, {})
        document = describe_api(authenticated=self.tokens is not None)
        return Answer(200, as_json({**document, "servers": [{"url": ask.base or "/"}]}))

    def _query(self, ask: Ask, forms: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
        """The parameters of the query, each of its form, and none twice."""
        try:
            pairs = parse_qsl(ask.query, keep_blank_values=True, max_num_fields=20)
        except ValueError:
            raise Problem(422, "the query has too many parameters") from None
        given: dict[str, str] = {}
        for name, value in pairs:
            if name not in forms:
                there = f"; there are: {', '.join(forms)}" if forms else ""
                raise Problem(
                    422,
                    f"no parameter is named {name[:80]!r}{there}",
                    errors=[{"field": name[:80], "what": "is unknown"}],
                )
            if name in given or not forms[name].fullmatch(value):
                what = (
                    "is given twice"
                    if name in given
                    else f"is not of the form {forms[name].pattern}"
                )
                raise Problem(422, f"{name} {what}", errors=[{"field": name, "what": what}])
            given[name] = value
        return given


@contextmanager
def problems() -> Iterator[None]:
    """The one place where an error of the client becomes an answer."""
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
        raise Problem(
            503, "Redis is away; try again", headers={"Retry-After": str(RETRY_AFTER)}
        ) from error
    except CrawlerError as error:
        log.warning("503: %s", error)
        raise Problem(
            503, "this server cannot begin the job now", headers={"Retry-After": str(RETRY_AFTER)}
        ) from error


def shown(job: Job) -> dict[str, Json]:
    """A job as its clients see it. Times are UTC, to the millisecond; durations are seconds."""
    return {
        "id": job.id,
        "state": job.state,
        "status": job.status,
        "reason": job.reason,
        **job.order.record(),
        "counts": dict(job.counts),
        "created": utc(job.created),
        "started": utc(job.started),
        "finished": utc(job.finished),
        "waiting": round(job.waiting, 3),
        "processing": round(job.processing, 3),
    }


def utc(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 (RFC 3339)."""
    if seconds is None:
        return None
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def as_json(value: Json) -> bytes:
    """``value`` as bytes that any client reads; half characters stay escaped."""
    return json.dumps(value, separators=(",", ":")).encode()


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _faults(error: ValidationError) -> list[dict[str, str]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "field": ".".join(map(str, one["loc"]))[:200],
            "what": one["msg"].removeprefix("Value error, "),
        }
        for one in found
    ]
