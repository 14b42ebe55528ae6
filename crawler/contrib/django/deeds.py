"""What an operator can do to a crawl from the admin, and when; each is one call of the library."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ...client import Library
from ...model import Status

#: The status, on the page, of a crawl that is known and was never started.
NOT_STARTED = "NOT STARTED"


def start(library: Library, name: str) -> str:
    """Start it, anew if it has ended."""
    _, new = library.restart(library.crawl(name))
    return "was started" if new else "goes on: it was started before"


def pause(library: Library, name: str) -> str:
    """Begin no further page until it is resumed."""
    library.handle(name).pause()
    return "is paused"


def resume(library: Library, name: str) -> str:
    """Go on after a pause or a stop."""
    library.handle(name).resume(reopen=True)
    return "goes on"


def stop(library: Library, name: str) -> str:
    """Begin no further page."""
    library.handle(name).stop("stopped in the admin")
    return "stops: pages in flight finish"


def retry(library: Library, name: str) -> str:
    """Send all failed pages back to the queue."""
    return f"tries {library.handle(name).retry()} failed pages again"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to do: its name in the address, its button, in which statuses it makes sense, and a
    question to ask before.
    """

    name: str
    label: str
    do: Callable[[Library, str], str]
    when: Collection[str]
    ask: str = ""
    needs_definition: bool = False  # only where it is at hand
    needs_failed: bool = False


DEEDS = (
    Deed("start", "Start", start, (NOT_STARTED,), needs_definition=True),
    Deed("pause", "Pause", pause, (Status.NEW, Status.ACTIVE, Status.DRAINING)),
    Deed("resume", "Resume", resume, (Status.PAUSED, Status.STOPPING, Status.STOPPED)),
    Deed("stop", "Stop", stop, (Status.NEW, Status.ACTIVE, Status.DRAINING, Status.PAUSED)),
    Deed("retry", "Retry failed", retry, (*Status,), needs_failed=True),
    Deed("restart", "Start anew", start, (Status.FINISHED, Status.STOPPED, Status.FAILED), needs_definition=True,
         ask="Begin anew? The pages and results of the last time are forgotten."),
)  # fmt: skip
