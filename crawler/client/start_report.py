"""The report of a start: what became of the call that was to start a crawl."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import CrawlExists
from ..frontier.operations import Operations
from ..model import Json, Snapshot, Status

if TYPE_CHECKING:
    from .crawl_handle import CrawlHandle


class IfExists(StrEnum):
    """What a start does with a crawl of the same name that is in the frontier already.

    While a crawl of the same definition goes on, all but RESET leave it as it is.
    """

    #: One that goes on stays as it is, in whatever version; one that has ended, too.
    KEEP = "keep"
    #: One that goes on takes a changed definition over; one that has ended stays as it is.
    UPDATE = "update"
    #: One that goes on takes a changed definition over; one that has ended begins again.
    RESTART = "restart"
    #: It begins again, also where it goes on: all its pages are forgotten.
    RESET = "reset"
    #: One that has ended begins another generation: it visits all its pages again, and remembers
    #: those that it knew. While it goes on, the start is refused.
    RECRAWL = "recrawl"


class StartOutcome(StrEnum):
    """The outcome of a start."""

    STARTED = "started"  # it is new, or it begins again
    RUNNING = "running"  # it was started before, and goes on
    UPDATED = "updated"  # it goes on, with the definition of this start
    REFUSED = "refused"  # nothing was changed; the reason says why, and what would


@dataclass(slots=True)
class StartReport:
    """The ``outcome`` of a start, with a ``reason`` where there is more to say, and the ``handle``
    of the crawl.

    In a transaction of Django it says what would become of the start now, and from the commit on
    what became of it.
    """

    handle: CrawlHandle
    outcome: StartOutcome
    reason: str | None = None

    @property
    def new(self) -> bool:
        """Whether the crawl began with this start."""
        return self.outcome is StartOutcome.STARTED

    def raise_if_refused(self) -> StartReport:
        """Return this report. Raises CrawlExists if the start was refused."""
        if self.outcome is StartOutcome.REFUSED:
            raise CrawlExists(self.handle.name, self.reason or "")
        return self

    def note(self, by: str) -> None:
        """Keep with the crawl that ``by`` started or updated it, if so."""
        if self.outcome in (StartOutcome.STARTED, StartOutcome.UPDATED):
            Operations(self.handle.frontier).note(f"was {self.outcome}", by)

    def record(self) -> dict[str, Json]:
        """Return the report as JSON."""
        return {"crawl": self.handle.name, "outcome": self.outcome.value, "reason": self.reason}

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.handle.name}: {self.outcome}{reason}"


#: The reason of a refusal by the answer of the frontier; others are the status of its end.
REFUSALS = {
    "OTHER": "another definition of it is at work; update or reset it",
    "ELSEWHERE": (
        "another crawl of this name is at work, which starts at other hosts; choose another name,"
        " or update or reset it"
    ),
    "STOPPING": "it is stopping; start it when its pages in flight have ended",
}


#: Why another generation does not begin.
STILL_RUNS = "it still runs; recrawl it when it has ended"


def refusal(answer: str) -> str:
    """Return why a start is refused, by the ``answer`` of the frontier to its plan."""
    ended = f"it has {answer}; restart it to begin again, or resume it to go on"
    return REFUSALS.get(answer, ended)


def state_reason(snapshot: Snapshot) -> str | None:
    """Return what keeps a crawl that goes on from its pages by its state; None: nothing does."""
    if snapshot.status is Status.PAUSED:
        return "it is paused; resume lets it go on"
    if snapshot.status is Status.DRAINING:
        return f"it begins no further page: {snapshot.reason}"
    return None
