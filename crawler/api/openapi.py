"""The description of the API: OpenAPI 3.1."""

from __future__ import annotations

from functools import cache

from ..model import CRAWL_NAME, Json
from ..version import __version__
from .jobs import ID, LIMITS
from .schemas import PAGE_MAX, PAGE_SIZE, PLACE, RESULT_PLACE, schema

#: Every answer other than success.
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
COUNTS = {
    "accepted": "Pages that are known.",
    "queued": "Pages that wait.",
    "delayed": "Pages that wait for another attempt.",
    "processing": "Pages in flight.",
    "done": "Pages that are done.",
    "failed": "Pages that failed.",
}


@cache
def describe_api(*, authenticated: bool) -> dict[str, Json]:
    """The whole document, but for its ``servers``."""
    always = (403, 503)
    admitted = (*((401,) if authenticated else ()), 422, 429, *always)
    job = {"$ref": "#/components/schemas/Job"}
    at = [
        {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": _text(ID.pattern),
            "description": "The id of a job.",
        }
    ]
    paths = {
        "/jobs": {
            "get": {
                "operationId": "listJobs",
                "summary": "The jobs, the youngest first",
                "parameters": [
                    _parameter(
                        "limit",
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": PAGE_MAX,
                            "default": PAGE_SIZE,
                        },
                        "How many.",
                    ),
                    _parameter(
                        "cursor",
                        _text(PLACE.pattern),
                        "Where to go on: the cursor of the page before.",
                    ),
                ],
                "responses": {
                    "200": _json("A page of jobs.", {"$ref": "#/components/schemas/Page"}),
                    **_problems(*admitted),
                },
            },
            "post": {
                "operationId": "createJob",
                "summary": "Begin a job",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/NewJob"}}
                    },
                },
                "responses": {
                    "200": _located(
                        "It was begun before, by the same order with the same id.", job, links=True
                    ),
                    "201": _located("It is begun.", job, links=True),
                    **_problems(400, 404, 408, 409, 413, 415, *admitted),
                },
            },
        },
        "/jobs/{id}": {
            "parameters": at,
            "get": {
                "operationId": "getJob",
                "summary": "Where a job stands",
                "responses": {"200": _json("The job.", job), **_problems(404, *admitted)},
            },
            "delete": {
                "operationId": "stopJob",
                "summary": "Stop a job: no further page is begun. To repeat it is harmless",
                "responses": {
                    "200": _json("It has ended, now or before.", job),
                    "202": _json("It ends when its pages in flight have ended.", job),
                    **_problems(404, 409, *admitted),
                },
            },
        },
        "/jobs/{id}/results": {
            "parameters": at,
            "get": {
                "operationId": "getResults",
                "summary": "What a job's pages gave so far, one line of JSON each",
                "parameters": [
                    _parameter(
                        "after",
                        _text(RESULT_PLACE.pattern),
                        "The `place` of the last line that was seen.",
                    )
                ],
                "responses": {
                    "200": {
                        "description": "The lines, in the order in which the pages were done.",
                        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
                    },
                    **_problems(404, *admitted),
                },
            },
        },
        "/health": {
            "get": {
                "operationId": "health",
                "summary": "Whether this server and its Redis answer",
                "security": [],
                "responses": {
                    "200": _json("They do.", _object({"status": {"const": "ok"}})),
                    **_problems(422, *always),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "describe",
                "summary": "This description",
                "security": [],
                "responses": {"200": _json("It.", {"type": "object"}), **_problems(422, *always)},
            }
        },
    }
    components: dict[str, Json] = {"schemas": _schemas()}
    document: dict[str, Json] = {
        "openapi": "3.1.0",
        "info": {
            "title": "celery-crawler jobs",
            "version": __version__,
            "description": "Order crawls, follow them, stop them, and read what they gave.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": components,
    }
    if authenticated:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _schemas() -> dict[str, Json]:
    order = schema()["properties"]
    time, seconds = (
        {"type": ["string", "null"], "format": "date-time"},
        {"type": "number", "minimum": 0},
    )
    job = {
        "id": _text(ID.pattern),
        "state": {"enum": ["new", "running", "done", "failed", "stopped"]},
        "status": {
            "type": ["string", "null"],
            "description": "The word of its frontier; null: it has none (yet).",
        },
        "reason": {"type": ["string", "null"], "description": "Why it ended."},
        "crawl": {"type": ["string", "null"], "pattern": f"^{CRAWL_NAME.pattern}$"},
        "url": {"type": ["string", "null"]},
        "message": {"description": "As it was ordered."},
        "limits": {
            "type": "object",
            "properties": {name: order[name] for name in LIMITS},
            "additionalProperties": False,
        },
        "counts": _object(
            {
                name: {"type": "integer", "minimum": 0, "description": said}
                for name, said in COUNTS.items()
            }
        ),
        "created": {"type": "string", "format": "date-time"},
        "started": {**time, "description": "When its first page was handed to a worker."},
        "finished": time,
        "waiting": {**seconds, "description": "Seconds from created to started."},
        "processing": {**seconds, "description": "Seconds from started to finished, or to now."},
    }
    problem = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    }
    fault = _object({"field": {"type": "string"}, "what": {"type": "string"}})
    whole = _object(problem)
    whole["properties"]["errors"] = {"type": "array", "items": fault}
    return {
        "NewJob": schema(),
        "Job": _object(job),
        "Page": _object(
            {
                "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
                "cursor": {
                    "type": ["string", "null"],
                    "description": "Where to go on; null: this is the end.",
                },
            }
        ),
        "Problem": whole,
    }


def _object(properties: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text(pattern: str) -> dict[str, Json]:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _parameter(name: str, form: dict[str, Json], description: str) -> dict[str, Json]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": form,
        "description": description,
    }


def _json(description: str, form: dict[str, Json]) -> dict[str, Json]:
    return {"description": description, "content": {"application/json": {"schema": form}}}


def _located(description: str, form: dict[str, Json], *, links: bool) -> dict[str, Json]:
    answer = _json(description, form)
    answer["headers"] = {
        "Location": {
            "required": True,
            "schema": {"type": "string"},
            "description": "Where the job is.",
        }
    }
    if links:
        answer["links"] = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
            for name in ("getJob", "stopJob", "getResults")
        }
    return answer


def _problems(*statuses: int) -> dict[str, Json]:
    headers = {
        401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
        429: {
            "Retry-After": {
                "required": True,
                "schema": {"type": "string"},
                "description": "Seconds.",
            }
        },
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
