"""The description of the API, as OpenAPI 3.1."""

from __future__ import annotations

from functools import cache

from ..client.standstill import Reason
from ..model import CRAWL_NAME, Json
from ..version import __version__
from .job import ID, LIMITS
from .schemas import NUMBER, PAGE_MAX, PAGE_SIZE, PLACE, RESULT_PLACE, WAIT_MAX, order_schema

#: By status: every response other than success.
PROBLEMS = {
    400: "The body is no JSON.",
    401: "No token of this server was shown.",
    403: "The URL is at a private address, or this server answers to another name.",
    404: "There is no such job, or no such crawl.",
    408: "The body of the request did not arrive in time.",
    409: "The id is taken by another order, or the job is about to begin.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    422: "The request is not of the right form; `errors` says where.",
    429: "Too many requests with this token.",
    503: "Redis is away, or did not answer in time.",
}
#: The counts of a job.
COUNTS = {
    "accepted": "Pages that are known.",
    "queued": "Pages that wait.",
    "delayed": "Pages that wait for another attempt.",
    "processing": "Pages in flight.",
    "done": "Pages that are done.",
    "failed": "Pages that failed.",
    "delivering": "Results and failures on their way to hooks.",
    "undelivered": "Results and failures that no hook took.",
}


JOB = {"$ref": "#/components/schemas/Job"}
#: Statuses that every operation may answer with.
ALWAYS = (403, 503)


@cache
def describe_api(*, authenticated: bool) -> dict[str, Json]:
    """Return the document, without its ``servers``. ``authenticated``: clients show a token."""
    admitted = (*((401,) if authenticated else ()), 422, 429, *ALWAYS)
    components: dict[str, Json] = {"schemas": component_schemas()}
    document: dict[str, Json] = {
        "openapi": "3.1.0",
        "info": {
            "title": "celery-crawler jobs",
            "version": __version__,
            "description": "Order crawls, follow them, stop them, and read what they gave.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            "/jobs": {"get": list_jobs(admitted), "post": create_job(admitted)},
            "/jobs/{id}": {
                "parameters": [_ID],
                "get": get_job(admitted),
                "delete": stop_job(admitted),
            },
            "/jobs/{id}/results": {"parameters": [_ID], "get": get_results(admitted)},
            "/jobs/{id}/failed": {
                "parameters": [_ID],
                "get": get_failed(admitted),
                "post": retry(admitted),
            },
            "/jobs/{id}/undelivered": {
                "parameters": [_ID],
                "get": get_undelivered(admitted),
                "post": redeliver(admitted),
            },
            "/health": {"get": health()},
            "/openapi.json": {"get": describe()},
        },
        "components": components,
    }
    if authenticated:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _paging(cursor: str) -> list[dict[str, Json]]:
    """Return the parameters of a list that is given in pages; ``cursor`` is the form of a place."""
    limit = {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_SIZE}
    return [
        _parameter("limit", limit, "How many."),
        _parameter("cursor", _text(cursor), "Where to go on: the cursor of the page before."),
    ]


# -- operations: each has the statuses that a request for jobs may be refused with, ``admitted``


