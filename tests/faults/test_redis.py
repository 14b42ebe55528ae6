"""Redis that dies, fills up, forgets or is out of reach: whole steps only, nothing lost, and the
crawl goes on without help.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as redis_py

from crawler.definition.loading import load
from crawler.errors import FrontierUnavailable
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.local.embedded import PrivateRedis, find_redis
from crawler.model import FailureClass, Page, Plan, Policy, Status
from crawler.storage.scripts import Scripts
from tests.support.ground import SITE, Ground, consistent, ended_well, on_site, shop, until
from tests.support.ports import free_port
from tests.support.webdriver import Doc, Script


def tree(size: int) -> tuple[Callable[[str], Script | None], list[str]]:
    """A site of ``size`` pages, each with links to three more and to its parent; and its paths."""

    def page(url: str) -> Script | None:
        n = int(url.rpartition("/")[2] or 0)
        return Doc(
            links=[
                f"/{k or ''}"
                for k in (3 * n + 1, 3 * n + 2, 3 * n + 3, (n - 1) // 3)
                if 0 <= k < size
            ],
            takes=0.01,
        )

    return page, [f"/{n or ''}" for n in range(size)]


def kill(redis: PrivateRedis) -> None:
    assert redis.process is not None
    redis.process.kill()
    redis.process.wait()


def test_a_crawl_goes_on_without_help_after_redis_was_killed_under_load(ground: Ground):
    """Fault 10, with workers: twice, and started again on its log."""
    site, paths = tree(150)
    ground.chrome_on(site)
    ground.worker(2)
    frontier = ground.crawl(shop(concurrency_limit=4), lease=2.0)
    for done in (20, 70):
        ground.until(lambda: frontier.snapshot().done >= done)  # noqa: B023
        kill(ground.redis)
        ground.redis.start()
        consistent(frontier)
    ground.until_end(frontier, 120)
    ended_well(frontier, paths, log=ground.redis)


class Load:
    """Many runs at once without a browser: threads that claim pages of an endless crawl, add links,
    finish, fail or give up.
    """

    def __init__(self, redis: PrivateRedis, threads: int = 8) -> None:
        self.redis, self.over = redis, threading.Event()
        client = redis_py.Redis(unix_socket_path=str(redis.socket))
        self.frontier = Frontier(client, "load")
        policy = Policy(
            concurrency_limit=threads,
            depth_limit=None,
            backoff=0.0,
            lease=1.0,
            breaker_failures=0,
            attempts=50,
            crash_strikes=50,
        )
        self.frontier.create(Plan("load", policy, "d", None, before_all=False))
        self.frontier.enqueue([Page(f"{SITE}/0")])
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(threads)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, seed: int) -> None:
        luck = random.Random(seed)
        frontier = Frontier(redis_py.Redis(unix_socket_path=str(self.redis.socket)), "load")
        while not self.over.is_set():
            try:
                work(frontier, luck)
            except FrontierUnavailable:
                self.over.wait(0.05)


def work(frontier: Frontier, luck: random.Random, limit: int | None = None) -> None:
    """One run. Page n links to 2n+1 and 2n+2 (below ``limit``)."""
    claim = frontier.claim("load").claim
    if claim is None:
        frontier.tick()
        return
    n = int(claim.page.url.rpartition("/")[2])
    children = [k for k in (2 * n + 1, 2 * n + 2) if limit is None or k < limit]
    fate = luck.random()
    if fate < 0.05:
        frontier.fail(claim, luck.choice(list(FailureClass)[:1]), "unlucky")
    elif fate < 0.1:
        frontier.renew(claim)
        frontier.fail(claim, FailureClass.INFRA, "released", delay=0)
    else:
        frontier.enqueue(
            [Page(f"{SITE}/{k}", claim.page.depth + 1) for k in children], parent=claim
        )
        frontier.finish(claim, claim.page.url, result="{}")


def test_redis_killed_again_and_again_under_load_never_leaves_half_a_step(ground: Ground):
    """Fault 10, without browsers in the way: hundreds of steps are under way each time."""
    with Load(ground.redis) as load:
        for _ in range(3):
            before = ground.until(lambda: load.frontier.snapshot().done)
            ground.until(lambda: load.frontier.snapshot().done > before + 200)  # noqa: B023
            kill(ground.redis)
            ground.redis.start()
            consistent(load.frontier)
    assert consistent(load.frontier).done > 600


@pytest.mark.soak
def test_a_log_that_breaks_off_anywhere_holds_whole_steps_only(ground: Ground):
    """Fault 11: the last 1 to 200 bytes of the AOF are missing, as after a power cut."""
    with Load(ground.redis) as load:
        ground.until(lambda: load.frontier.snapshot().done > 200)
        kill(ground.redis)
        load.over.set()
    whole = ground.folder / "whole"
    shutil.copytree(
        ground.redis.folder, whole, ignore=shutil.ignore_patterns("*.sock", "redis.log")
    )
    counts = []
    for cut in range(1, 201):
        with Loaded(whole, ground.sockets / "cut", cut) as client:
            frontier = Frontier(client, "load")
            seen = consistent(frontier)
            counts.append(seen.counts["started"])
            if cut % 50 == 0:  # and it can be crawled to its end
                finish(frontier)
    assert counts == sorted(counts, reverse=True)  # only a tail is missing


class Loaded:
    """A Redis that was started on a copy of ``folder``, whose log was shortened by ``cut``
    bytes.
    """

    def __init__(self, folder: Path, copy: Path, cut: int) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        log = next(iter(copy.glob("appendonlydir/*.incr.aof")), copy / "appendonly.aof")
        os.truncate(log, log.stat().st_size - cut)
        self.socket = copy / "s"
        self.process = subprocess.Popen(
            [
                find_redis(),
                "--port",
                "0",
                "--unixsocket",
                str(self.socket),
                "--dir",
                str(copy),
                "--appendonly",
                "yes",
                "--save",
                "",
            ],
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> redis_py.Redis:
        client = redis_py.Redis(unix_socket_path=str(self.socket))

        def ready() -> bool:
            assert self.process.poll() is None
            try:
                return client.ping()
            except redis_py.RedisError:
                return False

        until(ready)
        return client

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def finish(frontier: Frontier, limit: int = 600) -> None:
    """Crawl on, with a site that ends at page ``limit``; what was in flight comes back by its
    lease.
    """
    luck = random.Random(1)
    while not frontier.snapshot().status.ended:
        work(frontier, luck, limit)
    urls = Listing(frontier).done(0, 100_000)
    assert consistent(frontier).failed == 0
    assert len(urls) == len(set(urls))
    assert set(urls) >= {f"{SITE}/{n}" for n in range(limit)}


@pytest.mark.parametrize("answer", ["lost", "never sent"])
@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.soak)])
def test_a_page_that_ends_without_redis_is_reported_later_once(
    ground: Ground, seconds: float, answer: str
):
    """Fault 12: the line breaks at the report that the page is done, before Redis got it or before
    its answer came back.
    """
    noted = ground.folder / "after"
    (ground.folder / "keep.py").write_text(KEEP.format(file=str(noted)))
    site, paths = tree(7)
    chrome = ground.chrome_on(site)
    proxy = ground.proxy()
    # or its first answer would be that it is not known
    ground.client.script_load(Scripts(ground.client, "crawler.frontier").text("deregister"))
    (proxy.lose_answer if answer == "lost" else proxy.hold)("deregister")
    frontier = ground.crawl(load(str(ground.folder / "keep.py")))
    ground.worker(redis_url=proxy.url, crawls=str(ground.folder / "keep.py"))
    ground.until(proxy.seen.is_set)
    if answer == "never sent":
        proxy.cut()
    assert frontier.snapshot().done == (1 if answer == "lost" else 0)
    time.sleep(seconds)  # the length of the outage
    proxy.mend()
    ground.until_end(frontier)
    ended_well(frontier, paths, log=ground.redis)
    assert set(chrome.counts().values()) == {1}
    # the last hook runs when the crawl has ended
    ground.until(lambda: len(noted.read_text().split()) >= len(paths))
    assert sorted(noted.read_text().split()) == sorted(map(on_site, paths))


#: The same crawl as ``shop``, with a hook that notes each page that is done.
KEEP = """
from crawler import Crawl
crawl = Crawl(
    name="shop", url="http://127.0.0.1/", robots=False, depth_limit=None,
    extract={{"title": "h1"}},
)
@crawl.after
def note(result):
    with open({file!r}, "a") as file:
        file.write(result.page.url + "\\n")
