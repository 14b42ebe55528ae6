"""``python -m benchmarks.pages.steps [--quick]``: what each step of a run costs, and all that goes
on beside it, per page.

One session crawls the light site, so a page's steps follow one another, and their times add up to
the page's. Each process of the worker keeps account of its own (``record``, which the benchmark's
crawl sets up); what other processes use is read from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

from celery import signals

from crawler.run.observer import RunObserver

from . import product, site, table

PAGES, QUICK_PAGES = 1_000, 200
#: What a run is at before its first step, and what its process is at after its last one.
BEFORE, BETWEEN = "Celery: before the run", "Celery: from one run to the next"
#: What the steps stand for, in their order.
ABOUT = {
    BEFORE: "the task's message is unpacked",
    "execute": "",
    "validate": "the definition, once per process",
    "browser": "the warm session is lent",
    "queue.register": "one script in Redis",
    "before": "a hook",
    "request": "Chrome loads the page, and says what it is",
    "extract": "a hook that asks Chrome for two things",
    "filter": "20 links: scope, robots, canonical form",
    "queue.deregister": "one script: links, result and page",
    "after": (
        "a hook; the session is put away: its windows are counted, its memory now and then"
        " looked at"
    ),
    "start": "one script; the next run's message sent",
    BETWEEN: "the worker takes the result, and the next message from the broker",
}


def record(folder: Path) -> None:
    """From now on keep account, in ``folder``, of what the runs of this process do.

    A line for each has the seconds of its steps: by the clock, and of the processor's time. They
    are written as the process ends: that would be the dearest step.
    """
    steps: list[tuple[str, float, float]] = []
    runs: list[tuple[float, list[tuple[str, float, float]]]] = []

    def mark(name: str) -> None:
        steps.append((name, time.perf_counter(), time.thread_time()))

    plain = RunObserver.step

    @wraps(plain)
    def step(self: RunObserver, name: str, *page: Any) -> None:
        mark(name)
        plain(self, name, *page)

    RunObserver.step = step  # type: ignore[method-assign]

    def begin(**_: Any) -> None:
        mark(BEFORE)
        if len(steps) > 1:  # the run before this one is over only now
            runs.append((time.time(), steps[:]))
            del steps[:-1]

    def close(**_: Any) -> None:
        with (folder / f"{os.getpid()}.steps").open("a") as file:
            for ended, marks in runs:
                took = [
                    (name, ends - at, used - cpu)
                    for (name, at, cpu), (_, ends, used) in pairwise(marks)
                ]
                file.write(json.dumps([ended, took]) + "\n")

    signals.task_prerun.connect(begin, weak=False)
    signals.task_postrun.connect(lambda **_: mark(BETWEEN), weak=False)
    signals.worker_process_shutdown.connect(close, weak=False)


def recorded(folder: Path, since: float) -> list[list[tuple[str, float, float]]]:
    """The runs that ended after ``since``, by the clock of the day; ``folder`` is where ``record``
    wrote.
    """
    lines = (
        json.loads(line)
        for file in folder.glob("*.steps")
        for line in file.read_text().splitlines()
    )
    return [took for ended, took in lines if ended >= since]


def main() -> None:
    """Measure, and show the table."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.pages.steps", description=__doc__.splitlines()[0]
    )
    options.add_argument("--quick", action="store_true", help=f"{QUICK_PAGES} pages")
    options.add_argument("--pages", type=int, help="of the site")
    options.add_argument(
        "--save", action="store_true", help="write the table to docs/performance.md"
    )
    chosen = options.parse_args()
    pages = chosen.pages or (QUICK_PAGES if chosen.quick else PAGES)
    with tempfile.TemporaryDirectory(prefix="steps-") as name, site.running(pages) as (address, _):
        folder = Path(name)
        sample = product.run(address, "light", 1, pages, {"BENCH_STEPS": name})
        runs = recorded(folder, sample.began)
    text = markdown(runs, sample, pages)
    print(text)
    if chosen.save:
        table.put(table.ROOT / "docs" / "performance.md", "steps", f"{table.said()}\n\n{text}")


def markdown(runs: list[list[tuple[str, float, float]]], sample: Any, pages: int) -> str:
    """Each step's cost per page, in milliseconds."""
    wall: dict[str, float] = defaultdict(float)
    cpu: dict[str, float] = defaultdict(float)
    for run in runs:
        for step, seconds, used in run:
            wall[step] += seconds * 1_000 / pages
            cpu[step] += used * 1_000 / pages
    lines = ["| step | ms | CPU ms of its process | |", "|---|---|---|---|"]
    lines += [
        f"| {step} | {wall[step]:.2f} | {cpu[step]:.2f} | {ABOUT.get(step, '')} |"
        for step in sorted(
            wall, key=lambda step: list(ABOUT).index(step) if step in ABOUT else len(ABOUT)
        )
    ]
    all_wall, all_cpu = sum(wall.values()), sum(cpu.values())
    page, used = sample.seconds * 1_000 / pages, sample.cpu_ms.get("runs", 0.0)
    lines.append(
        f"| **all of them** | **{all_wall:.2f}** | **{all_cpu:.2f}** | {len(runs):,} runs |"
    )
    lines.append(
        f"| not explained | {page - all_wall:.2f} | {used - all_cpu:.2f} | of {page:.2f} ms a"
        " page |"
    )
    lines += ["", "| process | CPU ms per page |", "|---|---|"]
    lines += [f"| {name} | {ms:.2f} |" for name, ms in sorted(sample.cpu_ms.items())]
    lines.append(f"| **all of them** | **{sum(sample.cpu_ms.values()):.2f}** |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
