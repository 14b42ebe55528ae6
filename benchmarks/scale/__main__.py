"""``python -m benchmarks.scale [--quick] [--save]``: crawl with more and more worker processes, and
with 500 runs in flight.

Redis, the workers and the command that watches them are real; the browsers are not (``endpoint``),
so all that is seen is what crawling itself takes. A page that is wrong fails the run. The whole
takes about six minutes; ``--quick`` one.
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.pages import table

from .measure import Found, crawl

PROCESSES = (1, 2, 4, 8, 16)
#: Of one process; and of all together at least.
PAGES, QUICK_PAGES, LEAST = 150, 40, 600
#: Crawls with so many processes; the one in the middle, by what the frontier and Celery took, is
#: shown.
ROUNDS = 3
#: Seconds that a page takes: where processes are counted, and where runs in flight are.
SECONDS, LONG_SECONDS = 0.05, 5.0
#: Runs in flight: so many workers with so many threads each.
WORKERS, THREADS, FLIGHT_PAGES = 4, 125, 1_500
#: Processor milliseconds that the frontier and Celery may take for a page.
LIMIT = 4.0
PAGE = table.ROOT / "docs" / "performance.md"


def main() -> None:
    """Measure, and show what was found."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__.splitlines()[0]
    )
    options.add_argument("--quick", action="store_true", help="fewer pages, and not 500 in flight")
    options.add_argument(
        "--save",
        action="store_true",
        help=f"write the results to benchmarks/results/scale/latest.json and docs/{PAGE.name}",
    )
    options.add_argument("--only", choices=("processes", "flight"), help="one part")
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # so that no process is left
    pages = QUICK_PAGES if chosen.quick else PAGES
    rows, taken, flight = {}, {}, None
    if chosen.only != "flight":
        for count in PROCESSES:
            goal = max(0 if chosen.quick else LEAST, pages * count)
            runs = [
                crawl([("-c", str(count))], count, goal, SECONDS, warm=True)
                for _ in range(1 if chosen.quick else ROUNDS)
            ]
            rows[count] = sorted(runs, key=lambda run: run.overhead)[len(runs) // 2]
            taken[count] = ", ".join(f"{run.overhead:.2f}" for run in runs)
            print(f"{count} processes: {rows[count].pages_per_s:.1f} pages/s", flush=True)
    if chosen.only == "flight" or not (chosen.only or chosen.quick):
        workers = [("-c", str(THREADS), "-P", "threads")] * WORKERS
        flight = crawl(workers, WORKERS * THREADS, FLIGHT_PAGES, LONG_SECONDS, warm=False)
    text = markdown(rows, taken, flight)
    print(f"\n{text}")
    if chosen.save:
        save(rows, flight, text)


def markdown(rows: dict[int, Found], taken: dict[int, str], flight: Found | None) -> str:
    """What was found, for people; ``taken`` is what the frontier and Celery took in each of the
    crawls.
    """
    lines: list[str] = []
    if rows:
        first, *_, last = rows.values()
        roles = list(first.cpu)
        lines += [
            (
                f"Each page takes {SECONDS * 1_000:.0f} ms; each row is the middle one of its"
                " crawls, by what the frontier and"
            ),
            "Celery took. Processor time is in milliseconds per page; that of the endpoint is not",
            (
                f"the crawl's (it could do {1_000 / last.cpu['endpoint']:,.0f} pages/s). The"
                " machine's is everybody's: the"
            ),
            "benchmark's, and that of everything else there, too.",
            "",
            (
                f"| processes | pages/s | in proportion | {' | '.join(roles)} | of the machine | by"
                " the crawl |"
            ),
            "|---" * (len(roles) + 5) + "|",
        ]
        for count, row in rows.items():
            share = row.pages_per_s / count / first.pages_per_s
            cpu = " | ".join(f"{row.cpu[role]:.2f}" for role in roles)
            lines.append(
                f"| {count} | {row.pages_per_s:.1f} | {share:.2f} | {cpu} | {row.busy:.0%} |"
                f" {row.own:.0%} |"
            )
        lines += [
            "",
            (
                "What Redis, the worker and its children use, without what the children do with the"
                " browser and with links, is for"
            ),
            f"the frontier and Celery. It should be at most {LIMIT:g} ms.",
            "",
            "| processes | all | browser and links | frontier and Celery | in each crawl | |",
            "|---|---|---|---|---|---|",
        ]
        for count, row in rows.items():
            verdict = "within" if row.overhead <= LIMIT else "**more**"
            numbers = " | ".join(
                f"{ms:.2f}" for ms in (row.overhead + row.apart, row.apart, row.overhead)
            )
            lines.append(f"| {count} | {numbers} | {taken[count]} | {verdict} |")
        names = {step: None for row in rows.values() for step in row.steps}
        lines += [
            "",
            f"| step of a child | {' | '.join(map(str, rows))} |",
            "|---" * (len(rows) + 1) + "|",
        ]
        lines += [
            f"| {name} | {' | '.join(f'{row.steps.get(name, 0):.2f}' for row in rows.values())} |"
            for name in names
        ]
    if flight:
        counts = ", ".join(f"{name} {count}" for name, count in flight.counts.items())
        cpu = ", ".join(f"{role} {ms:.2f}" for role, ms in flight.cpu.items() if ms)
        lines += [
            "",
            (
                f"{WORKERS} workers with {THREADS} threads each, {flight.pages:,} pages that take"
                f" {LONG_SECONDS:g} s: at most {flight.highest} runs in flight,"
            ),
            (
                f"{flight.pages_per_s:.1f} pages/s, every page once; {counts}. Processor time:"
                f" {flight.busy:.0%} of the machine's;"
            ),
            f"{cpu} ms per page.",
        ]
    return "\n".join(lines)


def save(rows: dict[int, Found], flight: Found | None, text: str) -> None:
    """Write what was found, with when and on what, to ``benchmarks/results/``, and the tables to
    the page about performance.
    """
    about = {name: value for name, value in table.surroundings().items() if name != "chrome"}
    found = about | {
        "processes": {count: as_row(row) for count, row in rows.items()},
        "flight": flight and as_row(flight),
    }
    table.write_results("scale", found)
    if PAGE.exists():
        versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
        said = (
            f"Measured on {about['date']}: {about['cores']} cores ({about['cpu']}), {versions}; no"
            " Chrome."
        )
        table.put(PAGE, "scale", f"{said}\n\n{text}")
    else:
        print(f"there is no docs/{PAGE.name} to write to")


def as_row(found: Found) -> dict[str, Any]:
    """For JSON."""
    row = asdict(found) | {"pages_per_s": found.pages_per_s}
    if found.steps:
        row |= {"apart": found.apart, "overhead": found.overhead}
    return {name: rounded(value) for name, value in row.items()}


def rounded(value: Any) -> Any:
    """Numbers with the digits that mean something."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
