"""A worker's answers to remote control as JSON without passwords, for Flower and ``inspect``."""

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
#: The text that stands for such a value.
MASK = "***"


class MaskedAnswers(bootsteps.StartStopStep):  # type: ignore[misc, unused-ignore]
    """Passes the answers of one consumer through :func:`masked_answer`.

    Celery's own table of commands stays as it is. The answer to ``inspect stats`` needs it most:
    kombu takes the URL of a socket for the name of a host, and would show its password; and its
    options for Sentinels hold a password, and objects that are no JSON.
    """

    requires = ("celery.worker.consumer.control:Control",)

    def start(self, parent: Any) -> None:
        """Wrap the commands of the consumer ``parent``, which has just connected."""
        for step in parent.steps:
            box = getattr(step, "box", None)
            if isinstance(box, pidbox.Pidbox):
                box.node.handlers = {
                    name: with_masked_answer(command)
                    for name, command in control.Panel.data.items()
                }


def with_masked_answer(command: Callable[..., Any]) -> Callable[..., Json]:
    """Return ``command`` such that its answer is JSON without passwords."""

    @wraps(command)
    def masked_command(*args: Any, **options: Any) -> Json:
        return masked_answer(command(*args, **options))

    return masked_command


def masked_answer(value: Any, name: str = "") -> Json:
    """Return ``value`` as JSON with its passwords masked; ``name`` is its key, if it has one."""
    if isinstance(value, Mapping):
        return {str(key): masked_answer(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked_answer(part, name) for part in value]
    if value is None or isinstance(value, bool):
        return value
    if name and SECRET.search(name):
        return MASK
    return value if isinstance(value, int | float) else masked(str(value))
