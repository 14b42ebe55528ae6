"""Crawls one after the other for as long as one likes, while workers, their processes, browsers and
Redis are killed and frozen at random and hooks misbehave: each is compared exactly.

    make test-soak MINUTES=120
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crawler.definition.loading import load_all
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.model import Status
from tests.site.server import Request, Server, route
from tests.support.ground import Ground, Worker, consistent, results

pytest_plugins = ["tests.site.fixture"]
pytestmark = [pytest.mark.soak, pytest.mark.browser, pytest.mark.timeout(4 * 3_600)]

PAGES = 400
#: Page numbers from here on have no links of their own: a crawl without them is still whole.
LEAVES = 100
#: Workers, and processes of each, which share a browser.
WORKERS, PROCESSES = 2, 2
#: Seconds between two faults, and that something is frozen, at most: longer than a lease.
PAUSE, FREEZE = 4.0, 25.0
LEASE = 15.0
#: Seconds without a page done after which a crawl stands still.
STANDSTILL = 240.0

HOOKS = """
import asyncio, locale, os, signal, socket, sqlite3, subprocess, sys, threading
from pathlib import Path
from crawler import Crawl

FOLDER = Path(__file__).parent

class Own(BaseException): ...

class Mute(Exception):
    def __str__(self):
        raise SystemError("no text")

def number(page):
    return int(page.url.rpartition("/")[2])

def raises(error):
    def deed():
        raise error
    return deed

def forks():
    if os.fork() == 0:
        return  # the child comes back, as if it were the worker

def sleeps():
    threading.Thread(target=threading.Event().wait).start()

def leaves_children():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])

def moves():
    os.chdir("/")
    os.umask(0)
    socket.setdefaulttimeout(0.001)
    locale.setlocale(locale.LC_ALL, "C")
    for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGALRM", "SIGCHLD"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)

def sends(name):
    return lambda: os.kill(os.getpid(), getattr(signal, name))

# Deeds by page number modulo 50. Some fail the page, each time:
FAILS = {
    3: raises(SystemExit("enough")),
    5: raises(asyncio.CancelledError("cut")),
    7: raises(Own("mine")),
    9: raises(Mute()),
    11: raises(ValueError("half \\ud83d")),
    13: raises(GeneratorExit()),
}
# The others are done once for a page, which is then crawled all the same:
PASSES = {
    17: sends("SIGKILL"), 19: sends("SIGTERM"), 21: sends("SIGSEGV"), 23: lambda: os._exit(3),
    25: forks, 27: sleeps, 29: leaves_children, 31: moves, 33: lambda: os.closerange(3, 4_096),
}

