"""The pattern of a URL: what is left without its numbers, dates, ids and the values of its query.

Sites that are without end (calendars, session ids in paths, filters to be combined, relative links
that go ever deeper) have few patterns, and honest sites have few pages of most of theirs. Only
shops and forums have many, of one kind: a path with a number or a name at its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import unquote

#: Names of a query from which on its sets of values seem to be without end.
MANY_NAMES = 4
#: Times that segments of a path stand one after another, and that one stands in it at all, for the
#: path to repeat itself; and segments of what may repeat.
ROUNDS, TIMES, ROUND_MAX = 3, 4, 8
#: Characters and separators from which on a segment is taken for a title.
TITLE_LENGTH, TITLE_SEPARATORS = 24, 2
#: Digits from which on a number is taken for an id.
NUMBER_LENGTH = 16
#: Characters of a URL, and parts of it, that are looked at.
LENGTH_MAX, PARTS_MAX = 2_083, 100

_NUMBER = re.compile(r"[0-9]+")
_DATE = re.compile(
    r"(?:19|20|21)[0-9]{2}(?:[-_.](?:0?[1-9]|1[0-2])(?:[-_.][0-3]?[0-9])?"
    r"|(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01]))(?:[T ].*)?"
)
_YEAR = re.compile(r"(?:19|20|21)[0-9]{2}")
_MONTH_OR_DAY = re.compile(r"(?:0?[1-9]|[12][0-9]|3[01])")
_ID = re.compile(
    r"[{]?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}[}]?"
    r"|(?=[^0-9]*[0-9])[0-9a-f]{8,}|(?=[^0-9]*[0-9])(?=[^a-z]*[a-z])[0-9a-z_-]{20,}",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[-_+. ~]")
_DATE_NAMES = frozenset({"date", "day", "month", "year", "week"})
#: Random characters with more of a path behind them; an object's id has 24 or hyphens.
_SESSION = re.compile(r"(?=[^0-9]*[0-9])[0-9a-zA-Z]{26,}|\(.\([0-9a-z]{16,}\)\)")


class Kind(IntEnum):
    """How a pattern seems to grow. The frontier takes fewer pages of the later kinds."""

    ORDINARY = 0  # a number, an id or a title at the end, a short query
    MANY_NAMES = 1  # of a query, or one twice: filters, but also the products of some shops
    ENDLESS = 2  # dates at the end, sessions within the path
    REPEATS = 3  # segments of the path again and again; also: sets of names of queries


class UrlPattern(NamedTuple):
    """The pattern of a URL: twelve characters that stand for it, and its ``kind``. ``path`` stands
    for the path alone, if there is a query: of it, sets of names are counted.
    """

    name: str
    kind: Kind
    path: str = ""


@lru_cache(maxsize=8_192)
def pattern_of(url: str) -> UrlPattern | None:
    """Return the pattern of a canonical ``url``; None if it is the only URL of its pattern."""
    before, question, query = url[:LENGTH_MAX].partition("#")[0].partition("?")
    scheme, _, rest = before.partition("://")
    host, _, path = rest.partition("/")
    segments, kind, varies = _path(path.rstrip("/").split("/")[:PARTS_MAX])
    base = f"{scheme}://{host}/{'/'.join(segments)}"
    if not question:
        return UrlPattern(_stand_in(base), kind) if varies else None
    pairs = [pair.partition("=") for pair in re.split("[&;]", query)[:PARTS_MAX] if pair]
    names = [name for name, _, _ in pairs]
    dated = any(_is_date(name, value) for name, _, value in pairs)
    if len(names) >= MANY_NAMES or len(set(names)) < len(names):
        kind = max(kind, Kind.MANY_NAMES)
    if dated:
        kind = max(kind, Kind.ENDLESS)
    # names that hold a number are as endless as values
    shown = sorted({_NUMBER.sub("#", name) for name in names})
    return UrlPattern(_stand_in(f"{base}?{'&'.join(shown)}"), kind, _stand_in(base))


def _path(segments: Sequence[str]) -> tuple[list[str], Kind, bool]:
    """Return the segments of a path as its pattern has them, the kind of that, and whether it has
    any part that varies.
    """
    plain, repeats = _without_rounds(segments)
    if not repeats and (often := _often(plain)):
        # in any order, as deep as it may be
        plain, repeats = sorted(set(plain)), True
        plain = [segment for segment in plain if segment in often]
    shown = [_segment(segment) for segment in plain]
    if repeats:
        return ["...", *shown], Kind.REPEATS, True
    endless = "{session}" in shown or _ends_with_date(plain, shown)
    kind = Kind.ENDLESS if endless or any(map(_SESSION.fullmatch, plain[:-1])) else Kind.ORDINARY
    return shown, kind, any(what[:1] == "{" for what in shown)


def _ends_with_date(plain: Sequence[str], shown: Sequence[str]) -> bool:
    """Whether a path has a date, and nothing that varies after it, as a calendar's has. What is
    written on a day has a title or a number.
    """
    for at, what in enumerate(shown):
        end = at + 1
        if what == "{number}" and _YEAR.fullmatch(plain[at]):
            while end < min(len(plain), at + 3) and _MONTH_OR_DAY.fullmatch(plain[end]):
                end += 1
        if what == "{date}" or end > at + 1:
            return not any(later[:1] == "{" for later in shown[end:])
    return False


def _segment(segment: str) -> str:
    """Return what stands for a segment of a path: itself, if it is a word of the site."""
    segment, session, _ = segment.partition(";")
    if session:
        return "{session}"
    if _NUMBER.fullmatch(segment):
        if len(segment) == 8 and _DATE.fullmatch(segment):
            return "{date}"
        return "{number}" if len(segment) < NUMBER_LENGTH else "{id}"
    if _DATE.fullmatch(segment):
        return "{date}"
    stem = segment.rpartition(".")[0] or segment
    if _ID.fullmatch(stem):
        return "{id}"
    if len(segment) > TITLE_LENGTH or len(_SEPARATORS.findall(segment)) >= TITLE_SEPARATORS:
        return "{title}"
    numbered = _NUMBER.sub("{number}", unquote(segment))
    return "{named number}" if numbered != segment and "{number}" in numbered else segment


def _is_date(name: str, value: str) -> bool:
    """Whether a parameter of a query says a date."""
    if _DATE.fullmatch(value):
        return True
    return name.lower() in _DATE_NAMES and bool(_NUMBER.search(value))


def _without_rounds(segments: Sequence[str]) -> tuple[list[str], bool]:
    """Return ``segments`` with what is there several times in a row once, and whether there was
    such.
    """
    left, found = list(segments), False
    for size in range(1, ROUND_MAX + 1):
        at = 0
        while at + ROUNDS * size <= len(left):
            round_ = left[at : at + size]
            times = 1
            while left[at + times * size : at + (times + 1) * size] == round_:
                times += 1
            if times >= ROUNDS and any(round_):
                # with the beginning of another round that may follow
                end = at + times * size
                begun = 0
                while (
                    begun < size and end + begun < len(left) and left[end + begun] == round_[begun]
                ):
                    begun += 1
                del left[at + size : end + begun]
                found = True
            at += 1
    return left, found


def _often(segments: Sequence[str]) -> set[str]:
    """Return the segments if one of them is there again and again."""
    words = [segment for segment in segments if segment and not _NUMBER.fullmatch(segment)]
    often = any(words.count(word) >= TIMES for word in set(words))
    return {word for word in words if words.count(word) > 1} if often else set()


def _stand_in(text: str) -> str:
    """Return twelve characters that stand for ``text``."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
