"""The lines of the live view, from plain values, for a window of any size. Pure.

A small window shows less: first the sections of hosts, pages in flight and failures lose rows, then
they go, and the last line says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from ...frontier.answers import Lane
from ...model import Status
from ...text.printable import printable
from .crawl_state import CrawlState
from .layout import course, duration, fit, flow, number, wrapped

#: The colours of states; without colour, the word says it.
STATE_STYLES = {
    Status.ACTIVE: "bold green",
    Status.FINISHED: "bold green",
    Status.FAILED: "bold red",
    Status.STOPPED: "bold yellow",
}
#: Rows that a section has at least: its title, and one.
SECTION_MIN = 2
#: Columns that a course of the pace takes at most.
COURSE_MAX = 40
#: Columns below which tables have fewer columns.
NARROW = 60
#: Megabytes below which a part of the memory of browsers is not named.
PART_MIN = 20
#: What a host waits for, in words.
WAITS = {
    "delay": "delay",
    "robots": "robots.txt delay",
    "retry_after": "Retry-After",
    "breaker": "breaker",
}
HELP = (
    "done, failed     pages that are over; `crawler failed NAME` lists the failed",
    "queued, delayed  pages that wait, and that wait for another attempt",
    "left             pages that are known now: links may add more to them",
    "hosts            how long a host waits, and for what: its delay (the crawl's,",
    "                 or robots.txt's), Retry-After, or the breaker after failures",
    "in flight        the step at which a page's run was last seen, and its age;",
    "                 a run is seen from its second second on",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the view shows beside the state: the ``keys`` line, the last ``messages``, and whether
    help is asked for.
    """

    keys: str = ""
    messages: Sequence[str] = ()
    help: bool = False


@dataclass(slots=True)
class Section:
    """A list, of which as many rows are shown as there is room for: its ``title`` in ``width``
    cells, and the names of its other ``columns``.
    """

    name: str
    title: str
    width: int
    columns: str
    rows: list[Text] = field(default_factory=list)

    def lines(self, height: int) -> list[Text]:
        """Return its first lines, and in its title how many rows are not among them."""
        left = len(self.rows) - (height - 1)
        more = f" (+{left})" if left > 0 else ""
        title = Text(fit(self.title + more, self.width), "bold underline")
        title.append(self.columns, "dim")
        return [title, *self.rows[: height - 1]]


def crawl_lines(state: CrawlState, width: int, height: int, frame: Frame) -> list[Text]:
    """Return ``height`` lines of ``width`` cells, at most, that show one crawl."""
    head = head_lines(state, width)
    if frame.help:
        body = [Text(fit(line, width), "dim") for line in ("", *HELP)]
        return framed(head + body, width, height, frame)
    room = height - len(head) - len(foot_lines(frame, width))
    sections = [
        section
        for section in (
            flight_section(state, width),
            host_section(state, width),
            failure_section(state, width),
        )
        if section.rows
    ]
    shares, hidden = share(room - 1, sections)
    body = []
    for section, rows in zip(sections, shares, strict=True):
        if rows:
            body += section.lines(rows)
    if body:
        body.insert(0, Text())
    return framed(head + body, width, height, frame, hidden)


def share(room: int, sections: Sequence[Section]) -> tuple[list[int], list[str]]:
    """Return how many lines each section gets of ``room``, and the names of those that get none."""
    shares = [0] * len(sections)
    for place in range(len(sections)):
        if sum(shares) + SECTION_MIN <= room:
            shares[place] = SECTION_MIN
    grows = True
    while grows:
        grows = False
        for place, section in enumerate(sections):
            if shares[place] and shares[place] <= len(section.rows) and sum(shares) < room:
                shares[place] += 1
                grows = True
    hidden = [one.name for one, rows in zip(sections, shares, strict=True) if not rows]
    return shares, hidden


def foot_lines(frame: Frame, width: int, hidden: Sequence[str] = ()) -> list[Text]:
    """Return the last lines: messages, what is not shown, and the keys."""
    lines = [
        Text(line, "yellow") for message in frame.messages for line in wrapped(message, width, 2)
    ]
    keys = frame.keys
    if hidden:
        keys = f"no room for {', '.join(hidden)} · {keys}".removesuffix(" · ")
    return [*lines, Text(fit(keys, width), "dim")]