def list_jobs(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that lists jobs."""
    page = _json("A page of jobs.", {"$ref": "#/components/schemas/Page"})
    return {
        "operationId": "listJobs",
        "summary": "The jobs, the youngest first",
        "parameters": _paging(PLACE.pattern),
        "responses": {"200": page, **_problems(*admitted)},
    }


def create_job(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that begins a job."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/NewJob"}}}
    before = "It was begun before, by the same order with the same id."
    return {
        "operationId": "createJob",
        "summary": "Begin a job",
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": _located(before),
            "201": _located("It is begun."),
            **_problems(400, 404, 408, 409, 413, 415, *admitted),
        },
    }


def get_job(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that looks at a job."""
    wait = {"type": "integer", "minimum": 0, "maximum": WAIT_MAX, "default": 0}
    text = "Seconds to wait for its end. Where too many wait, the response comes at once."
    return {
        "operationId": "getJob",
        "summary": "Where a job stands",
        "parameters": [_parameter("wait", wait, text)],
        "responses": {"200": _json("The job.", JOB), **_problems(404, *admitted)},
    }


def stop_job(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that stops a job."""
    return {
        "operationId": "stopJob",
        "summary": "Stop a job: no further page is begun. To repeat it is harmless",
        "responses": {
            "200": _json("It has ended, now or before.", JOB),
            "202": _json("It ends when its pages in flight have ended.", JOB),
            **_problems(404, 409, *admitted),
        },
    }


def get_results(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that reads results."""
    after = "The `place` of the last line that was seen."
    lines = {
        "description": "The lines, in the order in which the pages were done.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
    return {
        "operationId": "getResults",
        "summary": "What a job's pages gave so far, one line of JSON each",
        "parameters": [_parameter("after", _text(RESULT_PLACE.pattern), after)],
        "responses": {"200": lines, **_problems(404, *admitted)},
    }


def get_failed(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that lists failed pages."""
    part = _json("A part of them.", {"$ref": "#/components/schemas/FailedPages"})
    return {
        "operationId": "getFailed",
        "summary": "The pages of a job that failed, the oldest first",
        "parameters": _paging(NUMBER.pattern),
        "responses": {"200": part, **_problems(404, *admitted)},
    }


def retry(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that tries failed pages again."""
    return {
        "operationId": "retryFailed",
        "summary": "Try all failed pages of a job again; one that has ended goes on",
        "responses": {
            "202": _json("They wait in its queue.", JOB),
            **_problems(404, 409, *admitted),
        },
    }


def get_undelivered(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that reads what no hook took."""
    lines = {
        "description": "The lines, the oldest first: hook, url, attempts, reason, at, handed.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
    return {
        "operationId": "getUndelivered",
        "summary": "Results and failures that no hook took, one line of JSON each",
        "responses": {"200": lines, **_problems(404, *admitted)},
    }


def redeliver(admitted: tuple[int, ...]) -> dict[str, Json]:
    """Return the operation that calls hooks again."""
    return {
        "operationId": "redeliver",
        "summary": "Call the hooks again that gave up. To repeat it is harmless",
        "responses": {
            "202": _json("They are called with the next tick of a worker.", JOB),
            **_problems(404, 409, *admitted),
        },
    }


def health() -> dict[str, Json]:
    """Return the operation that probes the server."""
    status = {
        "enum": ["ok", "no worker"],
        "description": "no worker: jobs are taken, and wait for one.",
    }
    workers = {"type": "integer", "minimum": 0, "description": "Workers that are alive."}
    well = _json("They do.", _object({"status": status, "workers": workers}))
    return {
        "operationId": "health",
        "summary": "Whether this server and its Redis answer, and how many workers are alive",
        "security": [],
        "responses": {"200": well, **_problems(422, *ALWAYS)},
    }


def describe() -> dict[str, Json]:
    """Return the operation that gives this document."""
    return {
        "operationId": "describe",
        "summary": "This description",
        "security": [],
        "responses": {"200": _json("It.", {"type": "object"}), **_problems(422, *ALWAYS)},
    }


# -- schemas


def component_schemas() -> dict[str, Json]:
    """Return the schemas that operations refer to."""
    order = order_schema()
    return {
        "NewJob": order,
        "Job": job_schema(order["properties"]),
        "Page": _object(
            {
                "jobs": {"type": "array", "items": JOB},
                "cursor": {
                    "type": ["string", "null"],
                    "description": "Where to go on; null: this is the end.",
                },
            }
        ),
        "FailedPages": failed_schema(),
        "Problem": problem_schema(),
    }


def standstill_schema() -> dict[str, Json]:
    """Return the schema of the reason for which a job stands still."""
    time = {"type": ["string", "null"], "format": "date-time"}
    return _object(
        {
            "reason": {"enum": [str(reason) for reason in Reason]},
            "says": {"type": "string"},
            "mend": {"type": "string"},
            "since": time,
            "until": time,
        }
    )


def job_schema(order: dict[str, Json]) -> dict[str, Json]:
    """Return the schema of a job; ``order`` has the schemas of the limits that it may set."""
    time = {"type": ["string", "null"], "format": "date-time"}
    seconds = {"type": "number", "minimum": 0}
    frontier_status = "The word of its frontier; null: it has none (yet)."
    return _object(
        {
            "id": _text(ID.pattern),
            "state": {"enum": ["new", "running", "done", "failed", "stopped"]},
            "status": {"type": ["string", "null"], "description": frontier_status},
            "reason": {"type": ["string", "null"], "description": "Why it ended."},
            "crawl": {"type": ["string", "null"], "pattern": f"^{CRAWL_NAME.pattern}$"},
            "url": {"type": ["string", "null"]},
            "message": {"description": "As it was ordered."},
            "limits": {
                "type": "object",
                "properties": {name: order[name] for name in LIMITS},
                "additionalProperties": False,
            },
            "webhook": {"anyOf": [{"type": "null"}, webhook_schema()]},
            "standstill": {
                "anyOf": [{"type": "null"}, standstill_schema()],
                "description": "Why it stands still; null: it does not, or not this job was asked.",
            },
            "counts": _object(
                {
                    name: {"type": "integer", "minimum": 0, "description": description}
                    for name, description in COUNTS.items()
                }
            ),
            "created": {"type": "string", "format": "date-time"},
            "started": {**time, "description": "When its first page was handed to a worker."},
            "finished": time,
            "waiting": {**seconds, "description": "Seconds from created to started."},
            "processing": {
                **seconds,
                "description": "Seconds from started to finished, or to now.",
            },
        }
    )


def webhook_schema() -> dict[str, Json]:
    """Return the schema of a job's webhook."""
    states = ["waiting", "pending", "delivered", "failed"]
    last = "Why the last attempt failed."
    return _object(
        {
            "url": {"type": "string"},
            "state": {"enum": states, "description": "failed: no attempt is made any more."},
            "attempts": {"type": "integer", "minimum": 0},
            "reason": {"type": ["string", "null"], "description": last},
            "at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the last attempt was made.",
            },
        }
    )


def failed_schema() -> dict[str, Json]:
    """Return the schema of a part of the failed pages of a job."""
    page = _object(
        {
            "id": {"type": "string"},
            "url": {"type": "string"},
            "reason": {"type": "string"},
            "status": {
                "type": ["integer", "null"],
                "description": "Of HTTP; null: there was none.",
            },
            "attempts": {"type": "integer", "minimum": 0},
            "depth": {"type": "integer", "minimum": 0},
        }
    )
    page["properties"] |= {
        "route": {"type": "string", "description": "That its link named, if it did."},
        "data": {"type": "object", "description": "That its link brought, if it did."},
        "form": {"type": "object", "description": "That was submitted, if it is a form."},
    }
    cursor = {"type": ["string", "null"], "description": "Where to go on; null: this is the end."}
    return _object({"failed": {"type": "array", "items": page}, "cursor": cursor})


def problem_schema() -> dict[str, Json]:
    """Return the schema of a problem (RFC 9457); ``errors`` may be absent."""
    fault = _object({"field": {"type": "string"}, "what": {"type": "string"}})
    schema = _object(
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        }
    )
    schema["properties"]["errors"] = {"type": "array", "items": fault}
    return schema


# -- parts of operations and schemas


def _object(properties: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text(pattern: str) -> dict[str, Json]:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _parameter(name: str, schema: dict[str, Json], description: str) -> dict[str, Json]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": description,
    }


_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": _text(ID.pattern),
    "description": "The id of a job.",
}


def _json(description: str, schema: dict[str, Json]) -> dict[str, Json]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _located(description: str) -> dict[str, Json]:
    """Return the response with a new job: it says where the job is, and what can be asked of it."""
    location = {"required": True, "schema": {"type": "string"}, "description": "Where the job is."}
    links = {
        name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
        for name in (
            "getJob",
            "stopJob",
            "getResults",
            "getFailed",
            "retryFailed",
            "getUndelivered",
            "redeliver",
        )
    }
    return {**_json(description, JOB), "headers": {"Location": location}, "links": links}


def _problems(*statuses: int) -> dict[str, Json]:
    text = {"required": True, "schema": {"type": "string"}}
    headers = {
        401: {"WWW-Authenticate": text},
        429: {"Retry-After": {**text, "description": "Seconds."}},
    }
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {
            "description": PROBLEMS[status],
            "content": content,
            **({"headers": headers[status]} if status in headers else {}),
        }
        for status in sorted(statuses)
    }