"""


def test_a_full_redis_refuses_whole_steps_until_it_has_memory_again(ground: Ground):
    """Fault 13: the links of a page do not fit, while another page is in flight."""
    if int(ground.client.info("server")["redis_version"].split(".")[0]) < 7:
        pytest.skip(
            "a Redis before 7.0 cannot be told which scripts may run when it is full; shared"
            " deployments need 7.0"
        )
    gates = {path: threading.Event() for path in ("/", "/small")}
    links = [f"/page-{n}" for n in range(40)]
    site = {
        "/": Doc(links=["/small", "/large"]),
        "/small": Doc(gate=gates["/small"]),
        "/large": Doc(links=links),
    }
    chrome = ground.chrome_on(
        site | {path: Doc() for path in links} | {"/large": Doc(links=links, gate=gates["/"])}
    )
    broker = PrivateRedis(ground.sockets / "broker")
    ground.ending.enter_context(broker)
    ground.worker(
        2,
        broker_url=broker.url.replace("unix://", "redis+socket://").replace(
            "?db=0", "?virtual_host=1"
        ),
    )
    frontier = ground.crawl(shop(), wake=False)
    ground.until(lambda: chrome.count("/small") and chrome.count("/large"))
    ground.client.config_set("maxmemory", 1)
    gates["/"].set()
    # the page with the links could not end well
    ground.until(lambda: frontier.snapshot().processing == 1)
    gates["/small"].set()
    ground.until(lambda: frontier.snapshot().processing == 0)
    seen = consistent(frontier)
    assert (seen.status, seen.accepted, seen.done, seen.failed) == (Status.ACTIVE, 3, 2, 0)
    said = ground.workers[0].said
    ground.until(
        lambda: (
            said().count("Task crawler.run")
            and said().partition("RETRY")[2].count("raised expected: FrontierRefused") > 1
        )
    )
    # later runs could not even claim, and leave Redis in peace
    assert consistent(frontier).held_until
    assert "Redis is full" in said()
    ground.client.config_set("maxmemory", 0)
    ground.until_end(frontier)
    ended_well(frontier, ["/", "/small", "/large", *links], log=ground.redis)


def test_scripts_that_redis_forgets_all_the_time_are_sent_again_unseen(ground: Ground):
    """Fault 14, SCRIPT FLUSH."""
    site, paths = tree(60)
    ground.chrome_on(site)
    worker = ground.worker(2)
    frontier = ground.crawl(shop(concurrency_limit=2))
    ground.until(lambda: ground.client.script_flush("SYNC") and frontier.snapshot().status.ended)
    ended_well(frontier, paths, log=ground.redis)
    assert "NOSCRIPT" not in worker.said()


@contextmanager
def full_disk(ground: Ground) -> Iterator[None]:
    """In this block Redis cannot save, and so takes no writes (MISCONF)."""
    client, file = ground.client, ground.redis.folder / "dump.rdb"

    def saves(status: str) -> None:
        client.bgsave()
        until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == status)

    client.config_set("save", "3600 1")
    (file / "in the way").mkdir(parents=True)
    saves("err")
    yield
    shutil.rmtree(file)
    saves("ok")
    client.config_set("save", "")


@contextmanager
def demotion(ground: Ground) -> Iterator[None]:
    """In this block Redis is a replica (UNBLOCKED, then READONLY)."""
    ground.client.replicaof("127.0.0.1", "1")
    yield
    ground.client.replicaof("NO", "ONE")


@contextmanager
def lost_rights(ground: Ground) -> Iterator[None]:
    """In this block the workers' user may neither wait for messages nor run scripts (NOPERM)."""
    ground.client.acl_setuser("default", enabled=True, commands=["-brpop", "-evalsha", "-eval"])
    yield
    ground.client.acl_setuser("default", enabled=True, commands=["+brpop", "+evalsha", "+eval"])