def framed(
    lines: list[Text], width: int, height: int, frame: Frame, hidden: Sequence[str] = ()
) -> list[Text]:
    """Return ``lines`` with the last ones of the window at its bottom."""
    foot = foot_lines(frame, width, hidden)[-height:]
    room = height - len(foot)
    return lines[:room] + [Text()] * (room - len(lines[:room])) + foot


def head_lines(state: CrawlState, width: int) -> list[Text]:
    """Return the state, the counts, the pace, what is left, memory, and why it stands still."""
    snapshot, counts = state.snapshot, state.snapshot.counts
    status = snapshot.status.value.lower()
    left = f"{snapshot.name}"
    right = f"{duration(snapshot.active)} at work"
    title = Text()
    room = width - len(status) - len(right) - 4
    title.append(fit(left, min(max(8, room), max(1, cell_len(left)))), "bold")
    title.append("  ").append(status, STATE_STYLES.get(snapshot.status, "bold yellow"))
    title.append("  ").append(right, "dim")
    if snapshot.reason and not snapshot.status.ended:
        title.append(f"  {snapshot.reason}", "dim")
    title.truncate(width, overflow="ellipsis")
    parts = [
        (f"{snapshot.done:,} done", "bold"),
        (f"{snapshot.failed:,} failed", "bold red" if snapshot.failed else ""),
        (f"{snapshot.queued:,} queued", ""),
        (f"{snapshot.delayed:,} delayed", ""),
        (f"{snapshot.processing:,} in flight", ""),
        (f"{counts.get('items', 0):,} with items", ""),
    ]
    if snapshot.delivering:
        parts.append((f"{snapshot.delivering:,} for hooks", "yellow"))
    lines = [title, *flow(parts, width), pace_line(state, width)]
    lines += flow([(text, "") for text in left_texts(state)], width)
    if state.memory:
        lines.append(Text(fit(memory_text(state), width), ""))
    if state.standstill:
        why = f"stands still: {state.standstill}"
        lines += [Text(line, "bold yellow") for line in wrapped(why, width, 3)]
    return lines


def pace_line(state: CrawlState, width: int) -> Text:
    """Return the pace now, and its course."""
    now = "- pages/s" if state.rate is None else f"{number(state.rate)} pages/s"
    line = Text().append(now, "bold")
    if state.rates:
        most = max(state.rates)
        about = f"  last {duration(state.span)}, at most {number(most)}"
        blocks = course(state.rates, min(COURSE_MAX, width - len(now) - len(about) - 2))
        line.append(f"  {blocks}", "cyan").append(about, "dim")
    line.truncate(width, overflow="ellipsis")
    return line


def left_texts(state: CrawlState) -> list[str]:
    """Return how much is left as far as one can know."""
    snapshot = state.snapshot
    if snapshot.status.ended:
        return [f"ended: {snapshot.reason}" if snapshot.reason else "ended"]
    known = snapshot.queued + snapshot.delayed + snapshot.processing
    limited = state.page_limit is not None and state.left < known
    word = "" if limited else "at least "
    texts = [f"left: {word}{state.left:,} page{'' if state.left == 1 else 's'}"]
    if limited:
        texts[0] += f" (page_limit {state.page_limit:,})"
    if state.seconds_left is not None and state.left:
        texts.append(f"{word}{duration(state.seconds_left)} at the pace of the last minute")
    elif state.left:
        texts.append("for how long is not known yet")
    if snapshot.revisits:
        texts.append(f"{snapshot.revisits:,} to be visited again")
    return texts


def memory_text(state: CrawlState) -> str:
    """Return the memory of browsers, with its larger parts."""
    megabytes = {part: size / 1e6 for part, size in state.memory.items()}
    parts = sorted(megabytes.items(), key=lambda one: -one[1])
    named = [f"{part} {size:.0f}" for part, size in parts if size >= PART_MIN]
    inside = f" ({', '.join(named)})" if len(named) > 1 else ""
    plural = "" if state.workers == 1 else "s"
    return f"browsers of {state.workers} worker{plural}: {sum(megabytes.values()):,.0f} MB{inside}"


def flight_section(state: CrawlState, width: int) -> Section:
    """Return the pages in flight, the oldest first."""
    step = 0 if width < NARROW else 16
    room = width - step - 11
    title = f"in flight {state.snapshot.processing:,}"
    columns = fit("step", step) + fit("age", 11, right=True)
    section = Section("pages in flight", title, room, columns)
    for one in state.flights:
        age = "" if one.age is None else duration(one.age)
        row = Text(fit(one.url, room - 1, middle=True) + " ")
        row.append(fit(one.step, step), "cyan").append(fit(age, 11, right=True))
        section.rows.append(row)
    return section


