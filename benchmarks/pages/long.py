"""``python -m benchmarks.pages.long``: one crawl of 20,000 pages, to see that its end is as fast as
its beginning, and as large.

It takes eight minutes and more. What is written down is ``benchmarks/results/long/latest.json``.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from . import product, site, table
from .course import Course

PAGES, SESSIONS = 20_000, 4


def main() -> None:
    """Crawl, and show each tenth."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.pages.long", description=__doc__.splitlines()[0]
    )
    options.add_argument("--pages", type=int, default=PAGES)
    options.add_argument("--sessions", type=int, default=SESSIONS)
    options.add_argument(
        "--save",
        action="store_true",
        help="write the results to benchmarks/results/long/latest.json",
    )
    chosen = options.parse_args()
    course = Course(chosen.pages)
    with site.running(chosen.pages) as (address, _):
        sample = product.run(address, "light", chosen.sessions, chosen.pages, course=course)
    rows = course.rows()
    print(markdown(rows, chosen.pages))
    found = {
        "pages": chosen.pages,
        "sessions": chosen.sessions,
        "pages_per_s": sample.pages_per_s,
        "cpu_ms": sample.cpu_ms,
    }
    print(found)
    if chosen.save:
        table.put(
            table.ROOT / "docs" / "performance.md",
            "long",
            f"{table.said()}\n\n{markdown(rows, chosen.pages)}",
        )
        table.write_results("long", table.surroundings() | found | {"tenths": rows})
    if sample.wrong:
        sys.exit(f"{sample.wrong} pages were wrong")


def markdown(rows: list[dict[str, Any]], pages: int) -> str:
    """The tenths as tables: speed, with what it took; and memory."""
    lines = [
        "| pages | pages/s | processor, ms per page | of it Chrome | the yardstick, ms |",
        "|---|---|---|---|---|",
    ]
    for number, row in enumerate(rows, 1):
        spent = row["cpu_ms"]
        chrome = sum(ms for kind, ms in spent.items() if kind.startswith("chrome"))
        cells = (
            f"{row['pages_per_s']:.1f} | {sum(spent.values()):.1f} | {chrome:.1f} |"
            f" {row['yardstick_ms']:.2f}"
        )
        lines.append(f"| {pages * number // 10:,} | {cells} |")
    names = sorted({name for row in rows for name in row["mb"]})
    lines += [
        "",
        f"| pages | {' | '.join(f'{name}, MB' for name in names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for number, row in enumerate(rows, 1):
        cells = " | ".join(f"{row['mb'].get(name, 0):.0f}" for name in names)
        lines.append(f"| {pages * number // 10:,} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
