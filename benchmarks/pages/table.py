"""What was found, as rows, as a table, and in the files that show it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from crawler.browser.chrome.local import find_chrome
from crawler.local.embedded import find_redis
from crawler.profile import Profile
from crawler.version import __version__

from .sample import Sample

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
WHAT = ("floor", "limit", "product")
#: What else one would pick, and how it is written.
PEERS = {"scrapy-playwright": "scrapy-playwright", "crawlee": "Crawlee for Python"}
#: Without a browser, where the site needs none.
HTTP = {"auto": 'product, `fetch="auto"`', "http": 'product, `fetch="http"`'}
HTTP_PEERS = {"scrapy-redis": "scrapy-redis"}
NAMES = {**{name: name for name in WHAT}, **PEERS, **HTTP, **HTTP_PEERS}
#: Pages for each session, at least: fewer would be over before all of them have one.
SESSION_PAGES = 15
#: How many times as many pages there are without a browser: they take a tenth of the time.
HTTP_TIMES = 8
#: All of them have the window that a crawl's browsers have: what is painted costs.
WINDOW = "--window-size={},{}".format(*Profile("").window)


def row(kind: str, count: int, what: str, samples: list[Sample]) -> dict[str, Any]:
    """The medians of one contender on one site."""
    speeds = sorted(one.pages_per_s for one in samples)
    names = sorted({name for one in samples for name in one.cpu_ms})
    return {
        "site": kind,
        "sessions": count,
        "what": what,
        "pages_per_s": round(median(speeds), 2),
        "cpu_ms_per_page": round(median(sum(one.cpu_ms.values()) for one in samples), 2),
        "peak_mb": round(median(one.peak for one in samples) / 2**20),
        "wrong_pages": sum(one.wrong for one in samples),
        "spread": [round(speeds[0], 2), round(speeds[-1], 2)],
        "cpu_ms": {
            name: round(median(one.cpu_ms.get(name, 0.0) for one in samples), 2) for name in names
        },
        **{name: round(median(one.more[name] for one in samples), 2) for name in samples[0].more},
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: the product next to the floor, the limit, and its peers; below it what
    needs no browser.
    """
    parts = [(*WHAT, *PEERS), (*HTTP, *HTTP_PEERS)]
    tables = [[row for row in rows if row["what"] in names] for names in parts]
    return "\n\n".join(markdown_of(some) for some in tables if some)


def markdown_of(rows: list[dict[str, Any]]) -> str:
    """One table."""
    names = [one for one in NAMES if any(row["what"] == one for row in rows)]
    shares = [one for one in ("floor", "limit") if one in names]
    heads = ["site", "at once", *(NAMES[one] for one in names)]
    heads += [f"of {one}" for one in shares]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    by: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for one in rows:
        by[one["site"], one["sessions"]][one["what"]] = one

    def cell(one: dict[str, Any] | None) -> str:
        return (
            f"{one['pages_per_s']:.1f}/s, {one['cpu_ms_per_page']:.0f} ms, {one['peak_mb']} MB"
            if one
            else ""
        )

    for (kind, count), found in by.items():
        ours = found.get("product")
        parts = [
            f"{ours['pages_per_s'] / other['pages_per_s']:.2f}"
            if ours and (other := found.get(name))
            else ""
            for name in shares
        ]
        cells = [kind, str(count), *(cell(found.get(name)) for name in names), *parts]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def save(
    rows: list[dict[str, Any]], served: float, *, pages: int, rounds: int, peers: bool
) -> None:
    """Write the rows, with the time and the machine, to the file of results, and the table to
    docs/performance.md; with ``peers`` to README.md.
    """
    about = surroundings() | {"pages": pages, "rounds": rounds, "server_pages_per_s": round(served)}
    write_results("peers" if peers else "pages", about | {"rows": rows})
    put(
        ROOT / ("README.md" if peers else "docs/performance.md"),
        "peers" if peers else "bench",
        f"{said()} Medians of {rounds} rounds of {pages:,} pages,"
        f" {SESSION_PAGES} a session at least; without a browser, {HTTP_TIMES} times as many."
        f"\n\n{markdown(rows)}",
    )


def write_results(benchmark: str, values: dict[str, Any]) -> None:
    """Replace the one file of results that the repository has of ``benchmark``."""
    file = RESULTS / benchmark / "latest.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(values, indent=1) + "\n")


def put(file: Path, part: str, text: str) -> None:
    """Replace what ``file`` has between the comments that name ``part``."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, found, rest = file.read_text().partition(begin)
    if not (found and end in rest):
        raise SystemExit(f"{file} has no part {begin} … {end}")
    file.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}")


def said() -> str:
    """When and on what it was measured, in a sentence."""
    about = surroundings()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"Measured on {about['date']}: {about['cores']} cores ({about['cpu']}), {about['chrome']},"
        f" {versions}."
    )


def redis_version() -> str:
    """Of the server that crawls without a Redis of their own get."""
    said = subprocess.run(
        [find_redis(), "--version"], capture_output=True, text=True, check=False
    ).stdout
    return said.partition("v=")[2].partition(" ")[0]


def surroundings() -> dict[str, Any]:
    """When and on what it was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
    chrome = subprocess.run(
        [find_chrome() or "false", "--version"], capture_output=True, text=True, check=False
    ).stdout
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "chrome": " ".join(chrome.split()[:2]),
        "versions": (
            {
                "celery-crawler": __version__,
                "Python": platform.python_version(),
                "Redis": redis_version(),
            }
            | {name: version(name) for name in ("celery", "selenium", "redis")}
        ),
    }