def host_section(state: CrawlState, width: int) -> Section:
    """Return the hosts, and what each waits for."""
    known, ready, waiting = state.host_sums
    waits = 31 if width >= NARROW else 18
    counts = 20 if width >= NARROW else 0
    room = width - waits - counts
    sums = f"hosts {known:,}" + (f": {ready:,} ready, {waiting:,} waiting" if known > 1 else "")
    columns = fit("queued", 9, right=True) + fit("in flight", 11, right=True) if counts else ""
    section = Section("hosts", sums, room, columns + fit("  waits for", waits))
    for lane in state.hosts:
        row = Text(fit(lane_name(lane), room, middle=True))
        if counts:
            row.append(fit(f"{lane.queued:,}", 9, right=True))
            row.append(fit(f"{lane.processing:,}", 11, right=True))
        row.append(fit(f"  {wait_text(lane, state.now)}", waits), "yellow")
        section.rows.append(row)
    return section


def lane_name(lane: Lane) -> str:
    """Return the host of a lane, as text that does no harm."""
    return printable(lane.name) or "all hosts"


def wait_text(lane: Lane, now: float) -> str:
    """Return what a host waits for; "": nothing."""
    wait = lane.due - now
    if lane.queued and wait > 0:
        word = WAITS.get(lane.why, lane.why)
        if lane.why == "breaker":
            word = f"breaker, {lane.failures} failures"
        return f"{duration(wait)}: {word}"
    if lane.place == "busy" and lane.queued:
        return "its pages in flight"
    if lane.place == "ready" and lane.queued:
        return "a free browser"
    return ""


def failure_section(state: CrawlState, width: int) -> Section:
    """Return the pages that failed last, the newest first."""
    reason = max(10, width * 3 // 8)
    room = width - reason - 11
    columns = " " + fit("reason", reason) + fit("ago", 10, right=True)
    section = Section("failures", f"failed {state.snapshot.failed:,}", room, columns)
    for one in state.failures:
        row = Text(fit(one.url, room, middle=True) + " ")
        row.append(fit(one.reason, reason - 1) + " ", "red").append(
            fit(duration(one.age), 10, right=True)
        )
        section.rows.append(row)
    return section


def list_lines(
    states: Sequence[CrawlState], width: int, height: int, frame: Frame, *, total: int | None = None
) -> list[Text]:
    """Return the lines that show several crawls; ``total``: their number, if some are left out."""
    wide = width >= 78
    columns = [("state", 9), ("done", 10), ("failed", 8), ("waiting", 10), ("pages/s", 8)]
    columns += [("left", 15)] if wide else []
    room = max(8, width - sum(size for _, size in columns))
    count = len(states) if total is None else total
    title = Text(fit(f"{count:,} crawl{'' if count == 1 else 's'}", room), "bold underline")
    for name, size in columns:
        title.append(fit(name, size, right=name != "state"), "dim")
    lines = [title]
    for state in states:
        snapshot = state.snapshot
        lines.append(Text(fit(snapshot.name, room - 1) + " "))
        lines[-1].append(
            fit(snapshot.status.value.lower(), 9), STATE_STYLES.get(snapshot.status, "bold yellow")
        )
        waiting = snapshot.queued + snapshot.delayed
        rate = "-" if state.rate is None or snapshot.status.ended else number(state.rate)
        for text, size in (
            (f"{snapshot.done:,}", 10),
            (f"{snapshot.failed:,}", 8),
            (f"{waiting:,}", 10),
            (rate, 8),
        ):
            lines[-1].append(fit(text, size, right=True))
        if wide:
            left = "" if state.seconds_left is None else f"> {duration(state.seconds_left)}"
            lines[-1].append(fit(left, 15, right=True))
        if state.standstill:
            why = f"  stands still: {state.standstill}"
            lines.append(Text(fit(why, width), "yellow"))
    memory = next((state for state in states if state.memory), None)
    if memory:
        lines += [Text(), Text(fit(memory_text(memory), width))]
    if frame.help:
        lines += [Text(), *(Text(fit(line, width), "dim") for line in HELP[:3])]
    room = height - len(foot_lines(frame, width))
    hidden = [] if len(lines) <= room and count == len(states) else ["all crawls"]
    return framed(lines, width, height, frame, hidden)
