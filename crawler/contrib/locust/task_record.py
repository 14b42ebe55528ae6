"""One task that was sent, and its times: how long it was queued, and how long it ran.

A worker's events tell both by the clock of its machine. Without them, a worker with
``task_track_started`` tells of the start through the result backend, and the time is that at which
it is seen here. What neither tells is not known, and no time is made up. Nothing here talks to
anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

#: The types of the rows for the two times of a task.
QUEUE, RUN = "QUEUE", "RUN"
#: Seconds by which a worker may seem to have started a task before it was sent: what two clocks of
#: one network differ by. Beyond, they differ too much to be compared.
SKEW_MAX = 0.005


@dataclass(slots=True)
class TaskRecord:
    """A task from the moment when it is sent. ``sent`` is epoch seconds; ``sent_at``, ``seen_…``
    and ``ended`` are seconds of this process's own steady clock.
    """

    id: str
    name: str
    sent: float
    sent_at: float
    #: By the worker's clock, epoch seconds: its first start, and its end.
    started: float | None = None
    finished: float | None = None
    #: Seconds that its only run took, by the worker's account.
    runtime: float | None = None
    starts: int = 0
    seen_started: float | None = None
    ended: float | None = None
    #: The clocks of worker and sender differ too much.
    skewed: bool = False
    reported: set[str] = field(default_factory=set)

    def note_started(self, at: float) -> None:
        """Take the event of a start; a task that is retried has several."""
        self.starts += 1
        self.started = at if self.started is None else min(self.started, at)

    def note_finished(self, at: float, runtime: float | None) -> None:
        """Take the event of the end; ``runtime`` is None if it tells none."""
        self.finished, self.runtime = at, runtime

    def new_times(self, *, final: bool) -> Iterator[tuple[str, float]]:
        """Yield the times that are known and were not yielded before, each with its type.

        ``final``: no event will follow, so that what was seen here has to do.
        """
        for kind, seconds in (("QUEUE", self._queued()), ("RUN", self._ran())):
            if seconds is None and final:
                seconds = self._seen(kind)
            if seconds is not None and kind not in self.reported:
                self.reported.add(kind)
                yield kind, seconds

    @property
    def is_complete(self) -> bool:
        """Whether both times were yielded."""
        return len(self.reported) == 2

    def _queued(self) -> float | None:
        if self.started is None:
            return None
        seconds = self.started - self.sent
        self.skewed = seconds < -SKEW_MAX
        return None if self.skewed else max(0.0, seconds)

    def _ran(self) -> float | None:
        if self.started is None or self.finished is None:
            return None
        if self.starts == 1 and self.runtime is not None:
            return self.runtime
        return max(0.0, self.finished - self.started)

    def _seen(self, kind: str) -> float | None:
        if self.seen_started is None:
            return None
        if kind == QUEUE:
            return self.seen_started - self.sent_at
        return None if self.ended is None else self.ended - self.seen_started
