"""One crawl on browsers that cost nothing: how fast it was, what used the processor, and how much
was in flight.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.pages import product
from benchmarks.pages.sample import wrong_pages
from benchmarks.pages.steps import recorded
from benchmarks.pages.usage import Watch
from crawler.frontier.frontier import Frontier

from . import endpoint

CRAWLS = Path(__file__).with_name("shop.py")
#: Steps of a run in which it speaks to the browser, does what the crawl's author wants, or chooses
#: links; the rest is the frontier and Celery.
APART = ("browser", "request", "extract", "filter", "put away")
#: What a Watch calls the processes that are measured.
ROLES = {
    "redis": "redis",
    "worker": "worker",
    "runs": "children",
    "python": "endpoint",
    "command": "start",
}
#: Seconds between two looks at a crawl.
INTERVAL = 0.5
#: Seconds in which a crawl must end.
PATIENCE = 300.0


@dataclass(frozen=True)
class Found:
    """What one crawl did, between its first result and its last. Processor time is in milliseconds
    per page.

    ``steps`` is what each step of a run takes of the children's; empty: that was not asked.
    ``busy`` is the share of the machine's processor time that was used, by anybody, ``own`` that of
    the processes in ``cpu``.
    """

    pages: int
    seconds: float
    cpu: dict[str, float]
    busy: float
    own: float
    highest: int  # pages in flight
    counts: dict[str, int]
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def pages_per_s(self) -> float:
        """Of all processes together."""
        return self.pages / self.seconds

    @property
    def apart(self) -> float:
        """Processor milliseconds per page that the children spend on the browser and on links."""
        return sum(self.steps.get(step, 0.0) for step in APART)

    @property
    def overhead(self) -> float:
        """Processor milliseconds per page for the frontier and Celery."""
        return self.cpu["redis"] + self.cpu["worker"] + self.cpu["children"] - self.apart


def used() -> float:
    """Processor seconds of the whole machine so far."""
    times = psutil.cpu_times()
    return sum(times[:3]) + sum(getattr(times, name, 0.0) for name in ("irq", "softirq", "steal"))


def crawl(
    workers: list[tuple[str, ...]], slots: int, pages: int, seconds: float, *, warm: bool
) -> Found:
    """Crawl ``pages`` pages that take so many ``seconds`` each, ``slots`` at once, with a worker
    for each tuple of options.

    With ``warm`` a short crawl goes before, so that every child has its session, and the children
    keep account of their steps. Exits if a page is missing, came twice, says something else,
    failed, or had to be tried again.
    """
    with tempfile.TemporaryDirectory(prefix="scale-") as name, ExitStack() as ending:
        folder, kind = Path(name), str(pages)
        url, browsers = ending.enter_context(endpoint.running(seconds))
        extra = {"CRAWLER_CHROME_URL": url} | ({"BENCH_STEPS": name} if warm else {})
        server, environment = ending.enter_context(
            product.environs(folder, f"{endpoint.SITE},{kind},{pages},{slots}", extra, CRAWLS)
        )
        assert server.process
        processes = [
            ending.enter_context(product.worker(folder, environment, *options))
            for options in workers
        ]
        client: Any = redis.Redis.from_url(server.url)
        frontier = Frontier(client, "bench")
        if warm:
            fewer = environment | {
                "BENCH_CRAWL": f"{endpoint.SITE},{kind},{product.WARM * slots},{slots}"
            }
            finish(ending.enter_context(started(folder, fewer, "warm")), folder)
        origin, end = frontier.origin(), time.monotonic() + PATIENCE
        command = ending.enter_context(started(folder, environment, "out"))
        watch = Watch(server.process.pid, *processes, browsers, command.pid)
        ending.callback(watch.stop)
        while frontier.origin() == origin or not client.exists(frontier.key("results")):
            if command.poll() is not None or time.monotonic() > end:
                sys.exit(f"no page was done\n{said(folder)}")
            time.sleep(0.01)
        before, machine, began = watch.look(), used(), time.monotonic()
        highest = 0
        while not (seen := frontier.snapshot()).status.ended:
            highest = max(highest, seen.processing)
            if time.monotonic() > end:
                sys.exit(f"the crawl does not end: {seen}\n{said(folder)}")
            time.sleep(INTERVAL)
        after, machine, took = watch.look(), used() - machine, time.monotonic() - began
        stamps = [
            int(key.partition(b"-")[0]) / 1_000 for key, _ in client.xrange(frontier.key("results"))
        ]
        counts = {
            name: seen.counts.get(name, 0) for name in ("retried", "reaped", "stale", "crashed")
        } | {"failed": seen.failed}
        if any(counts.values()):
            sys.exit(f"some pages failed, or were tried again: {counts}\n{said(folder)}")
        finish(command, folder)
        if wrong := wrong_pages(pages, product.results(folder / "out" / "pages.jsonl", kind)):
            sys.exit(f"{wrong} of {pages} pages are missing, came twice or are wrong: {counts}")
        ending.close()  # the children write down their last steps as they end
        spent = {role: (after[name] - before[name]) * 1_000 / pages for name, role in ROLES.items()}
        steps = Counter[str]()
        for run in recorded(folder, stamps[0]):
            for step, _, cpu in run:
                steps[step] += cpu * 1_000 / pages
    capacity = took * (os.cpu_count() or 1)
    return Found(
        pages,
        (stamps[-1] - stamps[0]) * pages / (pages - 1),
        spent,
        machine / capacity,
        sum(spent.values()) * pages / 1_000 / capacity,
        highest,
        counts,
        dict(steps),
    )


@contextmanager
def started(
    folder: Path, environment: dict[str, str], name: str
) -> Iterator[subprocess.Popen[bytes]]:
    """``crawler start``, which leaves nothing behind."""
    command = product.start(folder, environment, name)
    try:
        yield command
    finally:
        command.kill()  # unless it is over
        command.wait()


def finish(command: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for ``crawler start``; exits if the crawl failed, or does not end."""
    try:
        status = command.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        status = -1
    if status:
        sys.exit(said(folder))


def said(folder: Path) -> str:
    """What the command and the workers said."""
    return (folder / "start.log").read_text() + (folder / "worker.log").read_text()
