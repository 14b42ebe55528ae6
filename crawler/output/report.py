"""The end report: why a crawl ended and what it did, as JSON and as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from ..model import DECISION, Json, Snapshot, Status
from .fetch_ways import fetch_facts, fetch_text
from .hints import hint_lines, hints

#: Kinds of failure, and the like, that the lines for people show.
SHOWN = 20


class ExitStatus(IntEnum):
    """The end of a command, as a script can tell it apart; 0 is success."""

    CRAWL_FAILED = 1
    MISTAKE = 2
    INTERRUPTED = 130


#: Why a page came back to be tried again: the word of a report, and the count of the frontier.
RETURNS = {
    # its own fault, and may pass; those that were asked for patience are among them
    "retried": "retried",
    "throttled": "throttled",
    "crashed": "crashed",  # it took its browser or worker with it
    "lost": "reaped",  # its worker gave no sign of life
    # not its fault: no browser, a worker that ended, a log-in that had expired
    "released": "released",
    "logged_out": "logouts",  # log-ins that had expired
    "clashes": "clashes",  # a page with the same id was in flight
    # asked for again at once, without the cookies of the site, which had become too many
    "cookies_cleared": "cookies_cleared",
}


def report(snapshot: Snapshot) -> dict[str, Json]:
    """Return the report of a crawl. Times are seconds; ``started`` and ``ended`` are seconds since
    the epoch. ``items`` are the pages that gave any.
    """
    counts, seconds = snapshot.counts, round(snapshot.active, 3)
    known = counts.get("dup", 0)
    return {
        "crawl": snapshot.name,
        "status": snapshot.status.value,
        "reason": snapshot.reason,
        "pages": {
            "done": snapshot.done,
            "failed": snapshot.failed,
            "queued": snapshot.queued,
            "delayed": snapshot.delayed,
            "processing": snapshot.processing,
        },
        "versions": snapshot.versions,
        "routes": {name: route_facts(counts) for name, counts in snapshot.routes.items()},
        "items": counts.get("items", 0),
        "generation": snapshot.generation,
        "changes": change_facts(snapshot),
        "retries": counts.get("retried", 0),
        "failures": dict(ranked(snapshot.reasons)),
        "failure_examples": examples_of(snapshot, "failed_"),
        "delivering": snapshot.delivering,
        "undelivered": counts.get("undelivered", 0),
        "returns": {name: n for name, count in RETURNS.items() if (n := counts.get(count, 0))},
        "decisions": {word: dict(ranked(n)) for word, n in sorted(snapshot.decisions.items())},
        "decision_examples": examples_of(snapshot, DECISION),
        "skipped": dict(sorted(skipped(snapshot).items())),
        "examples": examples_of(snapshot, "skipped_"),
        "known": {"pages": known, "example": snapshot.examples.get("dup", "")} if known else None,
        "hints": hints(snapshot.counts, snapshot.examples),
        "fetch": fetch_facts(counts, snapshot.examples),
        "started": snapshot.started,
        "ended": snapshot.ended,
        "seconds": seconds,
        "pages_per_s": round(snapshot.done / seconds, 2) if seconds else None,
    }


def skipped(snapshot: Snapshot) -> dict[str, int]:
    """Return how many links were not queued, by reason."""
    return {
        name.removeprefix("skipped_"): count
        for name, count in snapshot.counts.items()
        if name.startswith("skipped_") and count
    }


def examples_of(snapshot: Snapshot, prefix: str) -> dict[str, str]:
    """Return the first link or seed that was not queued, by reason ("skipped_"), the first page
    that failed, by kind ("failed_"), with its reason if that says more, or the first page about
    which a hook decided so ("decision:"), by word and reason.
    """
    return {
        name.removeprefix(prefix): url
        for name, url in sorted(snapshot.examples.items())
        if name.startswith(prefix)
    }


def ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return pairs of a name and a count, the largest first."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def lines(snapshot: Snapshot) -> list[str]:
    """Return the report for people, the most important line first."""
    facts = report(snapshot)
    pages, rate, left = facts["pages"], facts["pages_per_s"], waiting(snapshot)
    text = [
        f"{state(snapshot)} after {facts['seconds']:.1f} s" + (f", {rate} pages/s" if rate else ""),
        f"  pages    {pages['done']} done, {pages['failed']} failed"
        + (f", {left} not begun" if left else ""),
        f"  items    {_pages_with(facts['items'])}",
    ]
    if len(facts["versions"]) > 1:
        text.append(f"  versions {'; '.join(version_texts(facts['versions']))}")
    if facts["routes"]:
        text.append(f"  routes   {'; '.join(route_texts(facts['routes']))}")
    if facts["changes"]["known"] or counts_old(facts["changes"]):
        text.append(f"  changes  {change_text(facts['changes'])}")
    for title in ("returns", "failures", "skipped"):
        if facts[title]:
            text.append(f"  {title:<8} {_counts(facts[title])}")
        if title == "failures":
            shown = [(name, facts["failure_examples"].get(name)) for name in facts[title]]
            text += [f"           {name}: {page}" for name, page in shown[:SHOWN] if page]
    text += [f"           {name}: {url}" for name, url in facts["examples"].items()]
    for word, reasons in facts["decisions"].items():
        text.append(f"  {word:<8} {_counts(reasons)}")
        shown = [(name, facts["decision_examples"].get(f"{word}:{name}")) for name in reasons]
        text += [f"           {name}: {page}" for name, page in shown[:SHOWN] if page]
    if known := facts["known"]:
        as_ = f", as {known['example']}" if known["example"] else ""
        text.append(
            f"  known    {known['pages']} led to pages known already{as_}: no results of them"
        )
    if fetch := facts["fetch"]:
        text.append(f"  fetch    {fetch_text(fetch)}")
        differs = fetch.get("differs", {}).items()
        text += [f"           {route}: {page}" for route, page in differs]
    text += [f"  hint     {line}" for line in hint_lines(facts["hints"])]
    if delivering := facts["delivering"]:
        text.append(f"  hooks    {delivering} on their way to hooks")
    if undelivered := facts["undelivered"]:
        see = f"crawler failed {snapshot.name} --after"
        text.append(f"  hooks    {undelivered} not delivered, gave up; see: {see}")
    return text


def change_facts(snapshot: Snapshot) -> dict[str, int]:
    """Return how many pages were ``known`` when this generation of the crawl began; how many are
    new, changed and the same, by their items; how many ``vanished``, as far as that can be said;
    and of how many the results are ``left_out``.
    """
    return {
        "known": snapshot.known,
        **snapshot.changes,
        "vanished": snapshot.vanished,
        "left_out": snapshot.counts.get("left_out", 0),
    }


def counts_old(changes: Mapping[str, int]) -> bool:
    """Whether pages were visited that were known."""
    return bool(changes["changed"] + changes["same"])


def change_text(changes: Mapping[str, int]) -> str:
    """Return the changes in a few words: ``2 new, 1 changed, 97 same, 3 vanished``."""
    text = ", ".join(f"{changes[name]} {name}" for name in ("new", "changed", "same", "vanished"))
    return text + (f" ({changes['left_out']} results left out)" if changes["left_out"] else "")


def route_facts(counts: Mapping[str, int]) -> dict[str, Json]:
    """Return what the pages of a route came to: how many are done and failed, the seconds that
    their last attempts took together, and each of them on average.
    """
    done, failed, ms = (counts.get(name, 0) for name in ("done", "failed", "ms"))
    each = round(ms / 1_000 / (done + failed), 3) if done + failed else None
    return {"done": done, "failed": failed, "seconds": ms / 1_000, "seconds_per_page": each}


def route_texts(routes: Mapping[str, Mapping[str, Json]]) -> list[str]:
    """Return the pages of each route in a few words: ``book 120 done, 3 failed, 0.41 s each``."""
    return [
        f"{name} {route['done']} done"
        + (f", {route['failed']} failed" if route["failed"] else "")
        + (f", {route['seconds_per_page']:.2f} s each" if route["seconds_per_page"] else "")
        for name, route in sorted(routes.items())
    ]


def version_texts(versions: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the pages of each version in a few words: ``1a2b3c4d 120 done, 3 failed``."""
    return [
        f"{version} {', '.join(f'{number} {what}' for what, number in sorted(pages.items()))}"
        for version, pages in versions.items()
    ]


