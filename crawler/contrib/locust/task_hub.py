"""What the Celery users of one process share: the app, the tasks that are under way, and whom they
hear of their ends from.

One greenlet receives for all; a user waits for its own task only.
"""

from __future__ import annotations

from locust.env import Environment  # first: it makes the standard library cooperate

# isort: split
import secrets
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import gevent
from celery import Celery
from celery.states import READY_STATES
from gevent.event import Event

from ...observe.logs import logger
from .celery_options import ENABLE, OFF, CeleryOptions
from .measurement import report
from .task_events import EventSwitch, Mailbox
from .task_record import TaskRecord
from .task_results import Meta, NoResults, Replies, source_of

log = logger(__name__)

#: Seconds that the first call waits for the connections on which ends arrive.
READY_WAIT = 3.0
#: Seconds for which the result of a task is waited for whose end was told by an event: after them,
#: its app is taken to keep none.
RESULT_GRACE = 1.0
#: Seconds for which events of a task are waited for after its result.
EVENT_GRACE = 5.0
#: Seconds from the beginning after which workers that sent no event are taken to send none.
EVENTS_WAIT = 10.0
#: Seconds at the end of a test for events that have not arrived. A distributed Locust waits for the
#: last numbers of its workers for no more than half a second.
END_GRACE = 0.2
#: Seconds after it for late results, which are to be deleted.
PART_WAIT = 1.0
#: Tasks that did not end in time, whose late ends are still taken: the youngest.
LATE_MAX = 10_000
#: Seconds between two looks at what is to be given up.
SWEEP_INTERVAL = 0.5
#: The events that tell of the end of a task, and the state that they mean.
ENDS = {
    "task-succeeded": "SUCCESS",
    "task-failed": "FAILURE",
    "task-revoked": "REVOKED",
    "task-rejected": "REJECTED",
}


class Call(TaskRecord):
    """A task that a user waits for."""

    __slots__ = ("arrival", "event_end", "meta")

    def __init__(self, id: str, name: str) -> None:  # noqa: A002
        super().__init__(id, name, time.time(), time.perf_counter())
        self.arrival = Event()
        #: Its last state; None: it has not ended.
        self.meta: Meta | None = None
        #: The end that an event told, and when: it counts if no result comes.
        self.event_end: tuple[Meta, float] | None = None


class _Unused:
    """Stands for Celery's AsyncResult, which would use the backend by itself."""

    def __init__(self, id: str) -> None:  # noqa: A002
        self.id = id


