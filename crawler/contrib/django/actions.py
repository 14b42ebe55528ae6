"""The actions of an operator on a crawl in the admin, and when they make sense; each is one call of
the client.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...client.start_report import StartOutcome
from ...model import Status

if TYPE_CHECKING:
    from ...client.client import Client

#: The status, on the page, of a crawl that was never started.
NOT_STARTED = "NOT STARTED"
#: The statuses of a crawl that can be stopped.
RUNNING = (Status.NEW, Status.ACTIVE, Status.DRAINING, Status.PAUSED)
#: What the log of the admin says of a start.
STARTS = {
    StartOutcome.STARTED: "was started",
    StartOutcome.RUNNING: "goes on: it was started before",
    StartOutcome.UPDATED: "goes on, by its changed definition",
    StartOutcome.REFUSED: "was not started",
}


def start(client: Client, name: str, by: str) -> str:  # noqa: ARG001 - as all of them
    """Start the crawl ``name``, again if it has ended."""
    report = client.restart(name)
    reason = f" ({report.reason})" if report.reason else ""
    return STARTS[report.outcome] + reason


def recrawl(client: Client, name: str, by: str) -> str:  # noqa: ARG001 - as all of them
    """Visit all pages of the crawl again, which has ended, and remember those that it knew."""
    report = client.start(name, recrawl=True)
    reason = f" ({report.reason})" if report.reason else ""
    return STARTS[report.outcome] + reason


def pause(client: Client, name: str, by: str) -> str:
    """Begin no further page of the crawl until it is resumed."""
    client.handle(name).pause(f"{by} in the admin")
    return "is paused"


def resume(client: Client, name: str, by: str) -> str:  # noqa: ARG001 - as all of them
    """Go on with the crawl after a pause or a stop."""
    client.handle(name).resume(reopen=True)
    return "goes on"


def stop(client: Client, name: str, by: str) -> str:
    """Begin no further page of the crawl."""
    client.handle(name).stop(f"stopped by {by} in the admin")
    return "stops: pages in flight finish"


def cancel(client: Client, name: str, by: str) -> str:
    """Begin no further page of the crawl, and give up those in flight."""
    client.handle(name).cancel(f"cancelled by {by} in the admin")
    return "is cancelled: pages in flight are given up, and come back if it is resumed"


def retry(client: Client, name: str, by: str) -> str:  # noqa: ARG001 - as all of them
    """Send all failed pages of the crawl back to its queue."""
    return f"tries {client.handle(name).retry()} failed pages again"


def redeliver(client: Client, name: str, by: str) -> str:  # noqa: ARG001 - as all of them
    """Call the hooks of the crawl again that gave up."""
    return f"sends {client.handle(name).redeliver()} results to their hooks again"


@dataclass(frozen=True, slots=True)
class Action:
    """An action: its name in the address, the label of its button, its function (of the client, the
    crawl's name and the user's, which says what was done), the statuses in which it makes sense,
    and a question to ask before.
    """

    name: str
    label: str
    do: Callable[[Client, str, str], str]
    when: Collection[str]
    ask: str = ""
    needs_definition: bool = False  # only where the definition is known
    needs: str | None = None  # only where this count is not 0


ACTIONS = (
    Action("start", "Start", start, (NOT_STARTED,), needs_definition=True),
    Action("pause", "Pause", pause, (Status.NEW, Status.ACTIVE, Status.DRAINING)),
    Action("resume", "Resume", resume, (Status.PAUSED, Status.STOPPING, Status.STOPPED)),
    Action(
        "stop",
        "Stop",
        stop,
        RUNNING,
        ask="Stop it? No further page is begun; those in flight finish. It can be resumed.",
    ),
    Action(
        "cancel",
        "Cancel",
        cancel,
        (*RUNNING, Status.STOPPING),
        ask="Cancel it? No further page is begun, and those in flight are given up: what they did"
        " so far is lost. It can be resumed.",
    ),
    Action("retry", "Retry failed", retry, (*Status,), needs="failed"),
    Action("redeliver", "Call hooks again", redeliver, (*Status,), needs="undelivered"),
    Action(
        "recrawl",
        "Crawl again",
        recrawl,
        (Status.FINISHED, Status.STOPPED, Status.FAILED),
        needs_definition=True,
        ask="Crawl again? All its pages are visited, and each result says what has changed since.",
    ),
    Action(
        "restart",
        "Start again",
        start,
        (Status.FINISHED, Status.STOPPED, Status.FAILED),
        needs_definition=True,
        ask="Begin again? The pages and results of the last time are forgotten.",
    ),
)
