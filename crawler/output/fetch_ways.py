"""The ways by which a crawl's pages came, with and without a browser, and what that saved."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Json

#: What is counted (``fetch_http`` and so on) of a crawl that needs no browser for all its pages, in
#: words.
COUNTED = {
    "http": "by HTTP",
    "chrome": "by Chrome",
    "compared": "of them both ways",
    "brought": "for which a browser was brought",
    "again": "done again by Chrome",
    "not_modified": "not sent again, as they have not changed",
    "unkept": "not kept for the next visit",
}
#: Begins the name of a count: of pages of a route that differed, with the first one as example.
DIFFERS = "fetch_differs:"
#: The ways.
WAYS = ("http", "chrome")
#: Pages that were timed both ways, below which nothing is said about what was saved.
TIMED_MIN = 3


def fetch_facts(counts: Mapping[str, int], examples: Mapping[str, str]) -> dict[str, Json]:
    """Return how many pages each way took, from the ``counts`` of a crawl; and, as ``times``, how
    many were timed both ways, their mean seconds by ``http`` and by ``chrome``, and the seconds of
    sessions that were ``saved``, if there were enough of them; as ``differs`` the first page that
    differed, of each route that had one, from its ``examples``.

    Of what each page by HTTP spared, comparisons and pages that were done again are taken off. It
    is below zero if they cost more.
    """
    facts: dict[str, Json] = {word: n for word in COUNTED if (n := counts.get(f"fetch_{word}", 0))}
    timed = counts.get("fetch_timed", 0)
    if timed >= TIMED_MIN:
        http, chrome = (counts.get(f"fetch_{way}_us", 0) / 1_000_000 / timed for way in WAYS)
        numbers = [counts.get(f"fetch_{word}", 0) for word in ("http", "again", "compared")]
        by_http, again, compared = numbers
        saved = (by_http - again) * (chrome - http) - (compared + again) * http
        facts["times"] = {
            "timed": timed,
            "http": round(http, 3),
            "chrome": round(chrome, 3),
            "saved": round(saved, 1),
        }
    differs = {
        name.removeprefix(DIFFERS): page
        for name, page in sorted(examples.items())
        if name.startswith(DIFFERS)
    }
    return {**facts, "differs": differs} if differs else facts


def fetch_text(facts: Mapping[str, Json]) -> str:
    """Return the facts in a line: ``58 by HTTP, 21 by Chrome, 12 of them both ways; …``."""
    text = ", ".join(f"{facts[word]} {COUNTED[word]}" for word in COUNTED if word in facts)
    if times := facts.get("times"):
        saved = times["saved"]
        what = f"about {_span(saved)} of sessions saved" if saved > 0 else "no time was saved"
        text += (
            f"; {what}: of {times['timed']} pages, HTTP took {times['http']:.3f} s each and Chrome"
            f" {times['chrome']:.3f} s"
        )
    return text


def _span(seconds: float) -> str:
    """Return ``seconds`` in a unit in which they are easy to read."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
