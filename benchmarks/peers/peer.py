"""Run a peer on one site. Its clock begins when its browsers are warm, as the product's does."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.frontier.server import shipped
from benchmarks.pages.product import PATIENCE, WARM
from benchmarks.pages.sample import Sample, sample, wrong_pages
from benchmarks.pages.usage import Watch
from crawler.local.embedded import PrivateRedis

FOLDER = Path(__file__).parent
#: The environment of the peers; `make bench-peers` makes it.
PYTHON = FOLDER.parents[1] / "build" / "peers" / "bin" / "python"
#: The peers that have browsers, and their programs.
PROGRAMS = {"scrapy-playwright": "scrapy_playwright_crawl.py", "crawlee": "crawlee_crawl.py"}
#: Seconds without a page after which a process of scrapy-redis ends; no part of what is measured.
IDLE = 5
#: Seconds between two looks at how many pages are there.
LOOK_INTERVAL = 0.05


def run(
    name: str, address: str, kind: str, sessions: int, pages: int, binary: str, flags: list[str]
) -> Sample:
    """Crawl the site once by the peer ``name``, with so many pages at once."""
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        output = Path(folder) / "pages.jsonl"
        words = [FOLDER / PROGRAMS[name], address, kind, sessions, binary, " ".join(flags), output]
        return watched([words], Path(folder), [output], pages, min(WARM * sessions, pages // 4))


def run_redis(address: str, kind: str, processes: int, pages: int) -> Sample:
    """Crawl the site once by scrapy-redis, with so many processes."""
    with tempfile.TemporaryDirectory(prefix="peer-") as name, ExitStack() as ending:
        folder = Path(name)
        server = ending.enter_context(PrivateRedis(folder, options=shipped()))
        assert server.process
        outputs = [folder / f"{number}.jsonl" for number in range(processes)]
        words = [
            [
                FOLDER / "scrapy_redis_crawl.py",
                "" if number else f"{address}/{kind}/0",
                server.url,
                IDLE,
                output,
            ]
            for number, output in enumerate(outputs)
        ]
        return watched(words, folder, outputs, pages, WARM * processes, server.process.pid)


def watched(
    programs: list[list[Any]], folder: Path, outputs: list[Path], pages: int, warm: int, *more: int
) -> Sample:
    """Run these programs until all pages are there. The clock runs from the page numbered ``warm``
    to the last.
    """
    with (folder / "peer.log").open("wb") as log:
        processes = [
            subprocess.Popen([str(PYTHON), *map(str, words)], cwd=folder, stdout=log, stderr=log)
            for words in programs
        ]
    watch = Watch(*(process.pid for process in processes), *more)
    until = time.monotonic() + PATIENCE
    try:
        await_pages(outputs, warm, processes, until)
        before = watch.look()
        await_pages(outputs, pages, processes, until)
        after = watch.look()
        peak = watch.peak()
        watch.stop()
        for process in processes:
            process.wait(PATIENCE)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    rows = [row for output in outputs for row in written(output)]
    if len(rows) < pages:
        raise RuntimeError((folder / "peer.log").read_text())
    stamps = sorted(row["at"] for row in rows)
    wrong = wrong_pages(
        pages,
        (
            (int(row["url"].rpartition("/")[2]), row["title"], row["word"], row["links"])
            for row in rows
        ),
    )
    # what is counted came after the first `warm` pages
    counted = len(stamps) - warm
    seconds = stamps[-1] - stamps[warm - 1]
    made = sample(seconds, before, after, peak, counted, wrong)
    return replace(made, began=stamps[0])


def await_pages(
    outputs: list[Path], count: int, processes: list[subprocess.Popen[bytes]], until: float
) -> None:
    """Return when so many pages are written, or all programs ended."""
    while sum(map(lines, outputs)) < count and any(one.poll() is None for one in processes):
        if time.monotonic() > until:
            raise TimeoutError(f"a peer was not done after {PATIENCE:.0f} s")
        time.sleep(LOOK_INTERVAL)


def lines(path: Path) -> int:
    """Pages that are written there so far."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def written(path: Path) -> list[dict[str, Any]]:
    """The pages that are written there."""
    return [json.loads(line) for line in path.read_text().splitlines()]