def _pages_with(items: int) -> str:
    """Return how many pages gave something: of one, all its items count once."""
    return f"{items} {'page' if items == 1 else 'pages'} with items"


def _counts(counts: Mapping[str, int]) -> str:
    """Return names and their counts in a line, the first ``SHOWN`` of them."""
    parts = [f"{name} {count}" for name, count in counts.items()]
    rest = [f"and {len(parts) - SHOWN} other kinds"] if len(parts) > SHOWN else []
    return ", ".join([*parts[:SHOWN], *rest])


def status(snapshot: Snapshot) -> str:
    """Return the status of a crawl, and the reason of it if there is one."""
    reason = f" ({snapshot.reason})" if snapshot.reason else ""
    return f"{snapshot.status.value.lower()}{reason}"


def state(snapshot: Snapshot) -> str:
    """Return the name of a crawl with its status."""
    return f"{snapshot.name}: {status(snapshot)}"


def standing(snapshot: Snapshot) -> str:
    """Return where a crawl stands, in a line: its state and the counts of its pages."""
    hooks = f", {snapshot.delivering} on their way to hooks" if snapshot.delivering else ""
    if undelivered := snapshot.counts.get("undelivered", 0):
        hooks += f", {undelivered} not taken by hooks (crawler failed {snapshot.name} --after)"
    return (
        f"{state(snapshot)}; {snapshot.done} done, {snapshot.failed} failed,"
        f" {snapshot.queued + snapshot.delayed} waiting, {snapshot.processing} in flight{hooks}"
    )


def tick_line(name: str, counts: Mapping[str, Json]) -> str:
    """Return in a line what a tick did for the crawl ``name``."""
    return f"{name}: {counts['started']} runs started, {counts['reaped']} pages taken back"


def waiting(snapshot: Snapshot) -> int:
    """Return how many pages are known and neither done nor failed."""
    return snapshot.queued + snapshot.delayed + snapshot.processing


def succeeded(snapshot: Snapshot) -> bool:
    """Whether a crawl that has ended did its work. Failed pages do not spoil it, unless no page is
    done at all; a result that its hook never took does.
    """
    return snapshot.status is not Status.FAILED and not snapshot.counts.get("undelivered")
