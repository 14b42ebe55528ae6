"""The tick: find again what was lost of each crawl, and start the runs that are missing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..errors import CrawlerError, FrontierMistyped, FrontierUnavailable
from ..frontier.listing import Listing
from ..frontier.outbox import Outbox
from ..frontier.repair import repair_keys
from ..local.processes import is_gone
from ..model import FailureClass, Status
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
    """Ticks of ``crawls``. ``settle`` is called with the frontier of each crawl that has ended, and
    ``note_unable`` with the name of each active crawl that cannot be run here, and the reason;
    ``note_wait`` with that of each that workers can run from here, and the seconds for which its
    oldest wake-up waits.
    """

    crawls: Crawls
    settle: Callable[[Frontier], object]
    note_unable: Callable[[str, Exception], object] = lambda *_: None
    note_wait: Callable[[str, float], object] = lambda *_: None

    def tick_all(self, names: Iterable[str], *, outage: bool = False) -> dict[str, Json]:
        """Tick each crawl of ``names``; return the counts of each tick, by crawl.

        An error of one crawl is logged, and the others are ticked. A crawl that is unknown here is
        left to the workers that know it. ``outage``: see :meth:`Frontier.tick`.

        Raises:
            FrontierUnavailable: Redis is away.
        """
        counts: dict[str, Json] = {}
        for name in names:
            try:
                counts[name] = self.tick(self.crawls.frontier(name), outage=outage)
            except FrontierUnavailable:
                raise
            except CrawlerError as error:
                log.warning("tick of %s: %s", name, error)
            except Exception:  # its own start hook, for instance
                log.exception("tick of %s", name)
        return counts

    def tick(self, frontier: Frontier, *, outage: bool = False) -> dict[str, Json]:
        """Tick one crawl; return the number of runs that are started and of leases that ran out."""
        try:
            release_dead(frontier)
        except FrontierMistyped:
            if not frontier.move_aside():
                raise
            release_dead(frontier)
        crawl, why_not = self._definition(frontier.name)
        tick = frontier.tick(able=crawl is not None, outage=outage)
        if why_not and tick.status in (Status.ACTIVE, Status.DRAINING):
            self.note_unable(frontier.name, why_not)
        elif crawl and tick.waits is not None and "start" not in crawl.hooks:
            self.note_wait(frontier.name, tick.waits)
        for alarm in tick.alarms:
            log.warning("%s: %s", frontier.name, alarm)
        if tick.damaged and (wrong := repair_keys(frontier)):
            words = "%s: its keys were damaged, and are repaired (%d faults): %s"
            log.warning(words, frontier.name, len(wrong), "; ".join(wrong[:FAULTS_NAMED]))
        tickets = list(tick.tickets)
        if tick.ended:  # by this tick, or by a process that died before it called the hook
            tickets.append(f"{END_TICKET}{secrets.token_hex(6)}")
        if crawl is not None:
            self._send(crawl, frontier, tickets)
        if tick.status and tick.status.ended:
            self.settle(frontier)
        return {"started": len(tick.tickets), "reaped": tick.reaped}

    def _definition(self, name: str) -> tuple[Crawl | None, Exception | None]:
        """Return the definition of the crawl ``name``, or None and why it cannot be run here: such
        a crawl is ticked, too, and a worker that can run it sends its wake-ups.
        """
        try:
            crawl = self.crawls.crawl(name)
            crawl.validate()
        except FrontierUnavailable:
            raise
        except Exception as error:  # unknown, wrong, or what is stored cannot be read
            return None, error
        return crawl, None

    def _send(self, crawl: Crawl, frontier: Frontier, tickets: Iterable[str]) -> None:
        """Start a run for each of ``tickets``. One that cannot be sent is given back: the next tick
        tries again. A crawl without a hook for its end needs no run for it.
        """
        unsent, why = list(tickets), ""
        try:
            while unsent:
                ends = unsent[0].startswith(END_TICKET)
                if ends and "after_all" not in crawl.hooks and not frontier.has_end_hook():
                    frontier.end_hook_done()
                else:
                    self.crawls.start_run(crawl, unsent[0])
                unsent.pop(0)
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
