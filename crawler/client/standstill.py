"""Why a crawl stands still: the one answer, which the commands, the admin, the jobs API and the
metrics show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ..errors import CrawlerError, FrontierRefused
from ..frontier.frontier import Frontier
from ..frontier.outbox import Outbox
from ..model import Json, Status
from ..redaction import masked
from ..storage.server import write_refusal
from ..text.printable import printable

if TYPE_CHECKING:
    from ..config.settings import Settings
    from ..definition.crawl import Crawl
    from ..frontier.answers import Standing
    from ..storage.connection import RedisClient
    from .workers import CrawlWorkers, WorkerRegistry

#: Seconds for which nothing need happen before a crawl counts as standing still: waits that end
#: sooner are its pace.
PAUSE_MIN = 2.0
#: Seconds after which a wake-up that no worker took is a sign that none will.
WAKE_UP_SLOW = 5.0
#: Seconds for which a message through the queue is waited for.
ROUND_TRIP = 5.0
#: Why a Redis that answers takes no changes, by a word of its error reply; and the mend.
REFUSALS = {
    "MISCONF": ("it cannot save to its disk", "give its disk room; its log says what failed"),
    "maxmemory": ("its memory is full", "give it more memory, or clear crawls that are over"),
    "read only replica": (
        "it is a replica",
        "name its master in CRAWLER_REDIS_URL, or its Sentinels",
    ),
    "NOREPLICAS": ("too few replicas follow it", "bring its replicas back"),
}
NO_ANSWER = " (a message through the queue was not answered)"
#: Seconds after a hold in which the attempt that follows may hold the crawl again: without a page
#: begun meanwhile, it still stands still for the same reason.
HOLD_GAP = 30.0
#: Characters of what an endpoint said that are shown.
SAID_MAX = 300


class Reason(StrEnum):
    """The reasons for which a crawl stands still; ``docs/runbooks.md`` has a section for each."""

    REDIS = "redis"
    PAUSED = "paused"
    LIMIT = "limit"
    NO_WORKER = "no_worker"
    UNKNOWN_CRAWL = "unknown_crawl"
    OTHER_VERSION = "other_version"
    NO_BROWSER = "no_browser"
    HELD = "held"
    START_HOOK = "start_hook"
    NOT_TAKEN = "not_taken"
    BUSY_WORKERS = "busy_workers"
    HOSTS = "hosts"
    RETRIES = "retries"
    REVISITS = "revisits"
    HOOKS = "hooks"
    SEEDS = "seeds"


@dataclass(frozen=True, slots=True)
class Standstill:
    """Why a crawl stands still, and how to mend it ("": it goes on by itself).

    ``since`` and ``until`` are epoch seconds by Redis's clock; None: not known.
    """

    reason: Reason
    says: str
    mend: str = ""
    since: float | None = None
    until: float | None = None

    def record(self) -> dict[str, Json]:
        """Return it as JSON."""
        return asdict(self)

    def line(self) -> str:
        """Return it in one line, for people."""
        return f"{self.says}; {self.mend}" if self.mend else self.says


class Installation(Protocol):
    """The crawls, the workers and the queue, as a client knows them."""

    settings: Settings
    redis: RedisClient
    workers: WorkerRegistry

    def frontier(self, name: str) -> Frontier:
        """Return the frontier of the crawl ``name``."""

    def crawl(self, name: str) -> Crawl:
        """Return the definition of the crawl ``name``. Raises UnknownCrawl."""

    def reaches_workers(self, wait: float) -> bool:
        """Whether a message through the queue is answered within ``wait`` seconds."""


def standstill_of(client: Installation, name: str, *, ask: bool = False) -> Standstill | None:
    """Return why the crawl ``name`` stands still; None: it does not, or it is over.

    With ``ask``, a message is sent through the queue where it seems that none arrives: that takes
    up to ``ROUND_TRIP`` seconds.

    Raises:
        FrontierUnavailable: Redis is away, or refuses to answer.
    """
    frontier = client.frontier(name)
    try:
        standing = frontier.standing()
    except FrontierRefused:  # cleared meanwhile
        return None
    found = next(_reasons(client, frontier, standing, ask=ask), None)
    if _may_be_refused(standing, found):
        return _refused(frontier) or found
    return found


def _may_be_refused(now: Standing, found: Standstill | None) -> bool:
    """Whether it may be that Redis takes no changes: workers are silent then, and pages in flight
    are not reported.
    """
    if found is None:
        return not now.status.ended and now.now - (now.last_claim or now.now) > WAKE_UP_SLOW
    return found.reason not in (
        Reason.PAUSED,
        Reason.LIMIT,
        Reason.HOSTS,
        Reason.RETRIES,
        Reason.REVISITS,
    )


def _refused(frontier: Frontier) -> Standstill | None:
    """Return why Redis takes no changes; None: it does."""
    why = write_refusal(frontier.redis, frontier.key("probe"))
    if why is None:
        return None
    known = (pair for word, pair in REFUSALS.items() if word in why)
    says, mend = next(known, (masked(why), "see its log"))
    return Standstill(Reason.REDIS, f"Redis takes no changes: {says}"[:SAID_MAX], mend)


def _reasons(
    client: Installation, frontier: Frontier, now: Standing, *, ask: bool
) -> Iterator[Standstill]:
    """Yield the reasons that hold, the one to mend first."""
    name = frontier.name
    if now.status.ended:
        yield from _ended(frontier, now)
        return
    if now.status is Status.PAUSED:
        by = f" by {now.paused_by}" if now.paused_by else ""
        yield Standstill(
            Reason.PAUSED, f"paused{by}", f"crawler resume {name}", since=now.paused_at
        )
        return
    workers, by_workers = _workers_of(client, frontier), _is_run_by_workers(client, name)
    if by_workers and workers:
        yield from _unable_workers(workers, now)
    if now.held or _is_held_between(now):
        yield _hold(now, now.held)
    if now.processing or now.status is Status.NEW:
        return
    yield from _hooks(frontier, now)
    if why := frontier.start_error():
        mend = "mend the hook start, or the broker; ticks try again"
        yield Standstill(Reason.START_HOOK, f"no run can be started: {why}", mend)
    if now.eligible and by_workers and workers:
        yield from _missed_wakeups(client, name, workers, now, ask=ask)
    if not now.eligible:
        yield from _waits(now)


def _ended(frontier: Frontier, now: Standing) -> Iterator[Standstill]:
    """Yield why a crawl that has ended did not do all its pages, or is not over yet."""
    yield from _hooks(frontier, now)
    if now.queued + now.delayed and "limit" in now.reason:
        mend = (
            f"crawler limits {frontier.name} FIELD=VALUE, and crawler resume {frontier.name}"
            " --reopen"
        )
        left = now.queued + now.delayed
        yield Standstill(Reason.LIMIT, f"{now.reason}, with {left} pages not begun", mend)


def _hooks(frontier: Frontier, now: Standing) -> Iterator[Standstill]:
    """Yield what hooks have not taken, if a crawl waits for nothing else."""
    if now.status.ended:
        if now.end_hook:
            why = frontier.end_hook_reason()
            said = f", which failed: {why}; it is called again" if why else ""
            yield Standstill(Reason.HOOKS, f"the hook after_all is still to be called{said}")
        return
    if not now.outbox or (now.queued + now.delayed and now.status is not Status.STOPPING):
        return
    for waiting in Outbox(frontier).waiting():
        if waiting.reason:
            hook, until = waiting.delivery.hook, now.now + max(0.0, waiting.wait)
            says = (
                f"{now.outbox} results or failures are on their way to hooks; {hook} failed:"
                f" {waiting.reason}"
            )
            mend = f"mend the hook; it is called again in {until - now.now:.0f} s"
            yield Standstill(Reason.HOOKS, says, mend, until=until)
            return
    yield Standstill(Reason.HOOKS, f"{now.outbox} results or failures are on their way to hooks")


def _workers_of(client: Installation, frontier: Frontier) -> CrawlWorkers | None:
    plan = frontier.plan()
    return client.workers.workers_of(plan) if plan else None


def _is_run_by_workers(client: Installation, name: str) -> bool:
    """Whether the crawl's runs are Celery tasks; a hook ``start`` may start anything."""
    with suppress(CrawlerError):
        return not client.settings.start_hooks or "start" not in client.crawl(name).hooks
    return True