@contextmanager
def silence(ground: Ground) -> Iterator[None]:
    """In this block Redis is stopped: it takes what it is sent, and answers later."""
    assert ground.redis.process is not None
    ground.redis.process.send_signal(signal.SIGSTOP)
    yield
    ground.redis.process.send_signal(signal.SIGCONT)


@contextmanager
def absence(ground: Ground) -> Iterator[None]:
    """In this block there is no Redis."""
    kill(ground.redis)
    yield
    ground.redis.start()


#: Outages, with words of the worker that show that it has met them.
OUTAGES = {
    full_disk: "The broker refuses: MISCONF",
    demotion: "The broker refuses: You can't write",
    lost_rights: "permissions to run the 'brpop'",
    silence: "Timeout reading from socket",
    absence: "Cannot connect to",
}
#: The app of a project that knows nothing of our settings for Celery, nor of our transport.
PROJECT = """
from celery import Celery
from crawler.config.settings import load
settings = load()
app = Celery("project", broker=settings.broker_url)
app.conf.task_routes = {"crawler.*": {"queue": settings.queue}}
app.conf.broker_transport_options = {"global_keyprefix": settings.key_prefix, "socket_timeout": 2}
app.autodiscover_tasks(["crawler"])
"""


@pytest.mark.parametrize(
    ("app", "outages"),
    [
        ("ours", [demotion]),
        pytest.param("ours", list(OUTAGES), marks=pytest.mark.soak),
        pytest.param("project", list(OUTAGES), marks=pytest.mark.soak),
    ],
)
def test_a_worker_outlives_each_outage_of_redis_and_goes_on(ground: Ground, app: str, outages):
    ground.chrome_on(lambda url: Doc(links=links_of(url), takes=0.05))
    if app == "project":
        (ground.folder / "project.py").write_text(PROJECT)
    worker = ground.worker(3, app=None if app == "ours" else "project")
    frontier = ground.crawl(shop(concurrency_limit=2))
    done = ground.until(lambda: frontier.snapshot().done)
    for outage in outages:
        said = len(worker.said())
        with outage(ground):
            ground.until(lambda: OUTAGES[outage] in worker.said()[said:])  # noqa: B023
        done = frontier.snapshot().done
        ground.until(lambda: frontier.snapshot().done > done + 2)  # noqa: B023
        consistent(frontier)
    assert worker.process.poll() is None
    assert "Unrecoverable error" not in worker.said()


