"""The tick: find again what was lost of each crawl, and start the runs that are missing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..errors import CrawlerError, FrontierMistyped, FrontierUnavailable, UnknownCrawl
from ..frontier.listing import Listing
from ..frontier.outbox import Outbox
from ..frontier.repair import repair_keys
from ..local.processes import is_gone
from ..model import FailureClass
from ..observe.logs import logger
from ..redaction import masked
from .next_runs import END_TICKET
from .outcome import start_reason

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..frontier.frontier import Frontier
    from ..model import Json

log = logger(__name__)

#: Deliveries under way that a tick looks at; each is one process's.
HELD_MAX = 1_000
#: Faults of a crawl's keys that a line of the log names.
FAULTS_NAMED = 5


class Crawls(Protocol):
    """The crawls of an installation, as a client knows them."""

    def frontier(self, name: str) -> Frontier:
        """Return the frontier of the crawl ``name``."""

    def crawl(self, name: str) -> Crawl:
        """Return the definition of the crawl ``name``. Raises UnknownCrawl."""

    def start_run(self, crawl: Crawl, ticket: str) -> None:
        """Start one further run of ``crawl``; ``ticket`` is its wake-up."""


@dataclass(frozen=True, slots=True)
class CrawlTicks:
    """Ticks of ``crawls``. ``settle`` is called with the frontier of each crawl that has ended."""

    crawls: Crawls
    settle: Callable[[Frontier], object]

    def tick_all(self, names: Iterable[str]) -> dict[str, Json]:
        """Tick each crawl of ``names``; return the counts of each tick, by crawl.

        An error of one crawl is logged, and the others are ticked. A crawl that is unknown here is
        left to the workers that know it.

        Raises:
            FrontierUnavailable: Redis is away.
        """
        counts: dict[str, Json] = {}
        for name in names:
            try:
                counts[name] = self.tick(self.crawls.frontier(name))
            except FrontierUnavailable:
                raise
            except CrawlerError as error:
                log.warning("tick of %s: %s", name, error)
            except Exception:  # its own start hook, for instance
                log.exception("tick of %s", name)
        return counts

    def tick(self, frontier: Frontier) -> dict[str, Json]:
        """Tick one crawl; return the number of runs that are started and of leases that ran out."""
        try:
            release_dead(frontier)
        except FrontierMistyped:
            if not frontier.move_aside():
                raise
            release_dead(frontier)
        tick = frontier.tick()
        for alarm in tick.alarms:
            log.warning("%s: %s", frontier.name, alarm)
        if tick.damaged and (wrong := repair_keys(frontier)):
            words = "%s: its keys were damaged, and are repaired (%d faults): %s"
            log.warning(words, frontier.name, len(wrong), "; ".join(wrong[:FAULTS_NAMED]))
        tickets = list(tick.tickets)
        if tick.ended:  # by this tick, or by a process that died before it called the hook
            tickets.append(f"{END_TICKET}{secrets.token_hex(6)}")
        self._send(frontier, tickets)
        if tick.status and tick.status.ended:
            self.settle(frontier)
        return {"started": len(tick.tickets), "reaped": tick.reaped}

    def _send(self, frontier: Frontier, tickets: Iterable[str]) -> None:
        """Start a run for each of ``tickets``. One that cannot be sent is given back: the next tick
        tries again. A crawl without a hook for its end needs no run for it.
        """
        unsent, why = list(tickets), ""
        try:
            while unsent:
                crawl = self.crawls.crawl(frontier.name)
                if unsent[0].startswith(END_TICKET) and "after_all" not in crawl.hooks:
                    frontier.end_hook_done()
                else:
                    self.crawls.start_run(crawl, unsent[0])
                unsent.pop(0)
        except UnknownCrawl:
            raise  # another worker may know it
        except Exception as error:
            why = start_reason(error, crawl)
            raise
        finally:
            for ticket in unsent:
                frontier.drop_ticket(ticket, why)


def release_dead(frontier: Frontier) -> None:
    """Return the pages and deliveries of processes of this machine that are gone, before their
    leases run out.
    """
    for claim in Listing(frontier).processing():
        if is_gone(claim.worker):
            frontier.fail(claim, FailureClass.CRASH, "worker_died", own=False)
            url = masked(claim.page.url)
            log.warning("%s: the process %s died over %s", frontier.name, claim.worker, url)
    outbox = Outbox(frontier)
    for waiting in outbox.waiting(HELD_MAX, held=True):
        if is_gone(waiting.worker):
            outbox.release(waiting.delivery.name, waiting.worker)
