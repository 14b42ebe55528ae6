"""Regular expressions as texts; and compared by the text that each match must hold, as far as that
is certain.
"""

from __future__ import annotations

import re

#: Patterns that are found in every path and query: each begins with a slash.
ALL = frozenset((
    "", "^", "/", "^/", ".", ".*", ".+", "^.*", "^.+", ".*$", "^.*$", "^.+$",
    "/.*", "^/.*", "/.*$", "^/.*$",
))  # fmt: skip
#: Letters that mean something else than themselves behind a backslash.
_CLASSES = frozenset("AbBdDsSwWZ0123456789")
_QUANTIFIERS = frozenset("?*+{")


def text_of(pattern: re.Pattern[str]) -> str:
    """Return ``pattern`` as one text, with its flags, that compiles to the same."""
    flags = zip("imsx", (re.I, re.M, re.S, re.X), strict=True)
    letters = "".join(letter for letter, flag in flags if pattern.flags & flag)
    return f"(?{letters}:{pattern.pattern})"


def is_anchored(pattern: re.Pattern[str]) -> bool:
    """Whether a match begins where the text does, certainly."""
    return pattern.pattern.startswith("^") and "|" not in pattern.pattern


def is_within(pattern: re.Pattern[str], other: re.Pattern[str]) -> bool:
    """Whether ``other`` is found wherever ``pattern`` is, certainly."""
    if other.pattern in ALL or _continues(pattern, other):
        return True
    word = _plain(other)
    if word is None or pattern.flags & re.IGNORECASE > other.flags & re.IGNORECASE:
        return False
    runs = literal_runs(pattern)
    if other.flags & re.IGNORECASE:
        word, runs = word.lower(), [run.lower() for run in runs]
    if is_anchored(other):
        return is_anchored(pattern) and bool(runs) and runs[0].startswith(word)
    return any(word in run for run in runs)


def _continues(pattern: re.Pattern[str], other: re.Pattern[str]) -> bool:
    """Whether ``pattern`` is ``other``, or begins with the whole of it."""
    begin, rest = other.pattern, pattern.pattern[len(other.pattern) :]
    if pattern.flags != other.flags or not pattern.pattern.startswith(begin):
        return False
    return not rest or ("|" not in pattern.pattern and rest[0] not in _QUANTIFIERS)


def _plain(pattern: re.Pattern[str]) -> str | None:
    """Return the text that ``pattern`` is found by, if it is nothing but text, perhaps with ``^``
    in front, or with anything around it.
    """
    text = re.sub(r"(?<!\\)\.\*\??\$?$", "", re.sub(r"^\^?\.\*\??", "", pattern.pattern))
    text = text.removeprefix("^")
    runs = literal_runs(re.compile(text, pattern.flags))
    return runs[0] if len(runs) == 1 and re.escape(runs[0]) in (text, re.escape(text)) else None


def literal_runs(pattern: re.Pattern[str]) -> list[str]:
    """Return texts of which each match of ``pattern`` holds every one; a run that is anchored at
    the beginning comes first. Some may be left out.
    """
    runs: list[str] = []
    text, run = pattern.pattern, ""
    if pattern.flags & re.VERBOSE:
        return []
    at, broken = 0, False
    if text.startswith("^"):
        at = 1
    while at < len(text):
        char, size, literal = text[at], 1, True
        if char == "|":
            return []
        if char == "\\":
            char, size = text[at + 1 : at + 2], 2
            literal = bool(char) and char not in _CLASSES and not char.isalpha()
        elif char in "([":
            size, literal = _closed(text, at) - at, False
        elif char in ".^$)]":
            literal = False
        after = text[at + size : at + size + 1]
        if literal and after not in _QUANTIFIERS:
            run += char
        else:
            runs, run, broken = _ended(runs, run, first=not broken), "", True
        at += size
        if after in _QUANTIFIERS and after:
            at = _after_quantifier(text, at)
    return _ended(runs, run, first=not broken)


def _ended(runs: list[str], run: str, *, first: bool) -> list[str]:
    """Return ``runs`` with one that ended; an empty one only counts at the beginning."""
    return [*runs, run] if run or first else runs


def _closed(text: str, at: int) -> int:
    """Return where the group or class that begins ``at`` is passed."""
    depth, in_class, begin = 0, False, at
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_class:
            # a bracket that comes first is part of the class
            in_class = not (char == "]" and at > begin + 1 + (text[begin + 1 : begin + 2] == "^"))
        elif char == "[":
            in_class, begin = True, at
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        at += 1
        if not in_class and depth == 0:
            break
    return at


def _after_quantifier(text: str, at: int) -> int:
    """Return where the quantifier ``at`` is passed, with a ``?`` or ``+`` after it."""
    at = text.find("}", at) + 1 or len(text) if text[at] == "{" else at + 1
    return at + 1 if text[at : at + 1] in ("?", "+") else at
