"""Random interleavings of everything the frontier can do, against a model in plain Python that
cannot lose a page.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from crawler.frontier.answers import Renewal, Verdict
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.model import Claim, FailureClass, Outcome, Page, Plan, Policy, Status

STEPS = 10_000
ACK_LIFE = 600_000

#: I1 and I2 in one round trip: pages where they are, pages accepted, the four structures of pages
#: in flight, the status.
INVARIANTS = """
local p, queued = KEYS[1], 0
for _, lane in ipairs(redis.call("SMEMBERS", p .. "lanes")) do
  local name = p .. "queued" .. (lane == "" and "" or ":" .. lane)
  for _, queue in ipairs({ name .. ":0", name, name .. ":2" }) do
    queued = queued + redis.call("LLEN", queue)
  end
end
local counts = redis.call("HMGET", p .. "counts", "queued", "done", "failed", "accepted")
for i = 1, 4 do counts[i] = tonumber(counts[i] or 0) end
local processing = redis.call("LLEN", p .. "processing")
local sum = queued + redis.call("ZCARD", p .. "delayed") + processing + counts[2] + counts[3]
return {
  queued, counts[1], sum, counts[4],
  processing, redis.call("HLEN", p .. "inflight"), redis.call("ZCARD", p .. "leases"),
  redis.call("HLEN", p .. "tokens"), redis.call("HGET", p .. "meta", "status"),
}
"""


@dataclass
class Known:
    """The model's knowledge of a page: where it is, and when it may be claimed."""

    page: Page
    where: str = "waiting"  # processing, done, failed
    due: int = 0
    attempts: int = 0
    strikes: int = 0
    outages: int = 0
    token: str = ""


@dataclass
class Lane:
    """The model's knowledge of a lane. Times are milliseconds."""

    next: int = 0
    blocked: int = 0
    delay: int = 0
    running: set[str] = field(default_factory=set)
    sending: str = ""


