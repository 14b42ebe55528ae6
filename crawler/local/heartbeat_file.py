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
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise SetupError(f"no worker has written {path} (it does at its first tick)") from None
        except (OSError, ValueError, TypeError) as error:
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