def _unable_workers(workers: CrawlWorkers, now: Standing) -> Iterator[Standstill]:
    since = now.last_claim or now.active_since
    if not workers.alive:
        says = "no worker is alive"
        if now.processing:
            says += (
                f"; its {now.processing} pages in flight come back when their leases run out, or"
                " with the next worker"
            )
        yield Standstill(Reason.NO_WORKER, says, "start one: crawler worker", since)
    elif not workers.able:
        many = f"none of {len(workers.alive)} workers knows the crawl"
        faults = [line for worker in workers.alive for line in worker.faults]
        says = f"{many} {workers.code!r}" + (f": {faults[0]}" if faults else "")
        mend = "set CRAWLER_CRAWLS of the workers, and start them again"
        yield Standstill(Reason.UNKNOWN_CRAWL, says, mend, since)


def _is_held_between(now: Standing) -> bool:
    """Whether a hold has just ended, and no page was begun since the first of those before it."""
    if not now.held_last or not now.held_since or now.processing or now.status is Status.NEW:
        return False
    return now.now - now.held_last < HOLD_GAP and (now.last_claim or 0.0) < now.held_since


def _hold(now: Standing, until: float | None) -> Standstill:
    kind, _, said = now.held_reason.partition(": ")
    left = "it is tried again now"
    if until:
        left = f"the next attempt is in {max(0.0, until - now.now):.0f} s"
    if kind in (Reason.NO_BROWSER, "browser_away"):
        says = f"no browser can be had: {said or now.held_reason}"[:SAID_MAX]
        mend = f"see that Chrome or the Grid answers (crawler doctor); {left}"
        return Standstill(Reason.NO_BROWSER, says, mend, now.held_since, until)
    says = f"held: {now.held_reason or 'Redis, browsers or the network are away'}"[:SAID_MAX]
    return Standstill(Reason.HELD, says, left, now.held_since, until)


