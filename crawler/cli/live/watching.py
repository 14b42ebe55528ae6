"""``info --watch``: the live view of a crawl that runs elsewhere, or of all. Nothing is stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import FrontierUnavailable
from ...frontier.frontier import Frontier
from ..interrupts import Interrupts, count_interrupts
from ..terminal import echo
from .crawl_state import CrawlWatch
from .view import LiveView

if TYPE_CHECKING:
    from ...client.client import Client
    from ...model import Snapshot

#: Seconds between two looks at one crawl, and at all of them.
LOOK_INTERVAL, ALL_INTERVAL = 0.5, 2.0
#: Seconds between two looks at which crawls there are, and between two questions why one of them
#: stands still.
NAMES_INTERVAL, ASK_INTERVAL = 5.0, 10.0
#: Crawls that are read without a window, and at most.
ROWS, ROWS_MAX = 20, 200
#: Seconds for which Redis may be away.
PATIENCE = 60.0
KEYS = "q leave (nothing is stopped) · ? help"


def watch_one(client: Client, name: str) -> Snapshot:
    """Show the crawl ``name`` until it is over, or a key or Ctrl-C asks to leave. Return its last
    snapshot.

    Raises:
        UnknownCrawl: no crawl has this name.
        FrontierUnavailable: Redis has been away for ``PATIENCE`` seconds.
    """
    handle = client.handle(name)
    snapshot = handle.snapshot()
    if snapshot.over:
        return snapshot
    seen = time.monotonic()
    with count_interrupts() as interrupts, _view([CrawlWatch(client, name)], interrupts) as view:
        while not (snapshot.over or interrupts.count):
            try:
                snapshot = handle.snapshot()
                view.show([snapshot])
                seen = time.monotonic()
            except FrontierUnavailable as error:
                _bear(error, seen, view)
            interrupts.event.wait(LOOK_INTERVAL)
    return snapshot


def watch_all(client: Client) -> None:
    """Show all crawls, those that go on first, until a key or Ctrl-C asks to leave."""
    seen = time.monotonic()
    chosen: Sequence[str] = ()
    chosen_at = -NAMES_INTERVAL
    with count_interrupts() as interrupts, _view([], interrupts) as view:
        while not interrupts.count:
            try:
                if time.monotonic() - chosen_at >= NAMES_INTERVAL:
                    chosen, view.total = _choose(client, view.rows or ROWS)
                    chosen_at = time.monotonic()
                    view.keep(chosen, lambda name: CrawlWatch(client, name, every=ASK_INTERVAL))
                found = [client.frontier(name).snapshot() for name in chosen]
                view.show(found)
                seen = time.monotonic()
            except FrontierUnavailable as error:
                _bear(error, seen, view)
            interrupts.event.wait(ALL_INTERVAL if view.help is False else LOOK_INTERVAL)


def _choose(client: Client, rows: int) -> tuple[list[str], int]:
    """Return the names of crawls for so many rows, those that go on first, and how many there
    are.
    """
    names = sorted(Frontier.names(client.redis, client.settings.key_prefix))
    statuses = Frontier.statuses(client.redis, names, client.settings.key_prefix)
    ended = {"FINISHED", "STOPPED", "FAILED"}
    known = [name for name in names if name in statuses]
    known.sort(key=lambda name: (statuses[name] in ended, name))
    return known[: min(rows, ROWS_MAX)], len(known)


def _view(watches: Sequence[CrawlWatch], interrupts: Interrupts) -> LiveView:
    def leave() -> None:
        interrupts.count += 1
        interrupts.event.set()

    return LiveView(
        {watch.name: watch for watch in watches}, actions={"q": leave}, keys=lambda: KEYS
    )


def _bear(error: FrontierUnavailable, seen: float, view: LiveView) -> None:
    """Go on without Redis for a while. Raises ``error`` after that."""
    if time.monotonic() - seen > PATIENCE:
        raise error
    if str(error) not in view.said:
        view.said.add(str(error))
        echo(f"warning: {error}; trying again for {PATIENCE:g} s", err=True)
    view.press()
    view.draw()