def links_of(url: str) -> list[str]:
    """Two links, to pages that nothing else links to: a site without an end."""
    n = int(url.rpartition("/")[2] or 0)
    return [f"/{2 * n + 1}", f"/{2 * n + 2}"]


def test_a_crawl_survives_the_fail_over_to_a_replica(ground: Ground):
    """Fault 14, a fresh node: it takes the address of the one that died, has its data, and no
    scripts.
    """
    site, paths = tree(120)
    ground.chrome_on(site)
    port = free_port()
    ground.client.config_set("port", port)
    replica = PrivateRedis(ground.sockets / "replica", options=(f"replicaof 127.0.0.1 {port}",))
    ground.ending.enter_context(replica)
    copy = redis_py.Redis(unix_socket_path=str(replica.socket))
    until(lambda: copy.info("replication")["master_link_status"] == "up")
    worker = ground.worker(2)
    frontier = ground.crawl(shop(concurrency_limit=8), lease=2.0)
    ground.until(lambda: frontier.snapshot().done > 30)
    kill(ground.redis)
    copy.replicaof("NO", "ONE")
    replica.socket.rename(ground.redis.socket)
    consistent(frontier)
    ground.until_end(frontier, 120)
    ended_well(frontier, paths, log=None)
    assert "NOSCRIPT" not in worker.said()
