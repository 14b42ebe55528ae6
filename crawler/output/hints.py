"""Hints: pages that are done, and perhaps not what their author thinks, with the field that helps.

A run counts such a page under ``hint_KIND``, with its URL as an example.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Json

#: Begins the names of the counts.
HINT = "hint_"
#: Of pages that were looked at again: how many; and the example of a selector that came late.
LOOKS, LATE_CSS = "looks", "late_css"
#: What is counted, and what helps, by kind.
KINDS: Mapping[str, tuple[str, str]] = {
    "late": ("got more links or text soon after the reading", "write {late}, or wait_quiet = 0.5"),
    "left": (
        "held hardly anything, and led elsewhere soon after the reading",
        "wait_for or wait_until wait for what is there",
    ),
    "frames": (
        "held nothing but frames",
        'documents in frames are pages of their own (frames = "links"); frames = "part" reads them'
        " as part of the page",
    ),
    "empty": (
        "gave an item without a value in any field",
        "check the selectors; wait_for waits for what comes late",
    ),
    "scroll": ("showed more links when scrolled", "write scroll = true"),
    "invalid_item": (
        "gave an item that its model refuses, and that is left out",
        'check its Select, or give it a default; invalid_items = "fail" lets such pages fail',
    ),
    "no_number": (
        "had no number where one should be, which is None then",
        "check the selector; re: behind it cuts a number out",
    ),
    "no_integer": (
        "had a fraction where a whole number should be, which is None then",
        'type = "number"',
    ),
    "unclear_number": (
        "had digits that are no number for sure (12.05.2024, 1,2,3), which are None then",
        "cut a number out with re:, or say what its decimal mark is: decimal = ','",
    ),
    "short_number": (
        "had a number in short (1.2k, 3 million), which is None then",
        'type = "text" keeps it',
    ),
    "no_date": (
        "had no date where one should be, which is None then",
        "check the selector; format = '%d %B %y' says how it is written",
    ),
    "unclear_date": (
        "had a date that can be two (05/06/2026), which is None then",
        "format = '%d/%m/%Y' says how it is written",
    ),
    "no_url": (
        "had no http address where one should be, which is None then",
        'check the selector; without type = "url" it stays as it is written',
    ),
    "no_text": ("had an object where a text should be, which is None then", "a longer path"),
    "broken_json_ld": ("had JSON-LD that is no JSON, and no value", "a CSS selector"),
    "cut": (
        "had more links, headers or cookies than a result carries",
        "the first ones are in it; hooks see all of them",
    ),
    "refresh_out": (
        "declared a refresh that leads out of the crawl's bounds",
        "allow = [the host] lets it be followed",
    ),
    "fetch_differs": (
        "came by HTTP otherwise than by Chrome, so their routes went back to Chrome",
        "a route of its own for each kind of page lets the other kinds come by HTTP; fetch ="
        ' "chrome" for such a route spares the comparisons',
    ),
    "route": (
        "came by a link that names a route which this version of the crawl does not have",
        "a pattern, or no route, took it; add the route, or mend follow(route=…)",
    ),
}


def hints(counts: Mapping[str, int], examples: Mapping[str, str]) -> dict[str, Json]:
    """Return the hints that a crawl's ``counts`` and ``examples`` hold, by kind."""
    found: dict[str, Json] = {}
    for kind, (_, advice) in KINDS.items():
        if number := counts.get(HINT + kind, 0):
            css = examples.get(LATE_CSS)
            late = f"wait_for = [{_quoted(css)}]" if css else "wait_for = [a selector]"
            example = examples.get(HINT + kind, "")
            found[kind] = {"pages": number, "example": example, "advice": advice.format(late=late)}
            if kind in ("late", "left", "scroll"):
                found[kind]["looks"] = counts.get(LOOKS, number)
    return found


def hint_lines(found: Mapping[str, Json]) -> list[str]:
    """Return each of the hints ``found`` in a line for people."""
    return [
        f"{_pages(hint['pages'])}{_of(hint)} {KINDS[kind][0]}, as {hint['example']}:"
        f" {hint['advice']}"
        for kind, hint in found.items()
    ]


def _pages(number: int) -> str:
    return "1 page" if number == 1 else f"{number} pages"


def _of(hint: Mapping[str, Json]) -> str:
    looks = hint.get("looks")
    return f" of {looks} that {'was' if looks == 1 else 'were'} looked at again" if looks else ""


def _quoted(css: str) -> str:
    return f"'{css}'" if "'" not in css else f'"{css}"'
