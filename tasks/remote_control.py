"""Answers of a worker to remote control: JSON, and without passwords, for Flower and ``inspect``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from celery import bootsteps
from celery.worker import control, pidbox

from ..model import Json
from ..redaction import masked

#: Names of values that no answer shows.
SECRET = re.compile(r"passw|secret|token|credential", re.IGNORECASE)
#: What stands for such a value.
MASK = "***"


class MaskedAnswers(bootsteps.StartStopStep):  # type: ignore[misc, unused-ignore]
    """Lets one consumer answer by :func:`answer`; Celery's own table of commands stays as it is.

    Kombu takes the URL of a socket for a host's name, and its options for Sentinels hold their
    password, and objects that are no JSON: ``inspect stats`` would show the one, and fail for the
    other.
    """

    requires = ("celery.worker.consumer.control:Control",)

    def start(self, parent: Any) -> None:
        """Wrap the commands of the consumer ``parent``, which has just connected."""
        for step in parent.steps:
            box = getattr(step, "box", None)
            if isinstance(box, pidbox.Pidbox):
                box.node.handlers = {
                    name: as_answer(command) for name, command in control.Panel.data.items()
                }


def as_answer(command: Callable[..., Any]) -> Callable[..., Json]:
    """Return ``command`` such that what it gives can be sent and shown."""

    @wraps(command)
    def answering(*args: Any, **options: Any) -> Json:
        return answer(command(*args, **options))

    return answering


def answer(value: Any, name: str = "") -> Json:
    """Return ``value`` as JSON, with passwords masked; ``name`` is what it is called where it is."""
    if isinstance(value, Mapping):
        return {str(key): answer(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [answer(one, name) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if name and SECRET.search(name):
        return MASK
    return value if isinstance(value, int | float) else masked(str(value))
