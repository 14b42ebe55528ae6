"""The frontier of one crawl: one method, one script, one atomic step.

The lists of its pages are read in ``listing.py``, its keys are examined and mended in
``repair.py``, the server is examined in ``server_checks.py``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from ..errors import FrontierMistyped, FrontierRefused
from ..model import (
    Claim,
    FailureClass,
    Json,
    Outcome,
    Page,
    Plan,
    Snapshot,
    Status,
    Turn,
    is_crawl_name,
)
from ..observe.logs import logger
from ..redaction import masked
from ..storage.connection import RedisClient
from ..storage.errors import redis_errors
from ..storage.scripts import Scripts
from ..storage.server import memory_alarms, text_of
from ..text.encodable import encodable, encodable_value
from ..text.printable import printable
from . import entries
from .answers import (
    UNKNOWN,
    Added,
    Content,
    Creation,
    Ending,
    Renewal,
    RouteTally,
    Standing,
    Tick,
    Update,
    Verdict,
    Wake,
    parse_standing,
    parse_wake,
    to_seconds,
)
from .arguments import (
    LETTER_BATCH,
    REASON_MAX,
    RELEASE_BATCH,
    batches,
    pack_pages,
    pack_route,
    pack_skipped,
    pack_tallies,
    portions,
    rand,
    to_ms,
)
from .keys import delete_keys, move_aside
from .plan import decode_plan, encode_limits, encode_plan

log = logger(__name__)

#: Keys that were moved aside that a line of the log names.
KEYS_NAMED = 5
#: Buckets that known URLs have at first; see ``lua/lib/seen.lua``.
BUCKETS = 32
#: Seconds for which a seed loader counts as alive after it last said so.
PRODUCER_LIFE = 60.0
#: Seconds on its way after which a wake-up counts as lost, if there was an outage meanwhile.
LOST_AFTER = 3.0
#: Seconds without a claim, while pages could be claimed, after which a tick raises an alarm.
SILENCE_ALARM = 600.0


class Frontier:
    """The pages of the crawl ``name``, in the Redis of a client (``redis.Redis`` or
    ``redis.RedisCluster``, undecoded).

    All keys are ``{prefix}crawl:{name}:…`` with the name in braces, so that they share one Cluster
    slot; the name is also in the set ``{prefix}crawls``. ``buckets`` only matters to a crawl that
    is created: so many its known URLs have at first.

    Every method may raise ``FrontierUnavailable`` (Redis did not answer: repeat the call, every one
    may be), and ``FrontierMisfit`` (the keys are not a crawl's of this version). Methods that
    change something raise ``FrontierRefused`` if no such crawl exists.
    """

    def __init__(
        self, redis: RedisClient, name: str, *, prefix: str = "", buckets: int = BUCKETS
    ) -> None:
        if not is_crawl_name(name):
            raise FrontierRefused(
                f"{name!r} cannot name a crawl: use 1 to 64 letters, digits, '_', '.' or '-',"
                " no '.' at the end, and no device (CON)"
            )
        self.redis: Any = redis  # whose own types allow text everywhere
        self.name, self.buckets = name, buckets
        self.index = f"{prefix}crawls"
        self.prefix = f"{prefix}crawl:{{{name}}}:"
        self.scripts = Scripts(redis, __package__)

    @staticmethod
    def names(redis: RedisClient, prefix: str = "") -> list[str]:
        """Return the crawls in this Redis, ended ones too, in alphabetical order."""
        with redis_errors():
            return sorted(map(text_of, redis.smembers(f"{prefix}crawls")))

    @classmethod
    def statuses(cls, redis: RedisClient, names: Iterable[str], prefix: str = "") -> dict[str, str]:
        """Return the statuses of those crawls ``names`` that were started, in one round trip."""
        names = list(names)
        with redis_errors():
            pipe: Any = redis.pipeline(transaction=False)
            for name in names:
                pipe.hget(cls(redis, name, prefix=prefix).key("meta"), "status")
            found = pipe.execute() if names else []
        return {
            name: text_of(status)
            for name, status in zip(names, found, strict=True)
            if status is not None
        }

    def run_script(self, name: str, *args: str | bytes | float) -> Any:
        """Run a script on this crawl: for the modules of this folder. Keys of the crawl that
        somebody else wrote are moved aside first, if it finds one that is not of our type.
        """
        try:
            return self.scripts.run(name, self.prefix, *args)
        except FrontierMistyped:
            if not self.move_aside():
                raise
            return self.scripts.run(name, self.prefix, *args)

    def move_aside(self) -> list[str]:
        """Rename keys of this crawl that are not of our type; return what they were called."""
        with redis_errors():
            moved = move_aside(self.redis, self.prefix)
        if moved:
            words = "%s: these keys were not of our type, and were moved aside: %s"
            log.warning(words, self.name, printable(", ".join(moved[:KEYS_NAMED])))
        return moved

    def key(self, name: str) -> str:
        """Return the Redis key ``name`` of this crawl."""
        return self.prefix + name

    # -- the plan

    def create(self, plan: Plan, *, reset: bool = False, update: Update = Update.NEVER) -> Creation:
        """Write ``plan``, once; return what became of it.

        ``reset`` clears an existing crawl, and begins a new generation; ``update`` says whether a
        crawl of another digest takes the plan.
        """
        generation = 1
        if reset:
            generation = int(self._meta("generation") or 0) + 1
            self.clear()
        return self.write_plan(plan, update=update, generation=generation)

    def write_plan(
        self,
        plan: Plan,
        *,
        update: Update = Update.NEVER,
        generation: int = 1,
        left: Sequence[str] = (),
    ) -> Creation:
        """Write ``plan`` as :meth:`create` does. ``left`` are keys of a generation that has ended,
        without which another one begins: see ``Memory.begin``.
        """
        dropped, fields = encode_plan(plan)
        before_all = "none" if plan.before_all else "done"
        entries = [text for host, private in plan.entries.items() for text in (host, int(private))]
        sizes = (len(entries), len(dropped), len(left))
        head = (plan.digest, update.value, generation, before_all, self.buckets, *sizes)
        answer = Creation(
            self.run_script("create", *head, *entries, *dropped, *left, *fields).decode()
        )
        self.enlist()
        if answer is Creation.UPDATED:
            self.set_limits()  # the new ones may lift a limit, or have been passed
        return answer

    def clear(self) -> int:
        """Delete everything about this crawl, in small steps; return the number of keys.

        Runs in flight find their claims stale.
        """
        with redis_errors():
            deleted = delete_keys(self.redis, self.prefix)
            self.redis.srem(self.index, self.name)
        return deleted

    def enlist(self) -> None:
        """Put the crawl among those that are ticked and shown; ``create`` does that, too."""
        with redis_errors():
            self.redis.sadd(self.index, self.name)

    def delist(self) -> None:
        """Take the crawl off the list of those that are ticked and shown; it stays as it is."""
        with redis_errors():
            self.redis.srem(self.index, self.name)

    def plan(self) -> Plan | None:
        """Return the stored plan; None if no such crawl exists."""
        with redis_errors():
            fields = self.redis.hgetall(self.key("meta"))
        meta = {name.decode(): value for name, value in fields.items()}
        return decode_plan(self.name, meta) if meta else None

    def digest(self) -> str | None:
        """Return the digest of the stored definition; None if no such crawl exists."""
        return self._meta("digest")

    def private_entries(self) -> list[str]:
        """Return the hosts at which the crawl starts that were at private addresses when it was
        created.
        """
        return [host for host, private in self.entries().items() if private]

    def entries(self) -> dict[str, bool]:
        """Return the hosts at which the crawl starts, and whether each was at a private address
        when it was created.
        """
        with redis_errors():
            decided = self.redis.hgetall(self.key("entries"))
        return {host.decode(): private == b"1" for host, private in decided.items()}

    def entries_version(self) -> int:
        """Return the version of :meth:`private_entries`; 0: nothing was decided."""
        return int(self._meta("entries") or 0)

    def origin(self) -> str:
        """Return when the crawl was created, which tells it from another one of its name; "" if no
        such crawl exists.
        """
        return self._meta("created") or ""

    def _meta(self, field: str) -> str | None:
        with redis_errors():
            value = self.redis.hget(self.key("meta"), field)
        return None if value is None else str(value.decode())

    # -- pages, on their way

    def enqueue(
        self,
        pages: Iterable[Page],
        *,
        parent: Claim | None = None,
        delivery: str = "",
        front: bool = False,
        again: bool = False,
        skipped: Mapping[str, int] | None = None,
        examples: Mapping[str, str] | None = None,
    ) -> Added:
        """Add those ``pages`` that are not known yet; in batches, each of them atomic.

        Pages found on a page are enqueued with its claim as ``parent``, before that page is
        finished: then the crawl cannot end too early, and a claim that has gone stale adds nothing
        (skipped: ``stale``). In the same way pages that a hook asks for are enqueued with the name
        of the ``delivery`` that is made to it. ``front`` puts them at the head of their queues;
        ``again``: those that the crawl is done with are queued again (as single pages with this
        mark). ``skipped`` are links that the caller dropped already, by reason, to be counted;
        ``examples`` has a URL for some of these reasons.

        Raises:
            FrontierRefused: the crawl has ended, is stopping or does not exist, or Redis is full;
                earlier batches were added.
        """
        new = known = 0
        sums: dict[str, int] = {}
        dropped = dict(skipped or {})
        proof = (
            (parent.page.id, parent.token) if parent else (delivery.rpartition("-")[2], delivery)
        )
        if front:
            pages = reversed(list(pages))
        for batch in portions(pages, at_least_one=bool(dropped)):
            args = pack_pages(batch, proof[0] or None, dropped, again=again)
            counted = pack_skipped(dropped, examples or {})
            answer = self.run_script("enqueue", *proof, int(front), counted, *args)
            if answer == b"STALE":
                sums["stale"] = sums.get("stale", 0) + len(args) // 3
            else:
                new, known = new + answer[0], known + answer[1]
                for reason, number in zip(answer[2::2], answer[3::2], strict=True):
                    sums[reason.decode()] = sums.get(reason.decode(), 0) + number
            dropped = {}
        return Added(new, known, sums)

    def claim(self, worker: str, ticket: str | None = None, *, paced: bool = False) -> Turn:
        """Take the next page, or learn why there is none.

        ``ticket`` is the wake-up that is answered; None stands for the oldest one. A turn's
        ``wait`` says in how many seconds another page is due, if none is before. With ``paced`` the
        page's lane, if it has a delay, serves no other run until ``sent``.
        """
        token = secrets.token_hex(8)
        worker = worker.replace("\n", " ")
        answer = self.run_script("claim", token, worker, ticket or "", rand(), int(paced))
        outcome, wait, ended, login, *page = answer
        claim, first, waits, entries_version = None, 0, 0, 0
        if page:
            raw, deadline, first, waits, entries_version, known, alone = page
            found, end = entries.decode_page(raw), deadline / 1_000
            digest = known.decode()
            claim = Claim(
                *(found, token, worker, end),
                known=digest.removesuffix("+"),
                again=digest.endswith("+"),
                alone=bool(alone),
            )
        return Turn(
            Outcome(outcome.decode()),
            claim,
            to_seconds(wait),
            bool(first),
            int(login),
            bool(ended),
            bool(waits),
            entries_version,
        )

    def note_fetched(
        self,
        route: str = "",
        verdict: str = "",
        shape: str = "",
        text: str = "",
        shapes: int = 0,
        time: int = 0,
    ) -> dict[str, str]:
        """Note what a comparison of a page by HTTP and by Chrome said ("same", "differs"; "": there
        was none), and return all notes, by name. ``time`` is the note of that name that was there
        before the page was requested: pages that were done before it are no longer in doubt, if it
        is the same. Those of routes that differ are queued again, some at each call: how many is
        the note ``again``. See ``lua/fetched.lua``.
        """
        args = (route, verdict, shape, encodable(text, REASON_MAX), shapes, time)
        notes = [one.decode("utf-8", "replace") for one in self.run_script("fetched", *args)]
        return dict(zip(notes[::2], notes[1::2], strict=True))

    def sent(self, claim: Claim) -> Renewal:
        """Say that ``claim``'s page is requested now: its lane's delay counts from here, and it
        serves others again after it.

        For runs that claimed with ``paced``: their steps between claim and request are then no part
        of the delay.
        """
        return Renewal(self.run_script("sent", claim.page.id, claim.token, rand()).decode())

    def submit(self, claim: Claim) -> Renewal:
        """Say that the form of ``claim``'s page is about to be sent: the page is not tried again
        from now on, also if no report comes. Unless the answer is OK it must not be sent.
        """
        return Renewal(self.run_script("submit", claim.page.id, claim.token).decode())

    def renew(self, claim: Claim, step: str = "") -> Renewal:
        """Extend the lease of ``claim`` by the crawl's ``lease``, up to the page's hard
        deadline. ``step`` is the step that its run is at, for those who look.
        """
        return Renewal(self.run_script("renew", claim.page.id, claim.token, step).decode())

    def finish(
        self,
        claim: Claim,
        record: str,
        links: Iterable[Page] = (),
        *,
        skipped: Mapping[str, int] | None = None,
        examples: Mapping[str, str] | None = None,
        result: str | None = None,
        final: str | None = None,
        item: bool = False,
        latency: float | None = None,
        status: int | None = None,
        wake: Mapping[str, int] | None = None,
        deliver: bool = False,
        version: str = "",
        route: RouteTally | None = None,
        skipped_for: str | None = None,
        content: Content = UNKNOWN,
        revisit: float | None = None,
        doubt: str | None = None,
    ) -> Ending:
        """Report the page as done, and add its ``links``, as ``enqueue`` does: in one step, if one
        takes so many.

        Links that are too many for one step are added before, so that no page is done whose links
        are missing. ``record`` is the page's line in the list ``done``.

        ``result`` (JSON) goes to the stream ``results`` in the same step. ``final`` is the
        canonical key of the URL after redirects; it is marked as known, and if it was, as another
        page, this one counts as done but its result is dropped (``ALIAS``). ``item`` says that
        ``extract`` gave something. ``latency`` is the seconds that the host took, for the automatic
        throttle; ``status`` is of HTTP. ``skipped`` and ``examples`` are as for ``enqueue``.
        ``wake`` are the tallies with which the method ``wake`` would be called next: the same step
        does that, too. ``deliver`` promises the result to the hook ``after``: the crawl cannot end
        until ``wake`` says that it was delivered (as ``after-ID``), or it is a dead letter (see
        ``Outbox``). ``version`` is that of the definition by which the page was done, ``route`` the
        one that it took; see ``Snapshot.versions`` and ``Snapshot.routes``. ``skipped_for``
        is why a hook skipped it; None: none did. ``content`` is its item, compared with that of
        its last visit; it is remembered. ``revisit``: the page is visited again in so many seconds.
        ``doubt`` is the route of a page that came by HTTP, and is queued again if a comparison
        finds that pages of that route differ by Chrome; None: it is not in doubt.

        Raises:
            FrontierRefused: there are links, and Redis is full or the crawl has ended; the page is
                still this claim's.
        """
        dropped = dict(skipped or {})
        # the page itself, again, last: it is done with in the step that reports it
        ordered = sorted(links, key=lambda link: link.id == claim.page.id)
        *before, last = [*portions(ordered, at_least_one=True)]
        if before:
            pages = chain.from_iterable(before)
            self.enqueue(pages, parent=claim, skipped=dropped, examples=examples)
            dropped = {}
        args = pack_pages(last, claim.page.id, dropped)
        same = final is None or final == (claim.page.key or claim.page.url)
        report = (
            *(claim.page.id, claim.token, record, result or "", int(item)),
            *(("", "") if same else entries.fingerprint(final or "")),
            *("" if latency is None else to_ms(latency), status or 0),
            *(("", "") if wake is None else (secrets.token_hex(6), pack_tallies(wake))),
            *(claim.worker if deliver else "", version, *pack_route(route), skipped_for or ""),
            *(content.change, content.digest, int(content.left_out)),
            "" if revisit is None else to_ms(revisit),
            "" if doubt is None else f"={doubt}",
        )
        if args or dropped:
            counted = pack_skipped(dropped, examples or {})
            answer = self.run_script("deregister", *report, counted, *args)
        else:
            answer = self.run_script("finish", *report)
        verdict, ended, *wakes = answer
        issued = parse_wake(wakes) if wakes else None
        return Ending(Verdict(verdict.decode()), bool(ended), wake=issued)

    def fail(
        self,
        claim: Claim,
        failure: FailureClass,
        reason: str,
        *,
        status: int | None = None,
        delay: float | None = None,
        own: bool = True,
        version: str = "",
        route: RouteTally | None = None,
        revisit: float | None = None,
    ) -> Ending:
        """Report that the page was not done; its class decides what becomes of it.

        ``reason`` is one word or so, for the dead letter and for counting; at most 400 characters
        of it are kept. ``delay`` is a
        Retry-After in seconds (capped by the policy); with INFRA and AWAY it is the time for which
        the crawl is held, by default one second, doubling up to a minute while nothing goes well.
        ``own``: the caller has the claim, and calls the hook ``failed``; else a tick asks for it.
        ``version`` is that of the definition by which the page was tried, ``route`` the one
        that it took. ``revisit``: after its last attempt the page is visited again in so many
        seconds, unless it is gone.
        """
        wait = "" if delay is None else to_ms(delay)
        reason = encodable(reason, REASON_MAX)
        report = (claim.page.id, claim.token, failure.value, reason, status or 0, wait)
        again = "" if revisit is None else to_ms(revisit)
        last = (rand(), int(own), version, *pack_route(route), again)
        verdict, ended, retry = self.run_script("fail", *report, *last)
        return Ending(Verdict(verdict.decode()), bool(ended), to_seconds(retry))

    def release(self, worker: str) -> int:
        """Give back at once the pages that ``worker`` holds, without burning an attempt; return
        their number.
        """
        return self._release(worker.replace("\n", " ")) if worker else 0

    def recover(self) -> int:
        """Give back every claim, and forget wake-ups, holds and seed loaders; return the number of
        pages.

        For a caller who knows that no worker is alive.
        """
        pages = self._release("")
        while self.run_script("release", ""):
            pass  # each call makes some deliveries due
        return pages

    def _release(self, worker: str) -> int:
        """Give back the pages of ``worker``, or, if that is "", of every worker."""
        with redis_errors():
            inflight = self.redis.hgetall(self.key("inflight"))
        ids = [id_ for id_, value in inflight.items() if worker in ("", entries.worker_of(value))]
        return sum(
            int(self.run_script("release", worker, *batch)) for batch in batches(ids, RELEASE_BATCH)
        )

    def retry_failed(self, ids: Sequence[str] | None = None) -> int:
        """Send dead letters back to their queues, all or those of ``ids``; return their number.
        Forms that were sent go back only by their ids.

        A crawl that has ended is re-opened.
        """
        wanted = None if ids is None else set(ids)
        with redis_errors():
            left = int(self.redis.llen(self.key("failed")))
        back = 0
        while left > 0 and (letters := self._oldest_letters(min(left, LETTER_BATCH))):
            chosen = [
                raw
                for raw in letters
                if (
                    not entries.is_sent_letter(raw)
                    if wanted is None
                    else entries.decode_letter(raw).page.id in wanted
                )
            ]
            # the script moves the others to the end of the list
            back += int(self.run_script("retry", len(letters), *chosen))
            left -= len(letters)
        return back

    def _oldest_letters(self, count: int) -> list[bytes]:
        with redis_errors():
            return list(self.redis.lrange(self.key("failed"), 0, count - 1))

    # -- wake-ups and time

    def refusal(self, ticket: str | None = None) -> Outcome | None:
        """Return the outcome of a claim if the crawl is paused, stopping or over (``ticket`` is
        dropped then); else None: the caller is about to start a browser.
        """
        status = Status(self.run_script("starts_browser").decode() or Status.FINISHED)
        if status in (Status.NEW, Status.ACTIVE, Status.DRAINING):
            return None
        if ticket:
            self.drop_ticket(ticket)
        if status is Status.PAUSED:
            return Outcome.PAUSED
        return Outcome.STOPPED if status in (Status.STOPPING, Status.STOPPED) else Outcome.FINISHED

    def wake(
        self,
        tallies: Mapping[str, int] | None = None,
        delivered: Sequence[str] = (),
        worker: str = "",
    ) -> Wake:
        """Issue the missing wake-ups; the caller sends each of them, once. If none is missing, say
        when there will be work.

        ``tallies`` (see ``run/timings.py``) are added to the crawl's in the same step; if the call
        has to be repeated, perhaps twice. ``delivered`` are names of deliveries that their hooks
        took in ``worker``; the last one may end the crawl.
        """
        sums = pack_tallies(tallies or {})
        ended, *reply = self.run_script(
            "grant", secrets.token_hex(6), sums, " ".join(delivered), worker
        )
        return replace(parse_wake(reply), ended=bool(ended))

    def drop_ticket(self, ticket: str, error: str = "") -> None:
        """Give back a wake-up that could not be answered, or not be sent for this ``error``."""
        self.run_script("drop_ticket", ticket, encodable(error, REASON_MAX))

    def start_error(self) -> str | None:
        """Return the error that keeps wake-ups from being sent; None if one arrived since."""
        with redis_errors():
            error, at, claim = self.redis.hmget(
                self.key("meta"), "start_error", "start_error_at", "last_claim"
            )
        if error is None or int(claim or 0) > int(at):
            return None
        return str(error.decode("utf-8", "replace"))

    def take_timer(self, wait: float) -> str | None:
        """Ask to send one wake-up in ``wait`` seconds: its ticket, or None if one that is due no
        later is on its way.
        """
        taken = self.run_script("timer", max(1, to_ms(wait)))
        return f"timer-{secrets.token_hex(6)}" if taken else None

    def hold(self, seconds: float, reason: str = "") -> None:
        """Let no page be claimed for ``seconds``: something that all pages need is away, as
        ``reason`` says. 0 ends the hold.
        """
        self.run_script("hold", to_ms(seconds), encodable(reason, REASON_MAX))

    def tick(self, limit: int = 25, *, able: bool = True, outage: bool = False) -> Tick:
        """Do everything that no run is there to do; any caller suffices.

        Take back pages whose lease ran out (at most ``limit``, and at most a tenth of those in
        flight, or ten), see what is due, end what is over, issue wake-ups. ``able``: False for a
        caller that cannot run this crawl; wake-ups and hooks are then left to another. After an
        ``outage`` of the broker or of this Redis, wake-ups that are under way for seconds count as
        lost.
        """
        lost = to_ms(LOST_AFTER) if outage else ""
        answer = self.run_script("tick", limit, rand(), secrets.token_hex(6), int(able), lost)
        reaped, ended, status, silent, held, damaged, waits, *tickets = answer
        alarms = []
        if silent != b"" and silent >= to_ms(SILENCE_ALARM):
            alarms.append(
                f"no page was claimed for {silent / 1_000:.0f} s, though pages wait: are workers"
                " running?"
            )
        if held != b"":
            alarms.append(f"held for another {held / 1_000:.0f} s; why: crawler info {self.name}")
        if reaped >= 10:
            alarms.append(f"{reaped} pages were taken back from workers that fell silent")
        alarms += memory_alarms(self.redis)
        return Tick(
            tuple(ticket.decode("utf-8", "replace") for ticket in tickets),
            int(reaped),
            bool(ended),
            Status(status.decode()) if status else None,
            tuple(alarms),
            bool(damaged),
            to_seconds(waits),
        )

    def set_lane_delay(self, lane: str, seconds: float) -> None:
        """Let at least ``seconds`` pass between two claims of ``lane`` (robots.txt); the crawl's
        own delay still holds.
        """
        self.run_script("lane_delay", entries.lane_name(lane), to_ms(seconds))

    # -- seeds

    def open_producer(self, name: str, life: float = PRODUCER_LIFE) -> None:
        """Say that ``name`` adds seeds for at least ``life`` seconds more: until it is closed, an
        empty queue is not the end.
        """
        self.run_script("produce", name, max(1, to_ms(life)))

    def close_producer(self, name: str) -> bool:
        """Say that ``name`` has added its last seed. True if this ended the crawl."""
        return bool(self.run_script("produce", name, 0))

    def mark_seeded(self, digest: str, origin: str) -> None:
        """Remember that every seed of the definition with this digest was queued, in the crawl of
        this :meth:`origin`.

        Raises:
            FrontierRefused: that crawl is forgotten, or another has its name since.
        """
        self.run_script("seeded", origin, digest)

    def is_seeded(self, digest: str) -> bool:
        """Whether every seed of the definition with this digest was queued since the crawl was
        created.
        """
        mark = f"{self.origin()} {digest}"
        with redis_errors():
            return bool(self.redis.get(self.key("seeds")) == mark.encode())

    # -- the crawl's status

    def pause(self, by: str = "") -> Status:
        """Hand out no page until ``resume``; pages in flight finish. Survives restarts. ``by``
        says who pauses it.

        Raises:
            FrontierRefused: the crawl is stopping, or over.
        """
        return Status(self.run_script("pause", encodable(by, REASON_MAX)).decode())

    def resume(self, *, reopen: bool = False) -> Status:
        """Hand out pages again after a pause or a stop; with ``reopen`` also if the crawl has
        ended. Ends at once if nothing is left.

        Raises:
            FrontierRefused: the crawl has ended, and ``reopen`` is not set.
        """
        return Status(self.run_script("resume", int(reopen))[0].decode())

    def stop(self, reason: str = "stopped") -> bool:
        """Begin no further page; those in flight finish, then the crawl is STOPPED. True if this
        very call ended it.
        """
        return bool(self.run_script("stop", reason, 0)[1])

    def cancel(self, reason: str = "cancelled") -> bool:
        """Stop, and let runs in flight learn at the next renewal of their lease that they give
        their pages up. True if this very call ended the crawl.
        """
        return bool(self.run_script("stop", reason, 1)[1])

    def set_limits(self, **limits: Any) -> Status:
        """Change fields of the crawl's ``Policy`` while it goes on; None lifts a limit. A limit
        that is passed already takes effect now.

        Raises:
            FrontierRefused: the policy has no such field, or it takes no such value.
        """
        dropped, fields = encode_limits(limits)
        return Status(self.run_script("limits", len(dropped), *dropped, *fields)[0].decode())

    def end_hook_done(self) -> None:
        """Say that the hook for the crawl's end was called. Until then, ticks ask for it again each
        minute, up to ``after_attempts`` times in all.
        """
        self.run_script("end_hook_done")

    def end_hook_failed(self, reason: str) -> bool:
        """Say that the hook for the crawl's end raised. True: a tick asks for it again; False: it
        is among the undelivered now.
        """
        return bool(self.run_script("end_hook_failed", encodable(reason, REASON_MAX)))

    def end_hook_reason(self) -> str | None:
        """Return the error of the last attempt at the hook for the end; None if there was none."""
        return self._meta("end_hook_reason")

    def has_end_hook(self) -> bool:
        """Whether the crawl, as its plan describes it, has a hook for its end."""
        return self._meta("end_hook") == "1"

    def end_hook_pending(self) -> bool:
        """Whether the crawl has ended and its hook for the end is not known to have been called."""
        with redis_errors():
            status, done = self.redis.hmget(self.key("meta"), "status", "end_hook_done")
        return status is not None and Status(status.decode()).ended and done != b"1"

    # -- before_all

    def before_all_done(
        self, claim: Claim, login: Mapping[str, Json] | None = None
    ) -> tuple[Verdict, int]:
        """Report that ``before_all`` went well; return the verdict and the log-in's version.

        ``login`` (JSON) is kept with the crawl, for every session of every worker.
        """
        text = "" if login is None else json.dumps(encodable_value(login), separators=(",", ":"))
        verdict, _, version = self.run_script("before", claim.page.id, claim.token, text, "")
        return Verdict(verdict.decode()), int(version)

    def before_all_failed(self, claim: Claim, reason: str = "it raised") -> Ending:
        """Report that ``before_all`` went wrong: the page is given back, and the next run tries.
        After three times the crawl is FAILED.
        """
        answer = self.run_script("before", claim.page.id, claim.token, "failed", reason)
        return Ending(Verdict(answer[0].decode()), bool(answer[1]))

    def logged_out(self, claim: Claim, version: int) -> Ending:
        """Report that the page was requested with the log-in ``version``, and that has expired: the
        page goes back without an attempt burned.

        The next run does ``before_all`` again, the others wait for it. A page that is logged out
        under three log-ins, or when three in a row brought no page, is failed with the reason
        ``login`` (``retry_in`` is None then).
        """
        answer = self.run_script("logout", claim.page.id, claim.token, version)
        verdict, ended, again = answer
        return Ending(Verdict(verdict.decode()), bool(ended), 0.0 if again else None)

    def login(self) -> Mapping[str, Json] | None:
        """Return the log-in that is kept with the crawl; None without one."""
        with redis_errors():
            text = self.redis.get(self.key("login"))
        return None if text is None else dict(json.loads(text))

    # -- counts

    def first_of_kind(self, kind: str, limit: int) -> bool:
        """Whether a failure is the first of its ``kind`` here, and fewer than ``limit`` kinds are
        known; 0 forgets this kind.
        """
        return bool(self.run_script("first_of_kind", kind, limit))

    def snapshot(self) -> Snapshot:
        """Return counts and state at one instant.

        Raises:
            FrontierRefused: no such crawl exists.
        """
        reply = self.run_script("snapshot")
        status, reason, generation, active, started, ended, held = reply[:7]
        processing, delayed, tickets, begun, counts, reasons, delivering, examples, *rest = reply[
            7:
        ]
        known, revisits, next_revisit = rest
        numbers = parse_counts(counts)
        main = {name: numbers.pop(name, 0) for name in ("accepted", "queued", "done", "failed")}
        return Snapshot(
            self.name,
            Status(status.decode()),
            reason.decode() or None,
            int(generation),
            **main,
            delayed=delayed,
            processing=processing,
            counts=numbers,
            reasons=parse_counts(reasons),
            examples=parse_examples(examples),
            started=to_seconds(started),
            ended=to_seconds(ended),
            active=active / 1_000,
            held_until=to_seconds(held),
            tickets=tickets,
            begun=to_seconds(begun),
            delivering=delivering,
            known=known,
            revisits=revisits,
            next_revisit=None if next_revisit == b"" else float(next_revisit) / 1_000,
        )

    def pages(self, state: str, start: int, count: int) -> list[Any]:
        """Return at most ``count`` pages of ``state``, without the first ``start``: pages where it
        is "queued", "delayed" or "processing", :class:`FailedPage` where it is "failed" (the latest
        first), and URLs where it is "done" (the latest first).

        Raises:
            FrontierRefused: no such crawl exists.
        """
        raws = self.run_script("pages", state, start, count)
        if state == "done":
            return [raw.decode("utf-8", "replace") for raw in raws]
        read = entries.decode_letter if state == "failed" else entries.decode_page
        return list(map(read, raws))

    def standing(self) -> Standing:
        """Return what may keep pages from being claimed at this instant.

        Raises:
            FrontierRefused: no such crawl exists.
        """
        return parse_standing(self.run_script("standstill"))

    def tallies(self) -> dict[str, int]:
        """Return sums of everything that ever happened to this crawl's pages, for metrics; see
        ``run/timings.py`` for their names.
        """
        with redis_errors():
            values = self.redis.hgetall(self.key("tallies"))
        return {name.decode("utf-8", "replace"): int(value) for name, value in values.items()}


def parse_counts(flat: Sequence[bytes]) -> dict[str, int]:
    """Return a script's list of names and numbers in turn as a mapping."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {name.decode("utf-8", "replace"): int(number) for name, number in pairs}


def parse_examples(flat: Sequence[bytes]) -> dict[str, str]:
    """Return a script's list of names and examples in turn as a mapping. They are shown to people:
    credentials in their URLs are masked.
    """
    texts = [masked(text.decode("utf-8", "replace")) for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))
