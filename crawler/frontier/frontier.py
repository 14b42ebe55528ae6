"""The frontier of one crawl: one method, one script, one atomic step."""

from __future__ import annotations

import json
import random
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from typing import Any, TypeVar

from ..errors import CrawlExists, FrontierRefused, FrontierUnavailable
from ..model import (
    CRAWL_NAME,
    Claim,
    FailureClass,
    Json,
    Outcome,
    Page,
    Plan,
    Snapshot,
    Status,
    Turn,
)
from ..storage.connection import RedisClient
from ..storage.errors import redis_errors
from ..storage.scripts import Scripts
from . import entries, server_checks
from .entries import FailedPage
from .plan import decode_plan, encode_limits, encode_plan

#: Pages per script call, and characters of their URLs, so that no call takes long.
BATCH, BATCH_LENGTH = 200, 100_000
#: Of what is dearer, fewer per call: pages that are given back, dead letters, lanes that are
#: examined or mended.
RELEASE_BATCH, LETTER_BATCH, LANE_BATCH = 20, 100, 100
#: Elements of a large collection that are read at a time.
WINDOW = 1_000
#: Seconds for which a crawl is closed at most while it is examined in steps; two hundred thousand
#: lanes take some twenty.
CLOSED_LIFE = 120.0
#: Buckets that known URLs have at first; see ``lua/lib/seen.lua``.
BUCKETS = 32
#: Seconds for which a seed loader counts as alive after it last said so.
PRODUCER_LIFE = 60.0
#: Seconds without a claim, while pages could be claimed, after which a tick raises an alarm.
SILENCE_ALARM = 600.0

T = TypeVar("T")


class Renewal(StrEnum):
    """What a heartbeat is told."""

    OK = "OK"
    STALE = "STALE"  # the page is no longer this claim's: what the run makes of it will not count
    CANCEL = "CANCEL"  # the crawl was cancelled: give the page back and end


class Verdict(StrEnum):
    """What a report about a page is told."""

    OK = "OK"
    REPEATED = "REPEATED"  # accepted before; the answer was lost
    STALE = "STALE"  # the page is no longer this claim's; nothing was changed
    ALIAS = "ALIAS"  # done, but its final URL is another page that is known: no result was stored


@dataclass(frozen=True, slots=True)
class Added:
    """What ``enqueue`` did with its pages: ``new``, ``known`` before, and the number ``skipped``
    for each reason.
    """

    new: int = 0
    known: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reaped:
    """``pages`` whose lease had run out and that were taken back; ``ended``: this very call ended
    the crawl.
    """

    pages: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Wake:
    """``tickets`` are to be sent; without any, ``wait`` is the seconds until there will be work
    (None: unknown, or no room).
    """

    tickets: tuple[str, ...] = ()
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What a report led to.

    ``ended``: this very call ended the crawl. ``retry_in``: seconds until the next attempt, if any.
    ``wake``: what ``Frontier.wake`` would give now, if that was asked for as well, and the report
    counted.
    """

    verdict: Verdict
    ended: bool = False
    retry_in: float | None = None
    wake: Wake | None = None

    @property
    def accepted(self) -> bool:
        """Whether the report counts: the page is done, and its result stored."""
        return self.verdict in (Verdict.OK, Verdict.REPEATED)


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick found. ``tickets`` are to be sent; ``ended`` asks for the hook for the end;
    ``alarms`` are sentences.
    """

    tickets: tuple[str, ...] = ()
    reaped: int = 0
    ended: bool = False
    status: Status | None = None  # None: there is no such crawl
    alarms: tuple[str, ...] = ()


