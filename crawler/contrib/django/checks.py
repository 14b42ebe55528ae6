"""``manage.py check``: faults of the project's settings for crawls, and of its apps' crawls."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from django.conf import settings as project
from django.core import checks
from django.urls import get_resolver

from ...api.tokens import Tokens
from ...config import SettingsError, django
from ...config import settings as configuration
from ...config.settings import TOKEN, Settings
from ...definition.loading import load_all
from ...errors import CrawlerError, SetupError
from ...redaction import masked

#: The name of the URLs of the jobs API.
JOBS_URL = "crawler-jobs"


@checks.register("crawler")
def check_project(**_: Any) -> list[checks.CheckMessage]:
    """Return every fault that shows without Redis."""
    try:
        settings = configuration.load()
    except SettingsError as error:
        return [checks.Error(masked(str(error)), id="crawler.E001")]
    return [*_settings(settings), *_crawls(settings), *_celery(settings), *_jobs(settings)]


def _settings(settings: Settings) -> list[checks.CheckMessage]:
    faults: list[checks.CheckMessage] = []
    if not settings.redis_url:
        faults.append(
            checks.Warning(
                "no Redis is named for crawls",
                hint='CRAWLER = {"REDIS_URL": "redis://localhost:6379/0"}',
                id="crawler.W001",
            )
        )
    ours = [f"CRAWLER_{name.upper()}" for name in Settings.model_fields]
    for name in django.misspelt(Settings.model_fields):
        near = difflib.get_close_matches(name, ours, 1)
        faults.append(
            checks.Warning(
                f"{name} is no setting",
                hint=f"Did you mean {near[0]}?" if near else None,
                id="crawler.W002",
            )
        )
    return faults


def _crawls(settings: Settings) -> list[checks.CheckMessage]:
    try:
        load_all(settings.crawls)
    except CrawlerError as error:
        return [checks.Error(str(error), id="crawler.E002")]
    return []


def _jobs(settings: Settings) -> list[checks.CheckMessage]:
    """Return why nobody can use the jobs API that is among the project's URLs."""
    if not getattr(project, "ROOT_URLCONF", None) or not _has_jobs(get_resolver().url_patterns):
        return []
    try:
        Tokens.load(settings.api_tokens, settings.api_tokens_file, TOKEN)
    except SetupError as error:
        return [checks.Error(masked(str(error)), id="crawler.E003")]
    return []


def _has_jobs(patterns: Iterable[Any]) -> bool:
    return any(
        getattr(pattern, "name", None) == JOBS_URL
        or _has_jobs(getattr(pattern, "url_patterns", ()))
        for pattern in patterns
    )


def _celery(settings: Settings) -> list[checks.CheckMessage]:
    """Return the settings that keep our messages from a worker of the project's own Celery app."""
    options = getattr(project, "CELERY_BROKER_TRANSPORT_OPTIONS", None) or {}
    prefix = options.get("global_keyprefix", "")
    faults: list[checks.CheckMessage] = []
    if (
        getattr(project, "CELERY_BROKER_URL", None) == settings.broker_url
        and prefix != settings.key_prefix
    ):
        faults.append(
            checks.Warning(
                f"the broker's global_keyprefix is {prefix!r} for the project and"
                f" {settings.key_prefix!r} for crawls",
                hint="A worker of the project sees no crawl unless CRAWLER_KEY_PREFIX is the same.",
                id="crawler.W003",
            )
        )
    if "json" not in getattr(project, "CELERY_ACCEPT_CONTENT", ["json"]):
        faults.append(
            checks.Warning(
                "CELERY_ACCEPT_CONTENT refuses JSON, of which our messages are",
                hint='Add "json" to it.',
                id="crawler.W004",
            )
        )
    faults += [
        checks.Warning(
            f"{name} is off, so a worker ends when its broker is away",
            hint="Set it to True: workers then wait, and go on by themselves.",
            id="crawler.W005",
        )
        for name in ("CELERY_BROKER_CONNECTION_RETRY", "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP")
        if getattr(project, name, True) is False
    ]
    return faults
