"""What `doctor` finds, part by part: how it is, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import CrawlerError
from ..redaction import masked


@dataclass(frozen=True)
class Finding:
    """One part that was examined: its state, and the remedy; empty where all is well. ``advice`` is
    about what works, and could be better.
    """

    part: str
    state: str
    remedy: str = ""
    advice: str = ""

    def record(self) -> dict[str, object]:
        """Return the finding as JSON."""
        return {
            "what": self.part,
            "ok": not self.remedy,
            "found": self.state,
            "mend": self.remedy,
            "advice": self.advice,
        }

    def text(self) -> str:
        """Return the finding for people: a line, and another for its remedy or advice."""
        mark = "!!" if self.remedy else "--" if self.advice else "ok"
        line = f"{mark}  {self.part:<13} {self.state}"
        if self.remedy:
            return f"{line}\n    mend: {self.remedy}"
        return f"{line}\n    better: {self.advice}" if self.advice else line


def attempt(part: str, examination: Callable[[], str]) -> Finding:
    """Return the state that ``examination`` returns; if it raises, its error is the remedy."""
    try:
        return Finding(part, examination())
    except CrawlerError as error:
        return Finding(part, "not usable", masked(str(error)))
