"""The jobs API as URLs of a Django project.

    path("crawler/", include("crawler.contrib.django.jobs"))

Its clients show one of ``CRAWLER_API_TOKENS``, as with the stand-alone server; sessions, cookies
and CSRF tokens do not count.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import UnreadablePostError
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from ...api.api import SAFE_HEADERS, Api, ApiRequest, Problem
from ...config import SettingsError
from ...config import settings as configuration
from ...config.settings import Settings
from ...errors import CrawlerError
from ...observe.logs import logger

log = logger(__name__)


def api() -> Api:
    """Return the API of this process. Its connections are kept from request to request.

    Raises:
        ImproperlyConfigured: there is no token, or no Redis is configured.
    """
    try:
        return _api(configuration.load(), os.getpid())
    except (CrawlerError, SettingsError) as error:
        raise ImproperlyConfigured(str(error)) from error


@lru_cache(maxsize=4)
def _api(settings: Settings, pid: int) -> Api:  # noqa: ARG001 - a forked process must not share connections
    return Api.of(settings)


@csrf_exempt
@transaction.non_atomic_requests
def respond(request: HttpRequest, path: str) -> HttpResponse | StreamingHttpResponse:
    """Answer one request; ``path`` is the part of its path after the place of these URLs."""
    began = time.monotonic()
    try:
        jobs = api()
    except ImproperlyConfigured as error:
        log.error("the jobs API cannot answer (manage.py check): %s", error)
        problem = Problem(503, "this server is not set up; its log says why").response()
        return HttpResponse(
            problem.body, content_type=problem.type, status=503, headers=SAFE_HEADERS
        )
    query = request.META.get("QUERY_STRING", "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    base = request.path.removesuffix(f"/{path}")
    head = ApiRequest(request.method or "", f"/{path}", query, headers, base=base)
    if (response := jobs.refuse(head)) is None:
        try:
            body = request.read(jobs.body_max + 1)
        except UnreadablePostError:  # the client has gone
            return HttpResponse(status=400)
        response = jobs.answer(replace(head, body=body))
    ms = (time.monotonic() - began) * 1_000
    log.info("%s %s %s %.0f ms", request.method, quote(request.path), response.status, ms)
    return (HttpResponse if isinstance(response.body, bytes) else StreamingHttpResponse)(
        response.body,
        content_type=response.type,
        status=response.status,
        headers={**response.headers, **SAFE_HEADERS},
    )


urlpatterns = [
    re_path(r"^(?P<path>jobs(?:/(?s:.*))?|health|openapi\.json)\Z", respond, name="crawler-jobs")
]