class Frontier:
    """The pages of the crawl ``name``, in the Redis of a client (``redis.Redis`` or
    ``redis.RedisCluster``, undecoded).

    All keys are ``{prefix}crawl:{name}:…`` with the name in braces, so that they share one Cluster
    slot; the name is also in the set ``{prefix}crawls``. ``buckets`` only matters to a crawl that
    is created: those of its known URLs, at first.

    Every method may raise ``FrontierUnavailable`` (Redis did not answer: repeat the call, all of
    them may be), and ``FrontierMisfit`` (the keys are not a crawl's of this version). Those that
    change something raise ``FrontierRefused`` if there is no such crawl.
    """

    def __init__(
        self, redis: RedisClient, name: str, *, prefix: str = "", buckets: int = BUCKETS
    ) -> None:
        if not CRAWL_NAME.fullmatch(name):
            raise FrontierRefused(
                f"{name!r} cannot name a crawl: use 1 to 64 letters, digits, '_', '.' or '-'"
            )
        self.redis: Any = redis  # whose own types allow text everywhere
        self.name, self.buckets = name, buckets
        self.index = f"{prefix}crawls"
        self.prefix = f"{prefix}crawl:{{{name}}}:"
        self._scripts = Scripts(redis, __package__)

    @staticmethod
    def names(redis: RedisClient, prefix: str = "") -> list[str]:
        """The crawls in this Redis, ended ones too, in alphabetical order."""
        with redis_errors():
            return sorted(map(server_checks.text_of, redis.smembers(f"{prefix}crawls")))

    def _run(self, script: str, *args: str | bytes | float) -> Any:
        return self._scripts.run(script, self.prefix, *args)

    def key(self, name: str) -> str:
        """The Redis key ``name`` of this crawl."""
        return self.prefix + name

    # -- the plan
    # ---------------------------------------------------------------------------------------------------------

    def create(self, plan: Plan, *, reset: bool = False, update: bool = False) -> bool:
        """Write ``plan``, once. True: it was written; False: the same crawl was there, has not
        ended, and goes on.

        ``reset`` clears what is there, and begins a new generation; ``update`` gives a crawl of
        another digest the new plan.

        Raises:
            CrawlExists: it has ended, or has another digest.
        """
        generation = 1
        if reset:
            generation = int(self._meta("generation") or 0) + 1
            self.clear()
        dropped, fields = encode_plan(plan)
        answer = self._run(
            "create",
            plan.digest,
            int(update),
            generation,
            "none" if plan.before_all else "done",
            self.buckets,
            len(dropped),
            *dropped,
            *fields,
        ).decode()
        self.enlist()
        if answer == "UPDATED":
            self.set_limits()  # the new ones may lift a limit, or have been passed
        if answer == "OTHER":
            raise CrawlExists(
                self.name,
                f"another definition of it is in the frontier ({self.snapshot().status}); update or"
                " reset it",
            )
        if answer not in ("CREATED", "EXISTS", "UPDATED"):
            raise CrawlExists(
                self.name, f"it has {answer}; reset it to begin anew, or resume it to go on"
            )
        return bool(answer == "CREATED")

    def enlist(self) -> None:
        """Put it among the crawls that are ticked and shown; ``create`` does, too."""
        with redis_errors():
            self.redis.sadd(self.index, self.name)

    def plan(self) -> Plan | None:
        """What is stored; None if there is no such crawl."""
        with redis_errors():
            fields = self.redis.hgetall(self.key("meta"))
        return (
            decode_plan(self.name, {k.decode(): v for k, v in fields.items()}) if fields else None
        )

    def digest(self) -> str | None:
        """The digest of the definition that is stored; None if there is no such crawl."""
        return self._meta("digest")

    def origin(self) -> str:
        """Tells this crawl from an earlier or later one of its name: when it was created. "" if
        there is none.
        """
        return self._meta("created") or ""

    def _meta(self, field: str) -> str | None:
        with redis_errors():
            value = self.redis.hget(self.key("meta"), field)
        return None if value is None else str(value.decode())

    # -- pages, on their way
    # ----------------------------------------------------------------------------------------------

    def enqueue(
        self,
        pages: Iterable[Page],
        *,
        parent: Claim | None = None,
        front: bool = False,
        skipped: Mapping[str, int] | None = None,
    ) -> Added:
        """Add those ``pages`` that are not known yet; in batches, each of them atomic.

        Pages found on a page are enqueued with its claim as ``parent``, before that one is
        finished: then the crawl cannot end too early, and a claim that has gone stale adds nothing
        (skipped: ``stale``). ``front`` puts them at the head of their queues. ``skipped`` are links
        that the caller dropped already, by reason, to be counted.

        Raises:
            FrontierRefused: the crawl has ended or is stopping, there is none, or Redis is full;
                earlier batches were added.
        """
        new = known = 0
        sums: dict[str, int] = {}
        dropped = dict(skipped or {})
        if front:
            pages = reversed(list(pages))
        for batch in portions(pages, least=bool(dropped)):
            args = packed(batch, parent, dropped)
            answer = self._enqueue(parent, front, dropped, args)
            if answer == b"STALE":
                sums["stale"] = sums.get("stale", 0) + len(args) // 3
            else:
                new, known = new + answer[0], known + answer[1]
                for reason, number in zip(answer[2::2], answer[3::2], strict=True):
                    sums[reason.decode()] = sums.get(reason.decode(), 0) + number
            dropped = {}
        return Added(new, known, sums)

    def _enqueue(
        self,
        parent: Claim | None,
        front: bool,
        skipped: Mapping[str, int],
        args: Sequence[str | int],
    ) -> Any:
        id_, token = (parent.page.id, parent.token) if parent else ("", "")
        return self._run("enqueue", id_, token, int(front), json.dumps(skipped), *args)

    def claim(self, worker: str, ticket: str | None = None, *, paced: bool = False) -> Turn:
        """Take the next page, or learn why there is none.

        ``ticket`` is the wake-up that is answered; None stands for whichever is the oldest. A
        turn's ``wait`` says in how many seconds another page is due, if none is before. With
        ``paced`` the page's lane, if it has a delay, serves nobody else until ``sent``.
        """
        token = secrets.token_hex(8)
        worker = worker.replace("\n", " ")
        answer = self._run("claim", token, worker, ticket or "", rand(), int(paced))
        outcome, wait, ended, login, *page = answer
        claim, first, waits = None, 0, 0
        if page:
            raw, deadline, first, waits = page
            claim = Claim(entries.page(raw), token, worker, deadline / 1_000)
        return Turn(
            Outcome(outcome.decode()),
            claim,
            in_seconds(wait),
            bool(first),
            int(login),
            bool(ended),
            bool(waits),
        )

    def sent(self, claim: Claim) -> Renewal:
        """Say that ``claim``'s page is requested now: its lane's delay counts from here, and it
        serves others again after it.

        For runs that claimed with ``paced``: what they do between claim and request is then no part
        of the delay.
        """
        return Renewal(self._run("sent", claim.page.id, claim.token, rand()).decode())

    def renew(self, claim: Claim) -> Renewal:
        """Extend the lease of ``claim`` by the crawl's ``lease``, up to the page's hard
        deadline.
        """
        return Renewal(self._run("renew", claim.page.id, claim.token).decode())

    def finish(
        self,
        claim: Claim,
        record: str,
        links: Iterable[Page] = (),
        *,
        skipped: Mapping[str, int] | None = None,
        result: str | None = None,
        final: str | None = None,
        item: bool = False,
        latency: float | None = None,
        status: int | None = None,
        wake: Mapping[str, int] | None = None,
    ) -> Ending:
        """The page is done, and its ``links`` are added, as by ``enqueue``: in one step, if one
        takes so many.

        Else those that are too many are added before, so that no page is done whose links are not
        there. ``record`` is the page's line in the list ``done``.

        ``result`` (JSON) goes to the stream ``results`` in the same step. ``final`` is the
        canonical key of the URL after redirects; it is marked as known, and if it was, as another
        page, this one counts as done but its result is dropped (``ALIAS``). ``item`` says that
        extract gave something. ``latency`` is the seconds that the host took, for the automatic
        throttle; ``status`` is of HTTP. ``skipped`` is as for ``enqueue``. ``wake`` are the tallies
        with which the method ``wake`` would be called next: that is done in the same step then.

        Raises:
            FrontierRefused: there are links, and Redis is full or the crawl has ended; the page is
                still this claim's.
        """
        dropped = dict(skipped or {})
        *before, last = [*portions(links, least=True)]
        if before:
            self.enqueue(chain.from_iterable(before), parent=claim, skipped=dropped)
            dropped = {}
        args = packed(last, claim, dropped)
        same = final is None or final == (claim.page.key or claim.page.url)
        bucket, value = ("", "") if same else entries.fingerprint(final or "")
        took = "" if latency is None else ms(latency)
        asked = ("", "") if wake is None else (secrets.token_hex(6), sums(wake))
        about = (
            claim.page.id,
            claim.token,
            record,
            result or "",
            int(item),
            bucket,
            value,
            took,
            status or 0,
            *asked,
        )
        leads_on = bool(args or dropped)
        verdict, ended, *more = (
            self._run("deregister", *about, json.dumps(dropped), *args)
            if leads_on
            else self._run("finish", *about)
        )
        return Ending(Verdict(verdict.decode()), bool(ended), wake=woken(more) if more else None)

    def fail(
        self,
        claim: Claim,
        failure: FailureClass,
        reason: str,
        *,
        status: int | None = None,
        delay: float | None = None,
    ) -> Ending:
        """The page was not done; its class decides what becomes of it.

        ``reason`` is one word or so, for the dead letter and for counting. ``delay`` is a
        Retry-After in seconds (capped by the policy); with INFRA and AWAY it is the time for which
        the crawl is held, by default one second, doubling up to a minute while nothing goes well.
        """
        wait = "" if delay is None else ms(delay)
        answer = self._run(
            "fail", claim.page.id, claim.token, failure.value, reason, status or 0, wait, rand()
        )
        return Ending(Verdict(answer[0].decode()), bool(answer[1]), in_seconds(answer[2]))

    def release(self, worker: str) -> int:
        """Give back at once what ``worker`` holds, without burning an attempt; the number of
        pages.
        """
        return self._release(worker.replace("\n", " ")) if worker else 0

    def _release(self, worker: str) -> int:
        with redis_errors():
            held = self.redis.hgetall(self.key("inflight"))
        ids = [
            id_
            for id_, value in held.items()
            if worker in ("", value.split(b"\n", 2)[1].decode("utf-8", "replace"))
        ]
        return sum(
            int(self._run("release", worker, *batch)) for batch in batches(ids, RELEASE_BATCH)
        )

    def recover(self) -> int:
        """Give back every claim, and forget wake-ups, holds and seed loaders: for a caller who
        knows that no worker is alive.
        """
        pages = self._release("")
        self._run("release", "")
        return pages

    # -- wake-ups and time
    # ------------------------------------------------------------------------------------------------

    def refusal(self, ticket: str | None = None) -> Outcome | None:
        """What a claim would be told, if the crawl is paused, stopping or over (``ticket`` is
        dropped then); else None.
        """
        status = Status(self._meta("status") or Status.FINISHED)
        if status in (Status.NEW, Status.ACTIVE, Status.DRAINING):
            return None
        if ticket:
            self.drop_ticket(ticket)
        if status is Status.PAUSED:
            return Outcome.PAUSED
        return Outcome.STOPPED if status in (Status.STOPPING, Status.STOPPED) else Outcome.FINISHED

    def wake(self, tallies: Mapping[str, int] | None = None) -> Wake:
        """Issue the wake-ups that are wanting; each of them is to be sent, once. If none is, say
        when there will be work.

        ``tallies`` (see ``timings``) are added to the crawl's in the same step; if the call has to
        be repeated, perhaps twice.
        """
        return woken(self._run("grant", secrets.token_hex(6), sums(tallies or {})))

    def grant(self) -> tuple[str, ...]:
        """The tickets of ``wake``, for a caller that sends none for later."""
        return self.wake().tickets

    def drop_ticket(self, ticket: str) -> None:
        """Give a wake-up back that could not be answered, or not be sent."""
        self._run("ticket", ticket, 0)

    def extend_ticket(self, ticket: str, life: float = 60.0) -> None:
        """Keep a wake-up for ``life`` more seconds: its run waits for a browser."""
        self._run("ticket", ticket, ms(life))

    def take_timer(self, wait: float) -> str | None:
        """Ask to send one wake-up in ``wait`` seconds: its ticket, or None if one that is due no
        later is on its way.
        """
        return f"timer-{secrets.token_hex(6)}" if self._run("timer", max(1, ms(wait))) else None

    def hold(self, seconds: float) -> None:
        """Let no page be claimed for ``seconds``: what all pages need is away. 0 ends the hold."""
        self._run("hold", ms(seconds))

    def reap(self, limit: int = 5) -> Reaped:
        """Take back at most ``limit`` pages whose lease ran out, as crashed; and at most a tenth of
        those in flight, or ten.
        """
        answer = self._run("reap", limit, rand())
        return Reaped(int(answer[0]), bool(answer[1]))

    def tick(self, limit: int = 25) -> Tick:
        """Everything that nobody is there to do: reap, see what is due, end what is over, issue
        wake-ups. Anybody may call.
        """
        answer = self._run("tick", limit, rand(), secrets.token_hex(6))
        reaped, ended, status, silent, held = answer[:5]
        alarms = []
        if silent != b"" and silent >= SILENCE_ALARM * 1_000:
            alarms.append(
                f"no page was claimed for {silent / 1_000:.0f} s, though pages wait: are workers"
                " running?"
            )
        if held != b"":
            alarms.append(
                f"held for another {held / 1_000:.0f} s: browsers or the network are away"
            )
        if reaped >= 10:
            alarms.append(f"{reaped} pages were taken back from workers that fell silent")
        alarms += server_checks.memory(self.redis)
        return Tick(
            tuple(ticket.decode() for ticket in answer[5:]),
            int(reaped),
            bool(ended),
            Status(status.decode()) if status else None,
            tuple(alarms),
        )

    def open_producer(self, name: str, life: float = PRODUCER_LIFE) -> None:
        """Say that ``name`` adds seeds for at least ``life`` seconds more: until it is closed, an
        empty queue is not the end.
        """
        self._run("produce", name, max(1, ms(life)))

    def close_producer(self, name: str) -> bool:
        """Say that ``name`` has added its last seed. True if this ended the crawl."""
        return bool(self._run("produce", name, 0))

    # -- the crawl's status
    # -----------------------------------------------------------------------------------------------

    def pause(self) -> Status:
        """Hand out no page until ``resume``; pages in flight finish. Survives restarts.

        Raises:
            FrontierRefused: the crawl is stopping, or over.
        """
        return Status(self._run("pause").decode())

    def resume(self, *, reopen: bool = False) -> Status:
        """Hand out pages again after a pause or a stop; ``reopen`` also a crawl that has ended.
        Ends at once if nothing is left.

        Raises:
            FrontierRefused: the crawl has ended, and ``reopen`` is not set.
        """
        return Status(self._run("resume", int(reopen))[0].decode())

    def stop(self, reason: str = "stopped") -> bool:
        """Begin no further page; those in flight finish, then the crawl is STOPPED. True if this
        very call ended it.
        """
        return bool(self._run("stop", reason, 0)[1])

    def cancel(self, reason: str = "cancelled") -> bool:
        """As ``stop``, and runs in flight are told at their next heartbeat to give their pages
        up.
        """
        return bool(self._run("stop", reason, 1)[1])

    def set_limits(self, **limits: Any) -> Status:
        """Change fields of the crawl's ``Policy`` while it goes on; None lifts a limit. One that is
        passed takes effect now.

        Raises:
            FrontierRefused: the policy has no such field, or the value is none of it.
        """
        dropped, fields = encode_limits(limits)
        return Status(self._run("limits", len(dropped), *dropped, *fields)[0].decode())

    def end_hook_done(self) -> None:
        """Say that the hook for the crawl's end was called. Until then, ticks ask for it again each
        minute, three times.
        """
        self._run("end_hook_done")

    def block_lane(self, lane: str, seconds: float) -> None:
        """Leave ``lane`` in peace for ``seconds`` (Retry-After); 0 lifts every block."""
        self._run("lane", entries.lane_name(lane), "blocked", ms(seconds))

    def set_lane_delay(self, lane: str, seconds: float) -> None:
        """Let at least ``seconds`` pass between two claims of ``lane`` (robots.txt); the crawl's
        own delay still holds.
        """
        self._run("lane", entries.lane_name(lane), "delay", ms(seconds))

    # -- before_all
    # -------------------------------------------------------------------------------------------------------

    def before_all_done(
        self, claim: Claim, login: Mapping[str, Json] | None = None
    ) -> tuple[Verdict, int]:
        """``before_all`` went well; ``login`` (JSON) is kept with the crawl, for every session of
        every worker. Its version.
        """
        text = "" if login is None else json.dumps(login, separators=(",", ":"))
        verdict, _, version = self._run("before", claim.page.id, claim.token, text, "")
        return Verdict(verdict.decode()), int(version)

    def before_all_failed(self, claim: Claim, reason: str = "it raised") -> Ending:
        """``before_all`` went wrong: the page is given back, and the next run tries. After three
        times the crawl is FAILED.
        """
        answer = self._run("before", claim.page.id, claim.token, "failed", reason)
        return Ending(Verdict(answer[0].decode()), bool(answer[1]))

    def logged_out(self, claim: Claim, version: int) -> Ending:
        """The page was requested with the log-in ``version``, and that has expired: it goes back
        without an attempt burned.

        The next run does ``before_all`` again, the others wait for it. A page that is logged out
        under three log-ins, or when three in a row brought no page, is failed with the reason
        ``login`` (``retry_in`` is None then).
        """
        verdict, ended, again = self._run("logout", claim.page.id, claim.token, version)
        return Ending(Verdict(verdict.decode()), bool(ended), 0.0 if again else None)

    def login(self) -> Mapping[str, Json] | None:
        """The log-in that is kept with the crawl; None if there is none."""
        with redis_errors():
            text = self.redis.get(self.key("login"))
        return None if text is None else dict(json.loads(text))

    def first_of_kind(self, kind: str, limit: int) -> bool:
        """Whether a failure is the first of its ``kind`` here, and fewer than ``limit`` kinds are
        known; 0 forgets this one.
        """
        return bool(self._run("first_of_kind", kind, limit))

    # -- looking
    # ----------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Counts and state at one instant.

        Raises:
            FrontierRefused: there is no such crawl.
        """
        (
            status,
            reason,
            generation,
            active,
            started,
            ended,
            held,
            processing,
            delayed,
            tickets,
            begun,
            *flat,
        ) = self._run("snapshot")
        counts, reasons = (
            {
                name.decode("utf-8", "replace"): int(n)
                for name, n in zip(names[::2], names[1::2], strict=True)
            }
            for names in flat
        )
        main = {name: counts.pop(name, 0) for name in ("accepted", "queued", "done", "failed")}
        return Snapshot(
            self.name,
            Status(status.decode()),
            reason.decode() or None,
            int(generation),
            **main,
            delayed=delayed,
            processing=processing,
            counts=counts,
            reasons=reasons,
            started=in_seconds(started),
            ended=in_seconds(ended),
            active=active / 1_000,
            held_until=in_seconds(held),
            tickets=tickets,
            begun=in_seconds(begun),
        )

    def tallies(self) -> dict[str, int]:
        """Sums of everything that ever happened to this crawl's pages, for metrics; see ``timings``
        for their names.
        """
        with redis_errors():
            found = self.redis.hgetall(self.key("tallies"))
        return {name.decode("utf-8", "replace"): int(value) for name, value in found.items()}

    def end_hook_pending(self) -> bool:
        """Whether the crawl has ended and nobody has said yet that the hook for its end was
        called.
        """
        with redis_errors():
            status, done = self.redis.hmget(self.key("meta"), "status", "end_hook_done")
        return status is not None and Status(status.decode()).ended and done != b"1"

    def seen(self, key: str) -> bool:
        """Whether the canonical URL ``key`` is known: queued once, whatever became of it, or the
        end of a redirect.
        """
        return bool(self._run("seen", *entries.fingerprint(key)))

    def queued(self, start: int = 0, count: int = 100) -> list[Page]:
        """Waiting pages, lane by lane, high priority first."""
        found: list[Page] = []
        with redis_errors():
            for name, length in self._queues():
                if start >= length:
                    start -= length
                    continue
                found += map(
                    entries.page, self.redis.lrange(name, start, start + count - len(found) - 1)
                )
                start = 0
                if len(found) >= count:
                    break
        return found

    def _queues(self) -> Iterator[tuple[str, int]]:
        """The lists of waiting pages that are not empty, and their lengths."""
        for lanes in batches(sorted(self._lanes()), 500):
            names = [
                name
                for lane in lanes
                for name in server_checks.queue_names(self.prefix, lane.decode())
            ]
            pipe = self.redis.pipeline(transaction=False)
            for name in names:
                pipe.llen(name)
            yield from (
                (name, length) for name, length in zip(names, pipe.execute(), strict=True) if length
            )

    def _lanes(self) -> set[bytes]:
        """The names of all lanes, read in small steps."""
        return set(self.redis.sscan_iter(self.key("lanes"), count=WINDOW))

    def delayed(self, start: int = 0, count: int = 100) -> list[Page]:
        """Pages that wait for their next attempt, the first one due first."""
        with redis_errors():
            return [
                entries.page(raw)
                for raw in self.redis.zrange(self.key("delayed"), start, start + count - 1)
            ]

    def processing(self, start: int = 0, count: int = 100) -> list[Claim]:
        """Pages that are being worked on, and by whom. The tokens are real: whoever holds one may
        report.
        """
        with redis_errors():
            values = sorted(
                self.redis.hvals(self.key("inflight")),
                key=lambda value: int(value.split(b"\n", 4)[3]),
            )
        return [entries.claim(value) for value in values[start : start + count]]

    def done(self, start: int = 0, count: int = 100) -> list[str]:
        """The records of finished pages, oldest first; fewer than ``counts`` says if somebody
        drained the list.
        """
        return [raw.decode("utf-8", "replace") for raw in self._range("done", start, count)]

    def failed(self, start: int = 0, count: int = 100) -> list[FailedPage]:
        """Dead letters, oldest first."""
        return [entries.letter(raw) for raw in self._range("failed", start, count)]

    def _range(self, name: str, start: int, count: int) -> list[bytes]:
        with redis_errors():
            return list(self.redis.lrange(self.key(name), start, start + count - 1))

    def results(self, after: str = "0", count: int = 500) -> list[tuple[str, int, str]]:
        """Results after the stream id ``after``: stream id, running number of the result from 1 (a
        gap: trimmed), JSON.
        """
        with redis_errors():
            found = self.redis.xrange(self.key("results"), f"({after}", "+", count)
        return [
            (id_.decode(), int(fields[b"n"]), fields[b"json"].decode("utf-8", "replace"))
            for id_, fields in found
        ]

    # -- repair and the end
    # -----------------------------------------------------------------------------------------------

    def retry_failed(self, ids: Sequence[str] | None = None) -> int:
        """Send dead letters back to their queues, all or those of ``ids``; a crawl that has ended
        is re-opened. Their number.
        """
        wanted = None if ids is None else set(ids)
        back, left = 0, self._length("failed")
        # what is not chosen goes round
        while left > 0 and (letters := self._range("failed", 0, min(left, LETTER_BATCH))):
            chosen = [
                raw for raw in letters if wanted is None or entries.letter(raw).page.id in wanted
            ]
            back += int(self._run("retry", len(letters), *chosen))
            left -= len(letters)
        return back

    def _length(self, name: str) -> int:
        with redis_errors():
            return int(self.redis.llen(self.key(name)))

    def clear(self) -> int:
        """Delete everything about this crawl, in small steps; the number of keys. Runs in flight
        find their claims stale.
        """
        with redis_errors():
            return server_checks.clear_keys(self.redis, self.prefix, self.index, self.name)

    def audit(self) -> list[str]:
        """What is wrong with the crawl's keys, in sentences; empty if it is well.

        One atomic step, so the crawl may go on meanwhile. With more than 500 lanes it is closed
        while it is examined in many steps, some seconds for a hundred thousand lanes: whoever calls
        meanwhile waits.
        """
        return self._examine("audit")

    def repair(self) -> list[str]:
        """Rebuild what is derived (claims, lanes, counts) from the lists, which are true; what was
        wrong, in sentences.

        As with ``audit``, the crawl may go on meanwhile, or waits. What nobody holds any more is
        tried again after the next ``reap``. A repair that was interrupted is to be repeated.

        Raises:
            FrontierUnavailable: also if it took so long that the crawl went on.
        """
        return self._examine("repair")

    def _examine(self, script: str) -> list[str]:
        answer = self._run(script, "all")
        if answer == b"LARGE":
            with self._closed():
                answer = list(self._examine_in_steps(script))
        return [sentence.decode("utf-8", "replace") for sentence in answer]

    def _examine_in_steps(self, script: str) -> Iterator[bytes]:
        yield from self._run(script, "pages")
        with redis_errors():
            lanes = self._places()
        steps = [
            [field for lane in batch for field in lane] for batch in batches(lanes, LANE_BATCH)
        ]
        queued, damaged = 0, False
        for fields in steps:
            number, *wrong = self._run(script, "lanes", *fields)
            queued, damaged = queued + number, damaged or bool(wrong)
            yield from wrong
        if damaged and script == "repair":
            self._run(script, "clear")
            for fields in steps:
                self._run(script, "replace", *fields)
        yield from self._run(script, "counts", queued)

    def _places(self) -> list[tuple[bytes, str, int]]:
        """Every lane, where it is ("ready", "snoozed", "", or several of them), and its number of
        pages in flight.
        """
        where: dict[bytes, list[str]] = {lane: [] for lane in self._lanes()}
        for lane in self._windows("ready", self.redis.lrange):
            where.setdefault(lane, []).append("ready")
        for lane in self._windows("snoozed", self.redis.zrange):
            where.setdefault(lane, []).append("snoozed")
        running = Counter(
            entries.page(raw).lane.encode()
            for raw in self._windows("processing", self.redis.lrange)
        )
        return [
            (lane, " and ".join(where.get(lane, [])), running[lane])
            for lane in sorted(where.keys() | running.keys())
        ]

    def _windows(self, name: str, read: Any) -> Iterator[bytes]:
        start = 0
        while window := read(self.key(name), start, start + WINDOW - 1):
            yield from window
            start += WINDOW

    @contextmanager
    def _closed(self) -> Iterator[None]:
        """Let nobody else do anything with the crawl."""
        token = secrets.token_hex(8)
        self._run("close", token, ms(CLOSED_LIFE))
        try:
            yield
        finally:
            ours = self._run("close", token, 0)
        if not ours:
            raise FrontierUnavailable(
                f"it took more than {CLOSED_LIFE:.0f} s, and the crawl went on meanwhile: repeat it"
            )


def packed(pages: Iterable[Page], parent: Claim | None, dropped: dict[str, int]) -> list[str | int]:
    """``pages`` as scripts take them; those that cannot be written are counted in ``dropped``."""
    args: list[str | int] = []
    for page in pages:
        text = entries.entry(page, parent.page.id if parent else None)
        if text is None:
            dropped["invalid"] = dropped.get("invalid", 0) + 1
        else:
            args += [*entries.fingerprint(page.key or page.url), text]
    return args


def portions(pages: Iterable[Page], *, least: bool) -> Iterator[list[Page]]:
    """``pages`` in lists that one call may take; with ``least`` an empty one if there are none."""
    portion: list[Page] = []
    length = 0
    for page in pages:
        if len(portion) == BATCH or (
            portion and length + len(page.url) + len(page.key) > BATCH_LENGTH
        ):
            yield portion
            portion, length, least = [], 0, False
        portion.append(page)
        length += len(page.url) + len(page.key)
    if portion or least:
        yield portion


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def rand() -> float:
    """A number in [0,1) for a script, in which Lua's own would be the same every time."""
    return random.random()  # noqa: S311


def ms(seconds: float) -> int:
    """Seconds as the milliseconds that Redis holds."""
    return round(seconds * 1_000)


def in_seconds(ms: int | bytes) -> float | None:
    """Milliseconds that a script returned, as seconds; None for its empty string."""
    return None if ms == b"" else int(ms) / 1_000


def sums(tallies: Mapping[str, int]) -> str:
    """``tallies`` for a script: one text, which is packed fastest."""
    return " ".join([f"{name} {amount}" for name, amount in tallies.items()])


def woken(answer: Sequence[Any]) -> Wake:
    """What the script ``grant`` returned."""
    wait, *tickets = answer
    return Wake(tuple(ticket.decode() for ticket in tickets), in_seconds(wait))
