"""Settings that a Django project gives: ``CRAWLER = {"REDIS_URL": …}``, or ``CRAWLER_REDIS_URL =
…``, in its settings module.

They count where the project has ``crawler.contrib.django`` among its apps, in every process that
belongs to it, also in a worker of our own Celery app (by ``DJANGO_SETTINGS_MODULE``). A variable of
the environment comes before them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

APP = "crawler.contrib.django"
MODULE = "DJANGO_SETTINGS_MODULE"
#: The module of an app that holds its crawls.
CRAWLS = "crawls"


class ProjectError(ValueError):
    """The project's settings cannot be read, or ``CRAWLER`` in them is no table. One line."""


def project() -> Any:
    """Return the settings of the Django project that this process belongs to; None if there is no
    project, or it has not our app.

    Raises:
        ProjectError: ``DJANGO_SETTINGS_MODULE`` names a module that does not import.
    """
    named = os.environ.get(MODULE)
    if not named and "django.conf" not in sys.modules:
        return None
    try:
        from django.conf import settings
    except ImportError:  # the variable is somebody else's
        return None
    if not settings.configured:
        if not named:
            return None
        if "" not in sys.path and str(Path.cwd()) not in sys.path:  # as manage.py and celery do
            sys.path.insert(0, str(Path.cwd()))
    try:
        installed = settings.INSTALLED_APPS
    except Exception as error:  # whatever a module of settings may raise
        first = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ProjectError(
            f"{MODULE}: {named} does not import, {first} (run this in the project's folder, or"
            " unset it)"
        ) from error
    return settings if any(app == APP or app.startswith(f"{APP}.") for app in installed) else None


def set_up() -> None:
    """Set up Django, for a command of ours in the folder of a project: the crawls of its apps are
    found only then. Without a project, nothing is done.

    Raises:
        ProjectError: the project cannot be set up.
    """
    if project() is None:
        return
    import django
    from django.apps import apps

    if not apps.ready:
        try:
            django.setup()
        except Exception as error:  # whatever a project's app may raise
            first = f"{type(error).__name__}: {error}".partition("\n")[0]
            named = os.environ.get(MODULE)
            raise ProjectError(f"{MODULE}: {named} cannot be set up, {first}") from error


def values(fields: Collection[str], brokers: Collection[str]) -> dict[str, Any]:
    """Return the project's values of our settings, whose names are ``fields``; empty if there is no
    project.

    The broker is the project's own (``CELERY_BROKER_URL``) unless ``CRAWLER`` names one, if its
    scheme is among ``brokers``.
    """
    settings = project()
    if settings is None:
        return {}
    table = getattr(settings, "CRAWLER", {})
    if not isinstance(table, Mapping):
        raise ProjectError(
            'CRAWLER: must be a dict (for example: {"REDIS_URL": "redis://localhost:6379/0"})'
        )
    ours: dict[str, Any] = {
        field: getattr(settings, f"CRAWLER_{field.upper()}", None) for field in fields
    }
    ours |= {str(name).lower(): value for name, value in table.items()}
    ours = {name: value for name, value in ours.items() if value not in (None, "")}
    broker = getattr(settings, "CELERY_BROKER_URL", None)
    if isinstance(broker, str) and broker.partition("://")[0] in brokers:
        ours.setdefault("broker_url", broker)
    crawls = ours.get("crawls", ())
    if isinstance(crawls, str):
        crawls = tuple(part for part in map(str.strip, crawls.split(",")) if part)
    ours["crawls"] = (*crawls, *(name for name in discovered() if name not in crawls))
    return ours


def discovered() -> Iterator[str]:
    """Yield the ``crawls`` modules of the project's apps, once Django has loaded these."""
    from django.apps import apps

    if apps.ready:
        for app in apps.get_app_configs():
            name = f"{app.name}.{CRAWLS}"
            if find_spec(name) is not None:
                yield name


def misspelt(fields: Collection[str]) -> list[str]:
    """Return names in the project's settings that begin as ours do, and are no settings."""
    settings = project()
    return [
        name
        for name in dir(settings)
        if name.startswith("CRAWLER_") and name.removeprefix("CRAWLER_").lower() not in fields
    ]