def _missed_wakeups(
    client: Installation, name: str, workers: CrawlWorkers, now: Standing, *, ask: bool
) -> Iterator[Standstill]:
    """Yield why pages that could be claimed are not, though workers are alive that know them."""
    since = now.last_claim or now.active_since or now.now
    granted = now.ticket or since
    if now.now - max(since, granted) < WAKE_UP_SLOW:
        return
    if now.browser_wait and 0 <= now.now - now.browser_wait < client.settings.session_timeout:
        says = f"a browser is being started, for {now.now - now.browser_wait:.0f} s now"
        yield Standstill(Reason.NO_BROWSER, says, since=now.browser_wait)
        return
    busy = sum(
        _in_flight(client.frontier(other))
        for other in Frontier.names(client.redis, client.settings.key_prefix)
        if other != name
    )
    if busy:
        says = f"the workers are at {busy} pages of other crawls"
        yield Standstill(Reason.BUSY_WORKERS, says, "start more workers, or wait", since)
        return
    if not workers.current:
        says = f"no worker knows this version of {workers.code!r}, and none takes its pages"
        mend = "deploy the workers again (or crawler start --update with theirs)"
        yield Standstill(Reason.OTHER_VERSION, says, mend, since)
        return
    says = (
        f"{now.tickets} wake-ups are under way, and no worker takes them"
        if now.tickets
        else "no wake-up is under way, and no worker's tick sends one"
    )
    told = ""
    if ask:
        try:
            arrived, told = client.reaches_workers(ROUND_TRIP), NO_ANSWER
        except CrawlerError as error:
            arrived, told = False, f" ({error})"
    if ask and arrived:
        says += "; a message through the queue was answered, so it goes on within a minute"
        yield Standstill(Reason.NOT_TAKEN, says, "", since)
        return
    ours = masked(client.settings.broker_url or "none")
    theirs = sorted({worker.broker for worker in workers.able if worker.broker})
    places = f"; they take messages from {', '.join(theirs)}" if theirs else ""
    yield Standstill(
        Reason.NOT_TAKEN,
        f"{says}{told}: messages go to {ours}, queue {client.settings.queue}{places}",
        "give workers and clients the same broker (CRAWLER_BROKER_URL) and queue (CRAWLER_QUEUE)",
        since,
    )


def _in_flight(frontier: Frontier) -> int:
    try:
        return frontier.standing().processing
    except CrawlerError:  # cleared meanwhile, or of another version
        return 0


#: What a host waits for, in words.
LANE_WAITS = {
    "delay": "the crawl's delay",
    "robots": "its robots.txt asks for a delay",
    "retry_after": "it asked to wait (429 or 503)",
    "breaker": "it failed too often in a row",
}


def _waits(now: Standing) -> Iterator[Standstill]:
    """Yield what pages that cannot be claimed yet wait for."""
    if now.lane_at and now.queued:
        wait = now.lane_at - now.now
        hosts = "its host waits" if now.lanes == 1 else f"all of {now.lanes} hosts wait"
        place = f" {printable(now.lane)}" if now.lane else ""
        why = LANE_WAITS.get(now.lane_why, now.lane_why)
        says = f"{hosts}; the next{place} may be asked in {max(0.0, wait):.0f} s ({why})"
        if wait >= PAUSE_MIN:
            yield Standstill(Reason.HOSTS, says, until=now.lane_at)
    elif now.delayed and now.retry:
        wait = now.retry - now.now
        if wait >= PAUSE_MIN:
            says = f"{now.delayed} pages wait for another attempt, the next in {wait:.0f} s"
            yield Standstill(Reason.RETRIES, says, until=now.retry)
    elif now.revisits and now.revisit and not now.queued:
        wait = now.revisit - now.now
        if wait >= PAUSE_MIN:
            at = datetime.fromtimestamp(now.revisit, UTC).isoformat(sep=" ", timespec="seconds")
            says = f"{now.revisits} pages are visited again: waits until the next is due at {at}"
            yield Standstill(Reason.REVISITS, says, until=now.revisit)
    elif now.producers and not now.queued:
        says = f"its pages are done, and {now.producers} loaders of seeds add more"
        yield Standstill(Reason.SEEDS, says)


def record_of(found: Standstill | None) -> dict[str, Json] | None:
    """Return an answer as JSON; None: it does not stand still."""
    return found.record() if found else None
