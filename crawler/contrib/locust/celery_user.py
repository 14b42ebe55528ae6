"""A user of any Celery app."""

from __future__ import annotations

from locust import User  # first: it makes the standard library cooperate

# isort: split
from typing import Any, ClassVar

from celery import Celery

from .celery_client import CeleryClient


class CeleryUser(User):
    """Sends tasks by its ``client`` (:class:`CeleryClient`), and waits for their results.

    Beside the row ``celery`` of each task, Locust's table gets the rows ``QUEUE``, from sending it
    to its start, and ``RUN``, from there to its end, where a worker tells of them.
    """

    abstract = True

    #: An app of one's own, for its serializers, routes and prefixes. None: one is made of the
    #: options alone, which go first.
    app: ClassVar[Celery | None] = None

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.client = CeleryClient(environment, self.app, self.context)
