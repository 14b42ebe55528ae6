"""A crawl that stands still says why, in one place, and how to mend it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.api.api import Api, ApiRequest
from crawler.api.jobs import Jobs
from crawler.cli.health import check_redis
from crawler.client.client import Client
from crawler.client.standstill import Reason, Standstill
from crawler.client.workers import Worker
from crawler.config import settings as configuration
from crawler.definition.crawl_plan import plan_of
from crawler.definition.digest import digest_of
from crawler.errors import FrontierUnavailable, SetupError
from crawler.frontier.frontier import Frontier
from crawler.local.processes import user_and_machine
from crawler.model import FailureClass, Page
from tests.support.frontier import Clock, take
from tests.support.ground import until


def crawl(**fields) -> Crawl:
    """A crawl with code."""
    made = Crawl(name="shop", url="https://shop.example/", concurrency_limit=2, **fields)
    made.extract(lambda page: {"title": page.title})
    return made


SHOP = crawl()


class Stand:
    """A crawl in a Redis of its own, and the workers that are said to be alive."""

    def __init__(self, server, redis) -> None:
        self.redis = redis
        settings = configuration.load(redis_url=server.url, broker_url=server.broker_url)
        self.client = Client(settings)
        self.frontier = Frontier(self.client.redis, "shop")

    def create(self, crawl: Crawl = SHOP, pages: int = 3) -> Clock:
        """Create the crawl with some pages; return its clock."""
        self.frontier.create(plan_of(crawl))
        clock = Clock(self.frontier)
        clock.start()
        self.frontier.enqueue(
            [Page(f"https://shop.example/{n}", lane="shop") for n in range(pages)]
        )
        return clock

    def worker(self, *crawls: Crawl, **facts) -> None:
        """Let a worker be alive that knows ``crawls``."""
        digests = {crawl.name: digest_of(crawl) for crawl in crawls}
        self.client.workers.announce(Worker("w@host", digests, **facts), 60)

    def why(self, *, ask: bool = False) -> Standstill | None:
        """Return why it stands still."""
        return self.client.standstill("shop", ask=ask)


@pytest.fixture
def stand(redis_server, redis) -> Stand:
    """A crawl that is yet to be created."""
    return Stand(redis_server, redis)


def reason(found: Standstill | None) -> Reason | None:
    return found and found.reason


def test_no_worker_no_worker_that_knows_it_and_none_of_its_version(stand):
    clock = stand.create()
    assert reason(stand.why()) is Reason.NO_WORKER
    assert "crawler worker" in stand.why().line()
    stand.worker(faults=("shop.py does not import: No module named 'dateutil'",))
    found = stand.why()
    assert found.reason is Reason.UNKNOWN_CRAWL
    assert "'shop'" in found.says
    assert "dateutil" in found.says
    assert "CRAWLER_CRAWLS" in found.mend
    stand.worker(crawl(delay=1))
    assert stand.why() is None  # it has just begun
    clock.advance(20)
    assert reason(stand.why()) is Reason.OTHER_VERSION
    stand.worker(SHOP)
    assert reason(stand.why()) is Reason.NOT_TAKEN


def test_pages_of_dead_workers_are_no_work(stand):
    stand.create()
    claim = take(stand.frontier)
    assert "1 pages in flight" in stand.why().says
    stand.worker(SHOP)
    assert stand.why() is None
    stand.frontier.before_all_done(claim)
    stand.frontier.finish(claim, claim.page.url)


def test_wake_ups_that_nobody_takes_name_both_brokers(stand):
    clock = stand.create()
    stand.worker(SHOP, broker="redis://elsewhere:6379/1")
    stand.frontier.wake()
    clock.advance(20)
    found = stand.why()
    assert found.reason is Reason.NOT_TAKEN
    assert "2 wake-ups" in found.says
    assert "redis://elsewhere:6379/1" in found.says
    assert stand.client.settings.queue in found.says
    assert "CRAWLER_BROKER_URL" in found.mend
    Frontier(stand.redis, "other").create(plan_of(Crawl(name="other", url="https://o.example/")))
    other = Frontier(stand.redis, "other")
    other.enqueue([Page("https://o.example/")])
    take(other)
    assert reason(stand.why()) is Reason.BUSY_WORKERS


def test_a_pause_says_by_whom_and_ends_with_the_resume(stand):
    stand.create()
    stand.frontier.pause("crawler pause (ann at desk)")
    assert stand.why().says == "paused by crawler pause (ann at desk)"
    assert stand.why().mend == "crawler resume shop"
    stand.frontier.resume()
    assert reason(stand.why()) is Reason.NO_WORKER


def test_a_hold_says_which_endpoint_and_since_when(stand):
    clock = stand.create()
    stand.worker(SHOP)
    stand.frontier.hold(10, "no_browser: http://grid:4444 does not answer: refused")
    began = stand.why().since
    # while the next attempt is made, it stands still all the same
    clock.advance(11)
    stand.frontier.wake()
    found = stand.why()
    assert (found.reason, found.since, found.until) == (Reason.NO_BROWSER, began, None)
    assert found.mend.endswith("it is tried again now")
    stand.frontier.hold(10, "no_browser: http://grid:4444 does not answer: refused")
    found = stand.why()
    assert found.reason is Reason.NO_BROWSER
    assert found.since == began
    assert found.says == "no browser can be had: http://grid:4444 does not answer: refused"
    assert "in 10 s" in found.mend
    clock.advance(300)
    stand.frontier.hold(5, "Redis is full")
    found = stand.why()
    assert found.reason is Reason.HELD
    assert found.since > began
    assert "Redis is full" in found.says
    # a page that is begun ends it
    clock.advance(6)
    take(stand.frontier)
    assert stand.why() is None


def full(redis) -> Callable[[], object]:
    """Let Redis have no memory left; return what gives it some again."""
    redis.config_set("maxmemory", "1")
    return lambda: redis.config_set("maxmemory", "0")


def unsaved(redis) -> Callable[[], object]:
    """Let Redis fail to save (MISCONF); return what lets it save again."""
    file = Path(redis.config_get("dir")["dir"]) / redis.config_get("dbfilename")["dbfilename"]

    def save(status: str) -> None:
        redis.bgsave()
        until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == status)

    def mend() -> None:
        shutil.rmtree(file)
        save("ok")
        redis.config_set("save", "")

    redis.config_set("save", "3600 1")
    file.unlink(missing_ok=True)
    (file / "in the way").mkdir(parents=True)
    save("err")
    return mend


def replica(redis) -> Callable[[], object]:
    """Let Redis be a replica of nobody; return what makes it a master again."""
    redis.replicaof("127.0.0.1", "1")
    return lambda: redis.replicaof("NO", "ONE")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (full, "its memory is full"),
        (replica, "it is a replica"),
        (unsaved, "it cannot save to its disk"),
    ],
)
def test_a_redis_that_takes_no_changes_is_to_blame_before_workers(stand, harm, says):
    # Given a crawl whose workers are silent, because they cannot announce themselves
    clock = stand.create()
    stand.client.workers.announce(Worker("silent@host"), 0)
    mend = harm(stand.redis)
    try:
        client = Client(stand.client.settings)  # whose connections are new
        found = client.standstill("shop")
        assert (found.reason, found.says) == (Reason.REDIS, f"Redis takes no changes: {says}")
        assert found.mend
        # And so do probes: of workers, of the jobs API
        with pytest.raises((SetupError, FrontierUnavailable)):
            check_redis(stand.client.settings)
        health = Api(Jobs(stand.client), None).answer(ApiRequest("GET", "/health"))
        assert (health.status, json.loads(health.body)["detail"]) == (
            503,
            "Redis cannot do it now; try again",
        )
    finally:
        mend()
    assert reason(stand.why()) is Reason.NO_WORKER
    # Also where pages are in flight, and cannot be reported
    stand.worker(SHOP)
    take(stand.frontier)
    assert stand.why() is None
    clock.advance(20)
    mend = harm(stand.redis)
    try:
        assert reason(stand.why()) is Reason.REDIS
    finally:
        mend()


def test_whoever_pauses_or_stops_has_a_name_or_a_number(monkeypatch):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54_321)  # of a container, without an entry
    assert user_and_machine() == f"user 54321 at {socket.gethostname()}"


def test_hosts_that_wait_say_for_what_and_until_when(stand):
    clock = stand.create()
    stand.worker(SHOP)
    stand.frontier.before_all_done(claim := take(stand.frontier))
    stand.frontier.fail(claim, FailureClass.THROTTLE, "http_429", status=429, delay=120)
    assert stand.frontier.claim("w").claim is None
    found = stand.why()
    assert found.reason is Reason.HOSTS
    assert "shop may be asked in 120 s" in found.says
    assert "429" in found.says
    assert found.until == pytest.approx(clock.now / 1_000 + 120)
    clock.advance(121)
    stand.frontier.set_limits(delay=60.0, jitter=False)
    stand.frontier.finish(claim := take(stand.frontier), claim.page.url)
    assert "in 60 s (the crawl's delay)" in stand.why().says
    stand.frontier.set_lane_delay("shop", 90)
    clock.advance(61)
    stand.frontier.finish(claim := take(stand.frontier), claim.page.url)
    assert "robots.txt" in stand.why().says


def test_retries_limits_and_hooks_that_are_waited_for(stand):
    clock = stand.create(pages=2)
    stand.worker(SHOP)
    stand.frontier.before_all_done(claim := take(stand.frontier))
    second = take(stand.frontier)
    stand.frontier.fail(claim, FailureClass.RETRY, "timeout", delay=30)
    stand.frontier.finish(second, second.page.url, result="{}", deliver=True)
    assert reason(stand.why()) is Reason.RETRIES
    stand.frontier.set_limits(page_limit=1)
    clock.advance(31)
    stand.frontier.finish(last := take(stand.frontier), last.page.url)
    assert reason(stand.why()) is Reason.HOOKS


def test_a_crawl_that_a_limit_ended_says_what_is_left(stand):
    stand.create(pages=5)
    stand.worker(SHOP)
    stand.frontier.set_limits(page_limit=1)
    stand.frontier.before_all_done(claim := take(stand.frontier))
    stand.frontier.finish(claim, claim.page.url)
    found = stand.why()
    assert found.reason is Reason.LIMIT
    assert "4 pages not begun" in found.says


def test_a_crawl_that_waits_for_its_next_visits_says_until_when(stand):
    clock = stand.create(pages=1)
    stand.worker(SHOP)
    claim = take(stand.frontier)
    stand.frontier.before_all_done(claim)
    stand.frontier.finish(claim, claim.page.url, revisit=3_600)
    found = stand.why()
    due = clock.now / 1_000 + 3_600
    assert (found.reason, found.until, found.mend) == (Reason.REVISITS, due, "")
    assert found.says == (
        "1 pages are visited again: waits until the next is due at 2001-09-09 02:46:40+00:00"
    )
    clock.advance(3_600)
    stand.frontier.tick()
    assert stand.why() is None
