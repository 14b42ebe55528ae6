"""The file by which a worker tells a probe that it lives, and that it still hears from its
queue.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import SetupError

#: Seconds without a tick after which a worker counts as dead, at least; and how many intervals
#: between two ticks that must be.
TICK_AGE_MAX, TICKS_MISSED = 60.0, 4
#: Seconds after which a worker that has nothing to do should have heard from its queue; the broker
#: answers each second.
SILENCE_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker wrote: epoch seconds of its last tick, and of when it last heard from its queue
    (None: it cannot tell).
    """

    worker: str
    tick: float
    heard: float | None
    running: int  # tasks that it works on
    interval: float  # seconds between two ticks
    longest: float  # seconds that a task may take

    def write(self, path: Path) -> None:
        """Put it into ``path`` whole: no reader ever sees half of it."""
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Heartbeat:
        """The one in ``path``.

        Raises:
            SetupError: there is none.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise SetupError(f"no worker has written {path} (it does at its first tick)") from None
        except (OSError, ValueError, TypeError) as error:
            raise SetupError(
                f"{path} is not what a worker of this version writes: {error}"
            ) from error

    def is_deaf(self, now: float) -> bool:
        """Whether it should have heard from its queue by ``now``, and has not. With all hands full
        it asks for nothing.
        """
        return self.heard is not None and now - self.heard > SILENCE_MAX + (
            self.longest if self.running else 0
        )

    def ill(self, now: float) -> str | None:
        """Why the worker should be started anew; None if it should not."""
        limit = max(TICK_AGE_MAX, TICKS_MISSED * self.interval)
        if now - self.tick > limit:
            return f"no tick for more than {limit:.0f} s"
        return "it no longer hears from its queue" if self.is_deaf(now) else None
