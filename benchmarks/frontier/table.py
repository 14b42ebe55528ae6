"""The results as tables for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def tables(results: dict[str, Any]) -> str:
    """Return all results as Markdown."""
    machine, versions = results["machine"], results["versions"]
    about = ", ".join(f"{name} {number}" for name, number in versions.items())
    load = ", ".join(map(str, machine["load"]))
    rows = results["rows"]
    runs = [name for name in rows[0]["costs"] if "finish" in name]
    head = [
        "known URLs",
        *(
            f"{row['urls']:,}" + (f", {row['per_host']} per host" if row["per_host"] else "")
            for row in rows
        ),
    ]
    lines = [
        (
            f"Measured on {results['date']}: {about}; {machine['cpu']}, {machine['cores']} cores,"
            f" {machine['system']}, load {load}."
        ),
        "",
        *table(head, bytes_(rows)),
        "",
        (
            "Bytes more per queued URL for what its link brought, beyond an entry with only the"
            " fields that every page has:"
        ),
        "",
        *table(
            ["the link brought", "bytes more per queued URL"],
            [[brought, f"{number:.1f}"] for brought, number in results["link_data"].items()],
        ),
        "",
        "Bytes per known page for remembering it from one generation to the next, at most 24:",
        "",
        *table(
            ["known", "bytes per page"],
            [[pages, f"{number:.1f}"] for pages, number in results["memory"].items()],
        ),
        "",
        (
            "Microseconds of the server's processor time, everything included (in brackets: in the"
            " script, by the clock):"
        ),
        "",
        *table(head, costs(rows)),
        "",
        "So many pages in a second of the server's one thread:",
        "",
        *table(
            head,
            [[name, *(f"{1e6 / row['costs'][name]['cpu']:,.0f}" for row in rows)] for name in runs],
        ),
        "",
        "The dearest single calls of what happens all the time, in milliseconds of processor time:",
        "",
        *table(head, longest(rows)),
        "",
        (
            "The dearest single calls of what is rare and much at once, in milliseconds of"
            " processor time:"
        ),
        "",
        *table(
            ["", "script", "ms"],
            [[case, *dearest(scripts)] for case, scripts in results["rare"].items()],
        ),
    ]
    return "\n".join(lines)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def bytes_(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the rows of bytes per URL."""
    named = {"bytes per known URL": "known_url", "bytes per queued URL, besides": "queued_url"}
    return [
        [title, *(f"{row[field]:.1f} ({row[field + '_by_growth']:.1f})" for row in rows)]
        for title, field in named.items()
    ]


def costs(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the rows of the cost of each operation."""
    return [
        [
            name,
            *(
                f"{row['costs'][name]['cpu']:,.0f} ({row['costs'][name]['script']:,.0f})"
                for row in rows
            ),
        ]
        for name in rows[0]["costs"]
    ]


def longest(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the dearest call of each script, and the longest of any by the clock."""
    lines = [
        [name, *(f"{row['longest_ms'][name]:.1f}" for row in rows)]
        for name in rows[0]["longest_ms"]
    ]
    clock = [
        max((ms for slow in row["slow_ms"].values() for ms in slow), default=None) for row in rows
    ]
    return [
        *lines,
        [
            "any of them by the clock, also while filling",
            *("under 5" if ms is None else f"{ms:.1f}" for ms in clock),
        ],
    ]


def dearest(scripts: dict[str, float]) -> list[str]:
    """Return the script that took longest, and its milliseconds."""
    name = max(scripts, key=lambda name: scripts[name])
    return [name, f"{scripts[name]:.1f}"]


def insert(page: Path, text: str) -> None:
    """Put ``text`` between the marks of a page."""
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
