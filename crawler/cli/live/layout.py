"""Rows of text of a given width in cells: wide characters take two. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.text import Text

#: The levels of a course of numbers, lowest first; and where a terminal has ASCII only.
LEVELS = "▁▂▃▄▅▆▇█"
#: ASCII for characters of the view, for terminals without others.
ASCII = str.maketrans({
    **dict(zip(LEVELS, ".:-=+*%#", strict=True)), "·": "|", "…": "~", "≤": "<", "—": "-",
})  # fmt: skip


def fit(text: str, width: int, *, right: bool = False, middle: bool = False) -> str:
    """Return ``text`` in exactly ``width`` cells: padded, or cut with "…" at its end (or in its
    middle).
    """
    if width <= 0:
        return ""
    length = cell_len(text)
    if length <= width:
        return " " * (width - length) + text if right else text + " " * (width - length)
    if not middle or width < 12:
        return set_cell_size(text, width - 1) + "…"
    tail = text
    back = (width - 1) // 2
    while cell_len(tail) > back:
        tail = tail[max(1, (cell_len(tail) - back) // 2) :]
    head = width - 1 - cell_len(tail)
    return set_cell_size(text, head) + "…" + tail


def flow(parts: Iterable[tuple[str, str]], width: int, gap: str = " · ") -> list[Text]:
    """Return ``parts``, each a text and its style, in as many lines of ``width`` as they take."""
    lines: list[Text] = []
    for text, style in parts:
        text = text if cell_len(text) <= width else fit(text, width)
        if lines and lines[-1].cell_len + cell_len(gap) + cell_len(text) <= width:
            lines[-1].append(gap, "dim").append(text, style)
        else:
            lines.append(Text().append(text, style))
    return lines


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """Return ``text`` in at most ``lines`` lines of ``width``, broken at spaces where it can be."""
    found: list[str] = []
    rest = text.strip()
    while rest and len(found) < lines:
        if cell_len(rest) <= width or len(found) == lines - 1:
            found.append(fit(rest, width).rstrip())
            break
        cut = len(set_cell_size(rest, width).rstrip())
        space = rest.rfind(" ", 0, cut + 1)
        cut = space if space > cut // 2 else max(1, cut)
        found.append(rest[:cut])
        rest = rest[cut:].lstrip()
    return found


def course(numbers: Sequence[float], width: int) -> str:
    """Return the course of ``numbers`` as a line of blocks, at most ``width``: none for nothing."""
    if not numbers or width < 1:
        return ""
    if len(numbers) > width:
        edges = [round(at * len(numbers) / width) for at in range(width + 1)]
        numbers = [sum(numbers[low:high]) / (high - low) for low, high in pairwise(edges)]
    top = max(numbers)
    if top <= 0:
        return LEVELS[0] * len(numbers)
    steps = len(LEVELS) - 1
    return "".join(
        LEVELS[0] if one <= 0 else LEVELS[max(1, round(one / top * steps))] for one in numbers
    )


def duration(seconds: float) -> str:
    """Return ``seconds`` as people say them, with at most two units."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for size, word, below, small in (
        (60, "min", 1, "s"),
        (3_600, "h", 60, "min"),
        (86_400, "d", 3_600, "h"),
    ):
        if whole < size * (24 if word == "h" else 60) or word == "d":
            rest = whole % size // below
            return f"{whole // size:,} {word}" + (f" {rest} {small}" if rest else "")
    return ""


def number(value: float) -> str:
    """Return a rate in three digits or so."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
