"""The client of :class:`CeleryUser`: sends tasks, waits for their ends, and tells Locust."""

from __future__ import annotations

from locust.env import Environment  # first: it makes the standard library cooperate

# isort: split
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from celery import Celery
from kombu.exceptions import KombuError
from kombu.serialization import dumps

from .celery_options import CeleryOptions, make_app
from .measurement import report
from .task_hub import Call, TaskHub

#: The type of the row for a call.
CELERY = "celery"
#: Seconds that the end of Locust waits for connections to be left in order.
QUIT_WAIT = 5.0


class TaskTimeout(TimeoutError):
    """A task has not ended in time; it may end later."""


class TaskFailed(Exception):
    """A task has failed, and its worker told of the error as text only."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The end of a call. ``value`` is what the task returned; ``error`` is None unless it failed;
    ``seconds`` is the time from sending it to its end.
    """

    id: str
    value: Any
    error: BaseException | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the task succeeded."""
        return self.error is None


class CeleryClient:
    """Sends tasks by name to the app that the options describe."""

    def __init__(
        self,
        environment: Environment,
        project: Celery | None = None,
        context: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.environment, self.context = environment, context
        self.options = CeleryOptions.of(environment.parsed_options)
        self.hub = hub_of(environment, project, self.options)

    @property
    def app(self) -> Celery:
        """The Celery app, for all that is not measured."""
        return self.hub.app

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> TaskResult:
        """Send the task ``name``, wait for its end, and report it to Locust as a request.

        Its type is ``celery``, its name the task's. A task that raises or is revoked, a broker that
        takes no message, and a time-out (:class:`TaskTimeout`, after ``timeout`` seconds; None:
        ``--task-timeout``) are failures: they are counted, and are the ``error`` of what is
        returned. ``options`` are those of Celery's ``apply_async`` (priority, countdown …).
        """
        limit = self.options.task_timeout if timeout is None else timeout
        if chosen := queue or self.options.queue:
            options["queue"] = chosen
        call = self.hub.open(name)
        value: Any = None
        error: BaseException | None = None
        try:
            self.hub.publish(call, args, kwargs, options)
        except (KombuError, OSError) as failure:
            self.hub.drop(call)
            error, ended = failure, time.perf_counter()
        except BaseException:
            self.hub.drop(call)
            raise
        else:
            value, error, ended = self._outcome(call, limit)
        seconds = ended - call.sent_at
        result = TaskResult(call.id, value, error, seconds)
        # what is known by an event only has no value here
        known = error is None and "event" not in (call.meta or {})
        length = encoded_length(value) if known else 0
        report(
            self.environment,
            CELERY,
            name,
            seconds,
            length=length,
            error=error,
            began=call.sent,
            response=result,
            context=self.context(),
        )
        return result

    def _outcome(self, call: Call, limit: float) -> tuple[Any, BaseException | None, float]:
        """Wait for the end of ``call``: return its value, its error, and when it ended."""
        try:
            rest = call.sent_at + limit - time.perf_counter()
            if not call.arrival.wait(max(0.0, rest)):
                return None, TaskTimeout(f"no result within {limit:g} s"), time.perf_counter()
        finally:  # the user may be stopped meanwhile
            if call.meta is None:
                self.hub.abandon(call)
        value, error = result_of(call.meta or {})
        return value, error, call.ended or time.perf_counter()


def result_of(meta: Mapping[str, Any]) -> tuple[Any, BaseException | None]:
    """Return what a task gave, and its error, by its last state."""
    if "event" in meta:  # its result was kept nowhere: an event told of the end
        if meta["status"] == "SUCCESS":
            return None, None
        said = meta["event"].get("exception")
        return None, TaskFailed(str(said or meta["status"].lower()))
    value = meta.get("result")
    if meta.get("status") == "SUCCESS":
        return value, None
    return None, value if isinstance(value, BaseException) else TaskFailed(str(value))


def encoded_length(value: Any) -> int:
    """Return the bytes of a result as JSON; of one that is none, of its text."""
    try:
        _, _, text = dumps(value, serializer="json")
    except KombuError:
        text = str(value)
    return len(text.encode() if isinstance(text, str) else text)


Key = tuple[Celery | None, CeleryOptions]
_parting: list[TaskHub] = []
_hubs: WeakKeyDictionary[Environment, dict[Key, TaskHub]] = WeakKeyDictionary()


def hub_of(environment: Environment, project: Celery | None, options: CeleryOptions) -> TaskHub:
    """Return the hub that users with the same app and options share, until the test stops."""
    if environment not in _hubs:
        _hubs[environment] = {}
        environment.events.test_stop.add_listener(close_hubs)
        environment.events.quit.add_listener(join_hubs)
    hubs = _hubs[environment]
    key = (project, options)
    if key not in hubs:
        hubs[key] = TaskHub(environment, make_app(options, project), options)
    return hubs[key]


def close_hubs(environment: Environment, **_: Any) -> None:
    """End the hubs of a test; another test begins with new ones."""
    hubs = _hubs.get(environment, {})
    while hubs:
        hub = hubs.popitem()[1]
        hub.close()
        _parting.append(hub)


def join_hubs(**_: Any) -> None:
    """Let hubs that ended finish what they do, before the process ends."""
    gevent.joinall([hub.parting for hub in _parting if hub.parting], timeout=QUIT_WAIT)
    _parting.clear()
