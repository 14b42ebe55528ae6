"""``python -m benchmarks.pages [--quick]``: crawl made-up sites with the product, and load them by two shorter ways beside it.

Rounds, sites and contenders take turns, so that what disturbs disturbs all of them; medians are shown, with the spread. A page
that is wrong fails the run. The whole takes about an hour on two cores that have nothing else to do; ``--quick`` three minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from crawler.browser import find_chrome, find_driver
from crawler.version import __version__

from . import floor, limit, product, site
from .sample import Sample

RESULTS = Path(__file__).resolve().parents[1] / "results"
ROUNDS, SESSIONS = 3, (1, 2, 4, 8)
QUICK_SESSIONS, QUICK_PAGES = (2, 4), 300
WHAT = ("floor", "limit", "product")

Key = tuple[str, int, str]


def main() -> None:
    """Measure, and write down what was found."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="the light site only, one round, fewer pages, to the screen")
    options.add_argument("--sites", default=",".join(site.KINDS), help="of: %(default)s")
    options.add_argument("--sessions", help="browsers at once, separated by commas")
    options.add_argument("--what", default=",".join(WHAT), help="of: %(default)s")
    options.add_argument("--pages", type=int, help="of each site")
    options.add_argument("--rounds", type=int)
    chosen = options.parse_args()
    sites = ["light"] if chosen.quick else chosen.sites.split(",")
    sessions = (
        [int(one) for one in chosen.sessions.split(",")] if chosen.sessions else QUICK_SESSIONS if chosen.quick else SESSIONS
    )
    pages = chosen.pages or (QUICK_PAGES if chosen.quick else site.PAGES)
    samples = measure(sites, sessions, chosen.what.split(","), pages, chosen.rounds or (1 if chosen.quick else ROUNDS))
    rows = [row(key, found) for key, found in samples.items()]
    print(table(rows))
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "latest.json").write_text(json.dumps(rows, indent=1) + "\n")
        (RESULTS / "pages.json").write_text(json.dumps(surroundings() | {"rows": rows}, indent=1) + "\n")
    if any(one["wrong_pages"] for one in rows):
        sys.exit("some pages were wrong")


def measure(sites: list[str], sessions: tuple[int, ...], what: list[str], pages: int, rounds: int) -> dict[Key, list[Sample]]:
    """Every sample, by site, sessions and contender."""
    binary, driver = find_chrome(), find_driver()
    if not (binary and driver):
        sys.exit("no Chrome and ChromeDriver on the path")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    ways: dict[str, Callable[[str, str, int], Sample]] = {
        "floor": lambda address, kind, count: floor.run(address, kind, count, pages, binary, driver, flags),
        "limit": lambda address, kind, count: limit.run(address, kind, count, pages, binary, driver, flags),
        "product": lambda address, kind, count: product.run(address, kind, count, pages),
    }
    found: dict[Key, list[Sample]] = defaultdict(list)
    with site.running(pages) as (address, _):
        for _ in range(rounds):
            for kind in sites:
                for count in sessions:
                    for name in what:
                        got = ways[name](address, kind, count)
                        found[kind, count, name].append(got)
                        print(f"{kind:6} {count} {name:8} {got.pages_per_s:6.1f} pages/s", got.cpu_ms, got.more, flush=True)
    return found


def row(key: Key, samples: list[Sample]) -> dict[str, Any]:
    """The medians of one contender on one site."""
    kind, count, what = key
    speeds = sorted(one.pages_per_s for one in samples)
    kinds = sorted({name for one in samples for name in one.cpu_ms})
    return {
        "site": kind, "sessions": count, "what": what, "pages_per_s": round(median(speeds), 2),
        "cpu_ms_per_page": round(median(sum(one.cpu_ms.values()) for one in samples), 2),
        "pss_mb": round(median(one.pss for one in samples) / 2**20), "wrong_pages": sum(one.wrong for one in samples),
        "spread": [round(speeds[0], 2), round(speeds[-1], 2)],
        "cpu_ms": {name: round(median(one.cpu_ms.get(name, 0.0) for one in samples), 2) for name in kinds},
        **{name: round(median(one.more[name] for one in samples), 2) for name in samples[0].more},
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, the product next to the floor and the limit."""
    lines = ["| site | sessions | floor | limit | product | of floor | of limit |", "|---|---|---|---|---|---|---|"]
    by: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for one in rows:
        by[one["site"], one["sessions"]][one["what"]] = one

    def cell(one: dict[str, Any] | None) -> str:
        return f"{one['pages_per_s']:.1f}/s, {one['cpu_ms_per_page']:.0f} ms, {one['pss_mb']} MB" if one else ""

    for (kind, count), found in by.items():
        ours = found.get("product")
        shares = [
            f"{ours['pages_per_s'] / other['pages_per_s']:.2f}" if ours and (other := found.get(name)) else ""
            for name in ("floor", "limit")
        ]
        lines.append(f"| {kind} | {count} | {' | '.join(cell(found.get(name)) for name in WHAT)} | {' | '.join(shares)} |")
    return "\n".join(lines)


def surroundings() -> dict[str, Any]:
    """When and on what it was measured."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"celery-crawler": __version__, "python": platform.python_version()}
        | {name: version(name) for name in ("celery", "selenium", "redis")},
        "machine": {"cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(), "cores": os.cpu_count()},
    }


if __name__ == "__main__":
    main()