def first_time(name):
    try:
        os.close(os.open(FOLDER / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

def made(name):
    crawl = Crawl(
        name=name, url="SITE/endure/0", robots=False, depth_limit=None,
        concurrency_limit=WORKERS * PROCESSES, breaker_failures=0, backoff=0.2, backoff_cap=2,
        attempts=100, after_attempts=100,
    )

    @crawl.extract
    def extract(page):
        n = number(page)
        if n >= LEAVES:
            if n % 50 in FAILS:
                FAILS[n % 50]()
            if n % 50 in PASSES and first_time(f"{name}-{n}"):
                PASSES[n % 50]()
        return {"n": n}

    @crawl.after
    def store(result):
        n = number(result.page)
        if n % 3 == 0 and first_time(f"{name}-refused-{n}"):
            raise sqlite3.OperationalError("database is locked")
        if n % 20 == 1 and first_time(f"{name}-died-{n}"):
            os.kill(os.getpid(), 9)
        with sqlite3.connect(FOLDER / "rows.db", timeout=30) as database:
            database.execute("CREATE TABLE IF NOT EXISTS rows (crawl, n, PRIMARY KEY (crawl, n))")
            database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (name, n))

    return crawl

crawls = {f"round_{k}": made(f"round-{k}") for k in range(ROUNDS)}
globals().update(crawls)
"""
ROUNDS = 200
#: How the reason of a page begins that fails each time, by its number modulo 50.
FAILS = {
    3: "extract: SystemExit: enough",
    5: "extract: CancelledError: cut",
    7: "extract: Own: mine",
    9: "extract: Mute",
    11: "extract: ValueError: half \ufffd",
    13: "extract: GeneratorExit",
}


@route("/endure/")
def endure(request: Request) -> None:
    """A tree of pages; some are slow, some ask, some answer 503 the first time, some are gone."""
    n = int(request.rest.partition("?")[0])
    if n >= LEAVES and n % 37 == 5:
        request.html("gone", status=404)
        return
    if n % 41 == 7 and request.server.hits[request.path] % 2:
        request.html("later", status=503)
        return
    if n % 47 == 12:
        request.server.closing.wait(3)
    links = [child for child in range(4 * n + 1, 4 * n + 5) if child < PAGES]
    text = "".join(f"<a href='/endure/{link}'>{link}</a> " for link in [*links, 0, n // 2])
    script = "<script>alert('Really?')</script>" if n % 53 == 14 else ""
    request.html(f"<h1>Page {n}</h1>{text}{script}", title=f"Page {n}")


class Fire:
    """Faults at random, one after the other; at the end everything that is frozen goes on."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground, self.chance = ground, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._next = 0.0
        self._frozen: list[tuple[float, Callable[[], object]]] = []
        self._faults = [
            self.kill_worker, self.kill_process, self.kill_process, self.freeze_worker,
            self.freeze_process, self.kill_chrome, self.kill_chrome, self.freeze_chrome,
            self.kill_redis, self.freeze_redis,
        ]  # fmt: skip

    def __enter__(self) -> Fire:
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw(float("inf"))

    def burn(self) -> None:
        """Do what is due by now."""
        now = time.monotonic()
        self.thaw(now)
        if now < self._next:
            return
        fault = self.chance.choice(self._faults)
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            fault()
            self.counts[fault.__name__] += 1
        self._next = time.monotonic() + self.chance.uniform(0.2, 2 * PAUSE)

    def thaw(self, now: float) -> None:
        due = [one for one in self._frozen if one[0] <= now]
        self._frozen = [one for one in self._frozen if one[0] > now]
        for _, wake in due:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                wake()

    def later(self, wake: Callable[[], object]) -> None:
        self._frozen.append((time.monotonic() + self.chance.uniform(0.5, FREEZE), wake))

    def worker(self) -> Worker:
        return self.chance.choice(self.ground.workers)

    def process(self) -> psutil.Process:
        """One of the processes that do runs."""
        children = psutil.Process(self.worker().process.pid).children()
        return self.chance.choice(children) if children else self.chrome()

    def chrome(self) -> psutil.Process:
        """A process of a browser of ours: the main one, a renderer, or what else it has."""
        found = chromes(self.ground.folder)
        if not found:
            raise psutil.NoSuchProcess(0)
        return self.chance.choice(found)

    def kill_worker(self) -> None:
        """Kill a worker with all that belongs to it, and start another in its place."""
        victim = self.worker()
        victim.kill()
        self.ground.workers.remove(victim)
        hire(self.ground)

    def kill_process(self) -> None:
        self.process().kill()

    def freeze_worker(self) -> None:
        victim = self.worker()
        victim.signal(signal.SIGSTOP)
        self.later(lambda: victim.signal(signal.SIGCONT))

    def freeze_process(self) -> None:
        victim = self.process()
        victim.suspend()
        self.later(victim.resume)

    def kill_chrome(self) -> None:
        self.chrome().kill()

    def freeze_chrome(self) -> None:
        victim = self.chrome()
        victim.suspend()
        self.later(victim.resume)

    def kill_redis(self) -> None:
        redis = self.ground.redis
        assert redis.process is not None
        redis.process.kill()
        redis.process.wait()
        time.sleep(self.chance.uniform(0, 3))
        redis.start()

    def freeze_redis(self) -> None:
        redis = self.ground.redis
        assert redis.process is not None
        redis.process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0, 5))
        redis.process.send_signal(signal.SIGCONT)


def hire(ground: Ground) -> None:
    ground.worker(
        PROCESSES,
        crawls=str(ground.folder / "hooks.py"),
        page_load_timeout=15,
        script_timeout=10,
        tick_interval=2,
    )