class TaskHub:
    """The tasks under way of one process."""

    def __init__(self, environment: Environment, app: Celery, options: CeleryOptions) -> None:
        self.environment, self.app, self.options = environment, app, options
        # ids are UUIDs that begin alike, so that Redis can be asked for all of them at once
        self.prefix = f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-4"
        self.calls: dict[str, Call] = {}
        #: Tasks that nobody waits for any more.
        self.late: deque[str] = deque()
        #: Tasks whose results are to be deleted.
        self.ended: list[str] = []
        #: Names of tasks that keep no result.
        self.resultless: set[str] = set()
        #: Some worker sends the events of tasks.
        self.has_events = False
        self.warned: set[str] = set()
        self.results = source_of(app, self.prefix, self._take, self._waiting)
        replies = isinstance(self.results, Replies)
        listens = options.task_events != OFF
        self.mailbox = Mailbox(
            app,
            self.prefix,
            self._event if listens else None,
            (lambda body: self._take(self.results.decode(body), True)) if replies else None,
        )
        self.switch = EventSwitch(app)
        self.greenlets = [gevent.spawn(self.results.run), gevent.spawn(self._sweep)]
        if listens or replies:
            self.greenlets.append(gevent.spawn(self.mailbox.run))
        else:
            self.mailbox.ready.set()
        if options.task_events == ENABLE:
            self.greenlets.append(gevent.spawn(self.switch.run))
        else:
            self.switch.ready.set()
        self.born = time.monotonic()
        self.parting: gevent.Greenlet | None = None

    # -- for a call

    def open(self, name: str) -> Call:
        """Return a new call, not sent yet."""
        for source in (self.results, self.mailbox, self.switch):
            source.ready.wait(max(0.0, self.born + READY_WAIT - time.monotonic()))
        rest = f"{secrets.randbits(12):03x}-{8 + secrets.randbits(2):x}{secrets.randbits(12):03x}"
        call = Call(f"{self.prefix}{rest}-{secrets.token_hex(6)}", name)
        self.calls[call.id] = call
        return call

    def publish(self, call: Call, args: Any, kwargs: Any, options: dict[str, Any]) -> None:
        """Send the task of ``call``."""
        ours = {"task_id": call.id, "reply_to": self.prefix, "result_cls": _Unused}
        self.app.send_task(call.name, args, kwargs, add_to_parent=False, **ours, **options)

    def abandon(self, call: Call) -> None:
        """Wait for ``call`` no longer. Its times still count when they are told, and a late result
        is forgotten.
        """
        self.late.append(call.id)
        if len(self.late) > LATE_MAX:
            self.calls.pop(self.late.popleft(), None)

    def drop(self, call: Call) -> None:
        """Forget a ``call`` that was never sent."""
        self.calls.pop(call.id, None)

    # -- what arrives

    def _waiting(self) -> Iterable[str]:
        return [id_ for id_, call in self.calls.items() if call.meta is None]

    def _take(self, meta: Meta, pushed: bool) -> None:
        """Take the state of a task from the backend."""
        call = self.calls.get(str(meta.get("task_id")))
        if call is None or call.meta is not None:
            return
        if meta["status"] == "STARTED" and pushed and call.seen_started is None:
            call.seen_started = time.perf_counter()
        if meta["status"] in READY_STATES:
            self._end(call, meta, time.perf_counter())

    def _event(self, event: dict[str, Any]) -> None:
        kind, call = event.get("type"), self.calls.get(str(event.get("uuid")))
        if not isinstance(kind, str) or not kind.startswith("task-") or kind == "task-sent":
            return
        self.has_events = True
        if call is None:
            return
        if kind == "task-started":
            call.note_started(float(event["timestamp"]))
        elif kind in ENDS:
            if kind != "task-rejected":
                call.note_finished(float(event["timestamp"]), event.get("runtime"))
            if call.meta is None and call.event_end is None:
                meta = {"task_id": call.id, "status": ENDS[kind], "event": event}
                call.event_end = meta, time.perf_counter()
                if call.name in self.resultless or isinstance(self.results, NoResults):
                    self._end(call, meta, call.event_end[1])
        self._report(call, final=False)

    def _end(self, call: Call, meta: Meta, at: float) -> None:
        call.meta, call.ended = meta, at
        self.ended.append(call.id)
        call.arrival.set()
        self._report(call, final=not self._awaits_events())

    def _awaits_events(self) -> bool:
        """Whether events of a task may follow its result: some have come, or may be to come."""
        young = time.monotonic() < self.born + EVENTS_WAIT
        return self.options.task_events != OFF and (self.has_events or young)

    def _report(self, call: Call, *, final: bool) -> None:
        for kind, seconds in call.new_times(final=final):
            if self.parting is None:  # the numbers of the test are told
                report(self.environment, kind, call.name, seconds, began=call.sent)
        if call.meta is not None and (final or call.is_complete):
            self.calls.pop(call.id, None)
        if call.skewed and final:
            text = "QUEUE is not known for %s: the worker's clock is %.3g s behind"
            behind = call.sent - (call.started or 0)
            self._warn("skew", text, call.name, behind)
        elif final and call.meta and not (call.is_complete or self.has_events):
            text = (
                "QUEUE and RUN are not known for %s: no worker sent events of it, and none told of"
                " its start. Start workers with -E, or set task_track_started"
            )
            self._warn("unknown", text, call.name)

    def _sweep(self) -> None:
        while True:
            gevent.sleep(SWEEP_INTERVAL)
            self._forget()
            now = time.perf_counter()
            for call in list(self.calls.values()):
                if call.meta is None and call.event_end and now - call.event_end[1] > RESULT_GRACE:
                    self.resultless.add(call.name)
                    self._end(call, *call.event_end)
                elif call.ended is not None and now - call.ended > EVENT_GRACE:
                    self._report(call, final=True)

    def _forget(self) -> None:
        """Delete the results of tasks that have ended."""
        ids, self.ended = self.ended, []
        try:
            if ids:
                self.results.forget(ids)
        except Exception as error:  # whatever a backend and the network raise
            self.ended = [*ids, *self.ended][-LATE_MAX:]
            self._warn("forget", "results could not be deleted, trying again: %s", error)

    def _warn(self, key: str, text: str, *values: object) -> None:
        if key not in self.warned:
            self.warned.add(key)
            log.warning(text, *values)

    def close(self) -> None:
        """End: what is known of tasks that have ended is reported."""
        end = time.monotonic() + END_GRACE
        # a user that ends the test is killed as soon as it waits
        users = self.environment.runner.user_greenlets if self.environment.runner else ()
        while gevent.getcurrent() not in users and time.monotonic() < end:
            if not any(call.meta for call in self.calls.values()):
                break
            gevent.sleep(END_GRACE / 10)
        for call in list(self.calls.values()):
            self._report(call, final=True)
        self.parting = gevent.spawn(self._part)

    def _part(self) -> None:
        """Leave nothing behind at the broker, and in the backend."""
        end = time.monotonic() + PART_WAIT
        while time.monotonic() < end and any(call.meta is None for call in self.calls.values()):
            gevent.sleep(END_GRACE / 10)
        gevent.killall(self.greenlets)
        self._forget()
        self.switch.undo()
