"""The heartbeat file: a worker writes it, and a probe reads whether the worker is well."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import SetupError

#: A worker without a tick counts as dead after this many seconds, and after this many intervals
#: between two ticks.
TICK_AGE_MAX, TICKS_MISSED = 60.0, 4
#: Seconds within which the broker should have answered a worker that has nothing to do; it answers
#: every second.
SILENCE_MAX = 60.0
#: Seconds for which a worker with a free process may take nothing while wake-ups wait that it could
#: answer, and seconds from which on a wake-up waits: one that is taken waits for milliseconds.
IDLE_MAX, WAIT_MIN = 30.0, 5.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The state of a worker. ``tick`` is the time of its last tick, and ``broker_reply`` that of
    the broker's last answer (None: unknown), both in epoch seconds.
    """

    worker: str
    tick: float
    broker_reply: float | None
    running: int  # tasks that it works on
    interval: float  # seconds between two ticks
    longest: float  # seconds that a task may take
    #: What it cannot do, or does not get, a line for each: it lives, and is not ready.
    faults: tuple[str, ...] = ()
    #: The error of its last tick; "": none.
    tick_error: str = ""

    def write(self, path: Path) -> None:
        """Write it to ``path``. Atomic: no reader sees half of it."""
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Heartbeat:
        """Return the heartbeat in the file at ``path``.

        Raises:
            SetupError: the file is missing, or holds no heartbeat.
        """
        try:
            facts = json.loads(path.read_text())
            return cls(**{**facts, "faults": tuple(facts.get("faults", ()))})
        except FileNotFoundError:
            raise SetupError(f"no worker has written {path} (it does at its first tick)") from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise SetupError(
                f"{path} is not what a worker of this version writes: {error}"
            ) from error

    def misses_broker(self, now: float) -> bool:
        """Whether the broker should have answered by ``now``, and has not.

        A worker whose processes are all busy does not ask the broker.
        """
        return self.broker_reply is not None and now - self.broker_reply > SILENCE_MAX + (
            self.longest if self.running else 0
        )

    def restart_reason(self, now: float) -> str | None:
        """Return the reason to start the worker again; None: it is well."""
        limit = max(TICK_AGE_MAX, TICKS_MISSED * self.interval)
        if now - self.tick > limit:
            return f"no tick for more than {limit:.0f} s"
        return "it no longer hears from its queue" if self.misses_broker(now) else None


class Idleness:
    """Tells from one tick to the next whether a worker gets none of the work that waits."""

    def __init__(self) -> None:
        self._taken = -1
        self._since: float | None = None
        self._quiet = 0  # ticks in a row at which nothing waited

    def note(self, now: float, *, taken: int, free: bool, waits: float | None) -> float:
        """Return for how many seconds up to ``now`` the worker took nothing, though it could; 0:
        all is well.

        ``taken`` is the number of tasks that it has ever taken, ``free`` whether a process of it
        has nothing to do, and ``waits`` for how many seconds the oldest wake-up waits that it could
        answer (None: there is none, or it was lost just now, and another follows).
        """
        self._quiet = self._quiet + 1 if waits is None else 0
        if taken != self._taken or not free or self._quiet > 1:
            self._taken, self._since = taken, None
        elif self._since is None and waits is not None and waits >= WAIT_MIN:
            self._since = now
        idle = 0.0 if self._since is None else now - self._since
        return idle if idle > IDLE_MAX else 0.0
