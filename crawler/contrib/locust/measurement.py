"""A row of Locust's table: one measurement, as Locust counts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent
from locust import events  # makes the standard library cooperate
from locust.env import Environment


@events.init.add_listener
def set_clock(**_: Any) -> None:
    """Have gevent read the clock: by its last look, before seconds of imports, ``--run-time`` would
    end early.
    """
    gevent.get_hub().loop.update_now()


def report(
    environment: Environment,
    kind: str,
    name: str,
    seconds: float,
    *,
    length: int = 0,
    error: BaseException | None = None,
    began: float | None = None,
    response: Any = None,
    context: Mapping[str, Any] | None = None,
) -> None:
    """Put a time into Locust's table, in the row of type ``kind`` and ``name``.

    ``length`` is bytes; ``began`` epoch seconds; None of ``error`` counts as a success.
    """
    environment.events.request.fire(
        request_type=kind,
        name=name,
        response_time=seconds * 1_000,
        response_length=length,
        exception=error,
        context=dict(context or {}),
        start_time=began,
        response=response,
        url=None,
    )
