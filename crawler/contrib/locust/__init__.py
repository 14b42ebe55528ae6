"""Users for Locust, the load generator, that report the times of tasks, jobs and pages: not only
those of requests. It needs the extra ``load``.

Belongs here: users, their clients, and the options that they add to Locust's command. Does not:
anything that runs without Locust. A name is imported when it is asked for: that imports Locust,
which makes the standard library of its process cooperate (gevent).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .celery_client import CeleryClient as CeleryClient
    from .celery_client import TaskResult as TaskResult
    from .celery_client import TaskTimeout as TaskTimeout
    from .celery_user import CeleryUser as CeleryUser
    from .crawler_user import CrawlerUser as CrawlerUser
    from .jobs_user import JobsUser as JobsUser

_MODULES = {
    "CeleryClient": "celery_client",
    "CeleryUser": "celery_user",
    "CrawlerUser": "crawler_user",
    "JobsUser": "jobs_user",
    "TaskResult": "celery_client",
    "TaskTimeout": "celery_client",
}

__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    """Import the module of a user when it is asked for; only then its options are added."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
