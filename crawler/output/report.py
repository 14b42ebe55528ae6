"""The end report: why a crawl ended and what it did, as JSON and as lines for people."""

from __future__ import annotations

from ..model import Json, Snapshot, Status

#: Why a page came back to be tried again: what a report calls it, and the count of the frontier.
RETURNS = {
    # its own fault, and may pass; those that were asked for patience are among them
    "retried": "retried",
    "throttled": "throttled",
    "crashed": "crashed",  # it took its browser or worker with it
    "lost": "reaped",  # nobody heard of its worker any more
    # nobody's fault: no browser, a worker that ended, a log-in that had expired
    "released": "released",
    "logged_out": "logouts",  # log-ins that had expired
}


def report(seen: Snapshot) -> dict[str, Json]:
    """The report of a crawl from its snapshot. Times are seconds; ``started`` and ``ended`` are
    those since the epoch.
    """
    seconds = round(seen.active, 3)
    return {
        "crawl": seen.name,
        "status": seen.status.value,
        "reason": seen.reason,
        "pages": {
            "done": seen.done,
            "failed": seen.failed,
            "queued": seen.queued,
            "delayed": seen.delayed,
            "processing": seen.processing,
        },
        "items": seen.counts.get("items", 0),
        "retries": seen.counts.get("retried", 0),
        "failures": dict(sorted(seen.reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        "returns": {name: n for name, count in RETURNS.items() if (n := seen.counts.get(count, 0))},
        "skipped": {
            name.removeprefix("skipped_"): n
            for name, n in sorted(seen.counts.items())
            if name.startswith("skipped_") and n
        },
        "started": seen.started,
        "ended": seen.ended,
        "seconds": seconds,
        "pages_per_s": round(seen.done / seconds, 2) if seconds else None,
    }


def lines(seen: Snapshot) -> list[str]:
    """The same for people, most important first."""
    facts = report(seen)
    pages, reason = facts["pages"], f" ({seen.reason})" if seen.reason else ""
    rate = f", {facts['pages_per_s']} pages/s" if facts["pages_per_s"] else ""
    text = [
        f"{seen.name}: {seen.status.value.lower()}{reason} after {facts['seconds']:.1f} s{rate}",
        f"  pages    {pages['done']} done, {pages['failed']} failed"
        + (f", {waiting(seen)} not begun" if waiting(seen) else ""),
        f"  items    {facts['items']}",
    ]
    if facts["returns"]:
        text.append(
            "  returns  " + ", ".join(f"{name} {n}" for name, n in facts["returns"].items())
        )
    if facts["failures"]:
        text.append(
            "  failures " + ", ".join(f"{reason} {n}" for reason, n in facts["failures"].items())
        )
    if facts["skipped"]:
        text.append(
            "  skipped  " + ", ".join(f"{reason} {n}" for reason, n in facts["skipped"].items())
        )
    return text


def waiting(seen: Snapshot) -> int:
    """Pages that are known and neither done nor failed."""
    return seen.queued + seen.delayed + seen.processing


def succeeded(seen: Snapshot) -> bool:
    """Whether a crawl that has ended did what it was asked for. Single failed pages do not spoil
    it; none done at all does.
    """
    return seen.status is not Status.FAILED
