"""Documents that the parser reads otherwise than Chrome, or that take it for ever: they are left to
Chrome. The time of the parser grows with the square of how deep elements lie in each other, and of
how many attributes one has.
"""

from __future__ import annotations

import re

#: Levels from which on Chrome puts elements beside, and not into, each other.
CHROME_LEVELS = 512
#: Tags of a document whose nesting is looked at before it is parsed: of fewer, the parser needs a
#: tenth of a second, however they lie.
TAGS_MAX = 10_000
#: Levels, about, and attributes of one element, that are parsed.
LEVELS_MAX, ATTRIBUTES_MAX = 2_000, 5_000

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
#: Elements that need not be closed, so that many of them say nothing.
_UNCLOSED = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "body", "caption", "colgroup", "dd", "dt", "head", "html", "li", "optgroup",
    "option", "p", "rp", "rt", "tbody", "td", "tfoot", "th", "thead", "tr",
))  # fmt: skip
_LONG_TAG = re.compile(rf"<[a-zA-Z][^<>]{{{2 * ATTRIBUTES_MAX},}}")


def hard_reason(text: str) -> str:
    """Return why the document ``text`` is not to be parsed; "": it may be."""
    for tag in _LONG_TAG.finditer(text):
        if len(tag[0].split(maxsplit=ATTRIBUTES_MAX)) > ATTRIBUTES_MAX:
            return "an element with many attributes"
    return "deep nesting" if text.count("<") > TAGS_MAX and _is_deep(text) else ""


def _is_deep(text: str) -> bool:
    level = 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() in _UNCLOSED:
            continue
        level = level + 1 if not tag[1] else max(0, level - 1)
        if level > LEVELS_MAX:
            return True
    return False