def chromes(folder: Path) -> list[psutil.Process]:
    """The processes of the browsers that workers with state in ``folder`` started: their temporary
    folder is the one of their driver, to which a name in that state leads.
    """
    homes = {str(path.resolve()) for path in (folder / "state").glob("chrome-*@*")}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name() and process.environ().get("TMPDIR") in homes:
                found.append(process)
    return found


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.close()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the workers' temporary files. Its path is short: Chrome makes sockets there."""
    with tempfile.TemporaryDirectory(prefix="s", ignore_cleanup_errors=True) as name:
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def test_each_crawl_is_exact_whatever_dies_freezes_or_misbehaves(
    ground: Ground, site: Server, temporary: Path, request: pytest.FixtureRequest
):
    minutes = request.config.getoption("--minutes")
    hooks = ground.folder / "hooks.py"
    numbers = {"WORKERS": WORKERS, "PROCESSES": PROCESSES, "LEAVES": LEAVES, "ROUNDS": ROUNDS}
    text = HOOKS.replace("SITE", site.url(""))
    hooks.write_text("\n".join(f"{name} = {n}" for name, n in numbers.items()) + text)
    crawls = load_all([str(hooks)])
    for _ in range(WORKERS):
        hire(ground)
    began, rounds, faults = time.monotonic(), 0, Counter()
    while rounds == 0 or time.monotonic() - began < minutes * 60:
        frontier = ground.crawl(
            crawls[f"round-{rounds}"], lease=LEASE, crash_strikes=1_000, page_deadline=120.0
        )
        with Fire(ground, seed=rounds) as fire:
            seconds = watch(ground, frontier, fire)
        faults += fire.counts
        compare(ground, frontier, site, f"round-{rounds}")
        sys.stderr.write(f"crawl {rounds}: {PAGES} pages in {seconds:.0f} s, {dict(fire.counts)}\n")
        rounds += 1
    # In the end all of them go, and leave nothing
    for worker in ground.workers:
        worker.process.terminate()
    for worker in ground.workers:
        worker.process.wait(120)
    assert chromes(ground.folder) == []
    assert sorted(path.name for path in temporary.iterdir()) == []
    sys.stderr.write(f"{rounds} crawls in {time.monotonic() - began:.0f} s: {dict(faults)}\n")


def watch(ground: Ground, frontier: Frontier, fire: Fire) -> float:
    """Wait, under fire, until the crawl has ended; return its seconds."""
    began = moved = time.monotonic()
    last = None
    while not (seen := frontier.snapshot()).status.ended:
        if (now := (seen.done, seen.failed, seen.delivering)) != last:
            last, moved = now, time.monotonic()
        said = [worker.said()[-3_000:] for worker in ground.workers]
        assert time.monotonic() - moved < STANDSTILL, "\n".join([str(seen), *said])
        fire.burn()
        time.sleep(0.2)
    return time.monotonic() - began


def compare(ground: Ground, frontier: Frontier, site: Server, name: str) -> None:
    """Each page is done or has failed as it must, has one result, and its row."""
    gone = {n for n in range(LEAVES, PAGES) if n % 37 == 5}
    fails = {n for n in range(LEAVES, PAGES) if n % 50 in FAILS} - gone
    done = set(range(PAGES)) - gone - fails
    snapshot = consistent(frontier)
    assert (snapshot.status, snapshot.processing) == (Status.FINISHED, 0), snapshot
    place = site.url("/endure/")

    def numbers(urls: Iterator[str] | list[str]) -> list[int]:
        return sorted(int(url.removeprefix(place)) for url in urls)

    assert numbers(Listing(frontier).done(0, 10_000)) == sorted(done)
    assert numbers(results(frontier)) == sorted(done)
    failed = {
        int(page.page.url.removeprefix(place)): page.reason
        for page in Listing(frontier).failed(0, 10_000)
    }
    assert failed.keys() == gone | fails
    for n, reason in failed.items():
        assert reason.startswith("http_404" if n in gone else FAILS[n % 50]), (n, reason)
    with sqlite3.connect(ground.folder / "rows.db", timeout=30) as database:
        rows = database.execute("SELECT n FROM rows WHERE crawl = ?", [name]).fetchall()
    assert {n for (n,) in rows} == done
    assert snapshot.counts.get("undelivered", 0) == 0