class World:
    """The frontier and its model, and every step that can be taken with both."""

    def __init__(self, redis, seed: int) -> None:
        self.random = random.Random(seed)
        random.seed(seed)  # the frontier draws its jitter from it
        self.policy = Policy(
            concurrency_limit=20 if seed & 1 else 4,
            delay=0.5 if seed & 2 else 0,
            host_concurrency=3 if seed & 4 else None,
            depth_limit=3,
            jitter=False,
            attempts=3,
            crash_strikes=2,
            backoff=4,
            backoff_cap=10,
            retry_after_cap=30,
            breaker_failures=0,
            lease=20,
            page_deadline=60,
        )
        self.frontier = Frontier(redis, "model", buckets=2)
        self.frontier.create(Plan("model", self.policy, "d", None, before_all=False))
        self.invariants = redis.register_script(INVARIANTS)
        self.now = 1_000_000_000_000
        self.pages: dict[str, Known] = {}
        self.places: dict[str, set[str]] = {
            where: set() for where in ("waiting", "processing", "done", "failed")
        }
        self.lanes: dict[str, Lane] = {}
        self.urls: set[str] = set()
        self.aliases: set[str] = set()
        self.claims: list[Claim] = []  # held, as their workers believe
        self.old: list[Claim] = []  # reported, or given up by workers that may still turn up
        self.accepted: dict[str, int] = {}  # token -> when its report was accepted
        self.started = self.marked = 0
        self.seeding = 0  # until when a seed loader is open
        self.held = 0
        self.infra = 0
        self.status = Status.NEW
        self.tick_clock(0)

    def tick_clock(self, seconds: float) -> None:
        self.now += round(seconds * 1_000)
        self.frontier.redis.hset(self.frontier.key("meta"), "clock", self.now)

    # -- the model

    def lane(self, name: str) -> Lane:
        return self.lanes.setdefault(name, Lane())

    def all(self, where: str) -> set[str]:
        return self.places[where]

    def move(self, known: Known, where: str) -> None:
        self.places[known.where].discard(known.page.id)
        self.places[where].add(known.page.id)
        known.where = where

    def claimable(self) -> set[str]:
        """The pages that a claim may give."""
        free = {
            name
            for name, lane in self.lanes.items()
            if max(lane.next, lane.blocked) <= self.now
            and not lane.sending
            and len(lane.running) < (self.policy.host_concurrency or 1_000)
        }
        waiting = (self.pages[id_] for id_ in self.all("waiting"))
        return {
            known.page.id for known in waiting if known.due <= self.now and known.page.lane in free
        }

    def leave(self, known: Known, where: str) -> None:
        lane = self.lane(known.page.lane)
        lane.running.discard(known.page.id)
        if lane.sending == known.page.id:
            lane.sending = ""
        known.token, known.due = "", 0
        self.move(known, where)

    def failed(
        self, known: Known, failure: FailureClass, delay: float | None, retry: float | None
    ) -> None:
        """Apply a failure; ``retry`` is the frontier's answer (its back-off is random)."""
        lane = self.lane(known.page.lane)
        if failure is FailureClass.AWAY:
            known.outages += 1
            failure = FailureClass.CRASH if known.outages > 3 else FailureClass.INFRA
        if failure is FailureClass.SHARED:
            self.leave(known, "waiting")
            known.attempts -= 1
            self.started -= known.attempts == 0
            assert retry == 0
            return
        if failure is FailureClass.INFRA:
            self.leave(known, "waiting")
            known.attempts -= 1
            self.started -= known.attempts == 0
            if delay is None:
                delay = min(60, 2 ** min(16, self.infra))
                self.infra += 1
            self.held = max(self.held, self.now + round(delay * 1_000))
            return
        known.strikes += failure is FailureClass.CRASH
        if failure is FailureClass.THROTTLE:
            wait = min(30, delay if delay is not None else min(10, 4 * 2 ** (known.attempts - 1)))
            lane.blocked = max(lane.blocked, self.now + round(wait * 1_000))
        final = (
            failure in (FailureClass.TERMINAL, FailureClass.HOOK)
            or known.strikes >= 2
            or known.attempts >= 3
        )
        assert (retry is None) == final
        self.leave(known, "failed" if final else "waiting")
        if not final and failure is not FailureClass.THROTTLE:
            assert retry is not None
            assert retry <= max(10, delay or 0)
            known.due = self.now + round(retry * 1_000)

    # -- the steps; each returns whether the frontier reports that it ended the crawl

    def enqueue(self) -> bool:
        parent = self.random.choice([None, None, *self.claims, *self.old[-2:]])
        pages = self.links()
        stale = parent is not None and not self.holds(parent)
        if not stale and (self.status.ended or (self.status is Status.STOPPING and parent is None)):
            return False
        added = self.frontier.enqueue(pages, parent=parent, front=self.random.random() < 0.1)
        if stale:
            assert (added.new, added.known, added.skipped) == (0, 0, {"stale": len(pages)})
            return False
        new = self.added(pages)
        assert (added.new, added.known) == (new, sum(page.depth <= 3 for page in pages) - new)
        return False

    def links(self) -> list[Page]:
        numbers = [self.random.randrange(5_000) for _ in range(self.random.choice([1, 2, 8]))]
        return [
            Page(
                f"https://a.example/{n}",
                depth=n % 5,
                lane=["", "x", "y", "z.example_8080"][n % 4],
                priority=n % 3,
            )
            for n in numbers
        ]

    def added(self, pages: list[Page]) -> int:
        """Keep account of ``pages``, which are added now; return how many of them are new."""
        fine = [page for page in pages if page.depth <= 3]
        new = {
            page.id: page
            for page in fine
            if page.id not in self.pages and page.url not in self.aliases
        }
        for id_, page in new.items():
            self.pages[id_] = Known(page)
            self.move(self.pages[id_], "waiting")
            self.lane(page.lane)
            self.urls.add(page.url)
        return len(new)

    def holds(self, claim: Claim) -> bool:
        known = self.pages.get(claim.page.id)
        return known is not None and known.token == claim.token

    def claim(self) -> bool:
        before = self.status
        claimable = self.claimable()
        working = len(self.all("processing"))
        turn = self.frontier.claim(f"w{self.random.randrange(5)}", paced=self.random.random() < 0.2)
        if turn.claim:
            page = turn.claim.page
            known = self.pages[page.id]
            assert page.id in claimable
            assert working < self.policy.concurrency_limit
            assert self.held <= self.now
            assert before in (Status.ACTIVE, Status.DRAINING)
            known.attempts += 1
            self.started += known.attempts == 1
            assert (page.attempt, page.strikes) == (known.attempts, known.strikes)
            known.token = turn.claim.token
            self.move(known, "processing")
            lane = self.lane(page.lane)
            lane.running.add(page.id)
            delay = max(round(self.policy.delay * 1_000), lane.delay)
            if delay:
                lane.next = max(lane.next, self.now + delay)
                if (
                    self.frontier.redis.hget(self.frontier.key(f"lane:{page.lane}"), "sending")
                    == page.id.encode()
                ):
                    lane.sending = page.id
            self.claims.append(turn.claim)
        elif turn.outcome in (Outcome.WAIT, Outcome.EMPTY, Outcome.BUSY):
            late = sum(0 < self.pages[id_].due <= self.now for id_ in self.all("waiting"))
            idle = (
                before in (Status.NEW, Status.ACTIVE)
                and self.held <= self.now
                and working < self.policy.concurrency_limit
            )
            # one call brings back 16 retries at most
            assert not (claimable and idle) or late > 16, turn
        else:
            assert turn.outcome is {
                Status.PAUSED: Outcome.PAUSED,
                Status.STOPPING: Outcome.STOPPED,
            }.get(before, turn.outcome)
            assert before.ended or before in (Status.PAUSED, Status.STOPPING) or turn.ended
        return turn.ended

    def report(self) -> bool:
        """Finish a page, with its links or without, or fail it; sometimes one that is lost, or was
        reported before.
        """
        stale = self.old and self.random.random() < 0.15
        if not stale and not self.claims:
            return False
        claim = (
            self.random.choice(self.old)
            if stale
            else self.claims.pop(self.random.randrange(len(self.claims)))
        )
        known = self.pages[claim.page.id]
        failure = self.random.choice(list(FailureClass)) if self.random.random() < 0.3 else None
        delay = self.random.choice([None, None, 0, 3, 100])
        final = (
            f"https://a.example/{self.random.randrange(6_000)}"
            if self.random.random() < 0.1
            else None
        )
        links = self.links() if self.random.random() < 0.5 else []
        held = self.holds(claim)
        wake = self.random.choice([None, {}])
        if failure:
            ending = self.frontier.fail(claim, failure, failure.value, delay=delay)
        elif links and not (held and self.status.ended):
            ending = self.frontier.finish(
                claim, claim.page.url, links, result="{}", final=final, wake=wake
            )
            if held:
                self.added(links)
        else:
            ending = self.frontier.finish(
                claim, claim.page.url, result="{}", final=final, wake=wake
            )

        if not held:
            when = self.accepted.get(claim.token)
            if when is None:
                assert ending.verdict is Verdict.STALE
            else:
                assert ending.verdict is Verdict.REPEATED or self.now - when >= ACK_LIFE
            return ending.ended
        if failure:
            assert ending.verdict is Verdict.OK
            self.failed(known, failure, delay, ending.retry_in)
        else:
            self.infra = 0
            other = final is not None and final != known.page.url
            alias = other and (final in self.aliases or final in self.urls)
            assert ending.verdict is (Verdict.ALIAS if alias else Verdict.OK)
            self.marked += other and not alias
            if other:
                self.aliases.add(final)
            self.leave(known, "done")
        self.accepted[claim.token] = self.now
        if not stale:
            self.old.append(claim)
        return ending.ended

    def die(self) -> bool:
        """A worker falls silent: its claim may still turn up, late."""
        if self.claims:
            self.old.append(self.claims.pop(self.random.randrange(len(self.claims))))
        return False

    def renew(self) -> bool:
        for claim in self.claims:
            renewal = self.frontier.renew(claim)
            late = self.now >= claim.deadline * 1_000
            assert (renewal is Renewal.OK) == (self.holds(claim) and not late), renewal
        return False

    def sent(self) -> bool:
        if self.claims:
            claim = self.random.choice(self.claims)
            answer = self.frontier.sent(claim)
            assert (answer is Renewal.OK) == self.holds(claim)
            if self.holds(claim):
                lane = self.lane(claim.page.lane)
                delay = max(round(self.policy.delay * 1_000), lane.delay)
                if delay:
                    lane.next = max(lane.next, self.now + delay)
                if lane.sending == claim.page.id:
                    lane.sending = ""
        return False

    def reap(self) -> bool:
        tick = self.frontier.tick()
        self.lose(tick.reaped)
        return tick.ended

    def lose(self, pages: int) -> None:
        """Pages were taken back from the dead: their places say which, and their entries when they
        are tried again.
        """
        if not pages:
            return
        held = {claim.page.id for claim in Listing(self.frontier).processing(0, 1_000)}
        waiting = self.delayed()
        lost = self.all("processing") - held
        assert len(lost) == pages
        for id_ in lost:
            known = self.pages[id_]
            retry = (waiting[id_] - self.now) / 1_000 if id_ in waiting else None
            self.failed(known, FailureClass.CRASH, None, retry)

    def delayed(self) -> dict[str, int]:
        """Return when each delayed page is due, by its id."""
        scores = self.frontier.redis.zrange(self.frontier.key("delayed"), 0, -1, withscores=True)
        return {
            page.id: int(at)
            for page, (_, at) in zip(Listing(self.frontier).delayed(0, 10_000), scores, strict=True)
        }

    def look_at_delayed(self) -> None:
        """A crawl that drains keeps what it gives back among the delayed, and puts off what its
        lane cannot serve.
        """
        for id_, at in self.delayed().items():
            self.pages[id_].due = at

    def release(self) -> bool:
        worker = f"w{self.random.randrange(5)}"
        mine = [
            claim for claim in Listing(self.frontier).processing(0, 1_000) if claim.worker == worker
        ]
        assert self.frontier.release(worker) == len(mine)
        for claim in mine:
            self.failed(self.pages[claim.page.id], FailureClass.INFRA, 0, 0)
        return False

    def pause(self) -> bool:
        if not self.status.ended and self.status is not Status.STOPPING:
            self.frontier.pause()
        return False

    def resume(self) -> bool:
        self.frontier.resume(reopen=True)
        return False

    def stop(self) -> bool:
        return self.frontier.stop("for a test")

    def limit(self) -> bool:
        """A page limit drains the crawl; lifting it lets it go on."""
        drain = not self.status.ended and self.random.random() < 0.3
        started = self.frontier.snapshot().counts.get("started", 0)
        self.frontier.set_limits(page_limit=started + self.random.randrange(10) if drain else None)
        return False

    def retry(self) -> bool:
        ids = sorted(self.all("failed"))
        chosen = None if self.random.random() < 0.3 else self.random.sample(ids, min(len(ids), 3))
        sent = self.frontier.retry_failed(chosen)
        assert sent == len(ids if chosen is None else chosen)
        for id_ in ids if chosen is None else chosen:
            known = self.pages[id_]
            self.started -= known.attempts > 0
            known.due, known.attempts, known.strikes = 0, 0, 0
            self.move(known, "waiting")
        return False

    def lane_rules(self) -> bool:
        name = self.random.choice(["", "x", "y", "z.example_8080"])
        lane = self.lane(name)
        lane.delay = self.random.choice([0, 200, 3_000])
        self.frontier.set_lane_delay(name, lane.delay / 1_000)
        return False

    def hold(self) -> bool:
        seconds = self.random.choice([0, 1])
        self.frontier.hold(seconds)
        self.held = max(self.held, self.now + seconds * 1_000) if seconds else 0
        self.infra = self.infra if seconds else 0
        return False

    def wake(self) -> bool:
        granted = self.frontier.wake().tickets
        assert len(granted) <= max(0, self.policy.concurrency_limit - len(self.all("processing")))
        self.frontier.take_timer(1)
        return False

    def produce(self) -> bool:
        if self.random.random() < 0.5:
            self.frontier.open_producer("seeds", 5)
            self.seeding = self.now + 5_000
            return False
        self.seeding = 0
        return self.frontier.close_producer("seeds")

    def advance(self) -> bool:
        self.tick_clock(self.random.choice([0.1, 0.5, 1, 1, 5, 25]))
        return False

    def step(self) -> str:
        """One random step, then everything that must hold after each."""
        actions = {
            self.claim: 30,
            self.report: 22,
            self.enqueue: 9,
            self.advance: 14,
            self.die: 2,
            self.renew: 4,
            self.sent: 4,
            self.reap: 5,
            self.release: 1,
            self.pause: 0.4,
            self.resume: 3,
            self.stop: 0.2,
            self.retry: 0.5,
            self.lane_rules: 0.7,
            self.hold: 0.5,
            self.wake: 3,
            self.produce: 1,
            self.limit: 2,
        }
        action = self.random.choices(list(actions), list(actions.values()))[0]
        ended = action()
        before = self.status
        listed, queued, total, accepted, *flight, status = self.invariants(
            keys=[self.frontier.prefix]
        )
        self.status = Status(status.decode())
        assert total == accepted == len(self.pages), "I1"
        assert listed == queued, "queued"
        assert flight == [len(self.all("processing"))] * 4, "I2"
        if self.status in (Status.DRAINING, Status.PAUSED):
            self.look_at_delayed()
        if action not in (self.resume, self.limit):  # these return the status
            assert ended == (self.status.ended and not before.ended), (
                f"ended: {ended}, {before} to {self.status}"
            )
        if self.status in (Status.FINISHED, Status.FAILED) and not before.ended:
            drained = (self.frontier.snapshot().reason or "").startswith("page limit")
            assert not self.all("processing")
            assert not (self.delayed() if drained else self.all("waiting"))
            assert drained or self.seeding <= self.now
        if self.status.ended:
            self.frontier.end_hook_done()  # or a tick would say it again
        return action.__name__

    def compare(self) -> None:
        """The lists hold exactly the pages that the model says, and the audit finds nothing."""
        frontier = self.frontier
        counts = frontier.snapshot().counts
        assert (counts.get("started", 0), counts.get("seen", 0)) == (
            self.started,
            len(self.pages) + self.marked,
        )
        delayed = {page.id for page in Listing(frontier).delayed(0, 10_000)}
        queued = [page.id for page in Listing(frontier).queued(0, 10_000)]
        assert len(queued) == len(set(queued))
        assert delayed | set(queued) == self.all("waiting")
        assert {id_ for id_ in self.all("waiting") if self.pages[id_].due > self.now} <= delayed
        assert {claim.page.id: claim.token for claim in Listing(frontier).processing(0, 1_000)} == {
            id_: self.pages[id_].token for id_ in self.all("processing")
        }
        assert {letter.page.id for letter in Listing(frontier).failed(0, 10_000)} == self.all(
            "failed"
        )
        assert sorted(Listing(frontier).done(0, 10_000)) == sorted(
            self.pages[id_].page.url for id_ in self.all("done")
        )
        assert audit_keys(frontier) == []

    def run_out(self) -> None:
        """Let everything that is left be done, and see the crawl end once."""
        self.frontier.set_limits(page_limit=None)
        self.frontier.close_producer("seeds")
        self.frontier.resume(reopen=True)
        self.frontier.recover()
        ended = self.frontier.snapshot().status.ended
        while not ended:
            turn = self.frontier.claim("last")
            ended = turn.ended
            if turn.claim:
                ended = self.frontier.finish(turn.claim, turn.claim.page.url).ended
            elif not ended:
                self.tick_clock(min(turn.wait or 1, 30))
        snapshot = self.frontier.snapshot()
        assert snapshot.status is Status.FINISHED
        assert snapshot.done + snapshot.failed == snapshot.accepted == len(self.pages)
        assert len(set(Listing(self.frontier).done(0, 100_000))) == snapshot.done


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 7))])
def test_whatever_happens_in_whatever_order_no_page_is_lost_or_counted_twice(redis, seed):
    world = World(redis, seed)
    trail: list[str] = []
    try:
        for number in range(STEPS):
            trail.append(world.step())
            if number % 250 == 0:
                world.compare()
        world.run_out()
    except Exception:
        print(f"seed {seed}, step {len(trail)}, policy {world.policy}, last steps: {trail[-12:]}")  # noqa: T201
        raise
