"""How long a name in a page's markup (a class, an id, the value of an attribute) will last, as far
as one can see by it.

Names that build tools make (``css-1q2w3e``, ``Price_root__x7Yz2``) change with each release of the
site, numbers with each page, and the names of a state with each click.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: What a name costs as a part of a selector: one that says what the element is; one that says how
#: it looks; one that says how it is at this moment.
MEANING, LOOK, STATE = 0.0, 2.0, 4.0
#: Characters of a name that is used.
LENGTH_MAX = 60

_NAME = re.compile(r"-?[^\W\d][\w-]*")
#: Prefixes of the names that tools make.
_MADE = re.compile(
    r"(?:css|sc|jss|svelte|emotion|astro|styled|makestyles|ember|react|radix|headlessui|yui|gwt"
    r"|ext-gen|uid|mantine|chakra|v|data-v|_ng(?:host|content))-?[\w-]*\d[\w-]*"
    r"|(?:css|sc|svelte|emotion|astro|jsx|jss)-[\w-]+|_?ng(?:host|content)-.*|jsx-.*",
    re.IGNORECASE,
)
#: Classes that say how an element looks: of Bootstrap, Tailwind, and people in a hurry.
_LOOKS = re.compile(
    r"(?:[mp][trblxyse]?|w|h|top|left|right|bottom|inset|gap|space|text|font|bg|border|rounded|flex"
    r"|grid|col|row|order|float|align|justify|items|content|self|leading|tracking|shadow|opacity"
    r"|overflow|cursor|z|min|max|d|display|position|object|ring|duration|transition|container|wrap"
    r"|pull|offset|push|g|gx|gy|fs|fw|lh|span|size|color|btn|fa|fas|far|fab|icon|icons|u|l|o|pure)"
    r"(?:-[\w-]+)?|[a-z]{1,2}\d*|(?:inline|block|hidden|static|fixed|absolute|relative|sticky|table"
    r"|italic|underline|uppercase|lowercase|capitalize|truncate|bold|center|left|right|small|large"
    r"|big|tiny|clear|clearfix|cf|fluid|full|half|sr-only|visually-hidden|inner|outer|wrapper)",
    re.IGNORECASE,
)
#: Classes that scripts set and take away.
_STATES = re.compile(
    r"(?:is|has|js|no)-[\w-]+|active|inactive|selected|current|open|opened|closed|collapsed"
    r"|expanded|disabled|enabled|checked|focus|focused|hover|hovered|visible|invisible|show|shown"
    r"|hide|loading|loaded|lazy|lazyload|lazyloaded|first|last|odd|even|animated|fade|in|out|done"
    r"|ready|sticky|pinned|dragging|error",
    re.IGNORECASE,
)
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_\d]+|\d+")
_VOWELS = re.compile(r"[aeiouyàáâãäåæèéêëìíîïòóôõöøœùúûüýÿ]", re.IGNORECASE)


@lru_cache(maxsize=8_192)
def cost_of(name: str) -> float | None:
    """Return what ``name`` costs as a part of a selector, the less the better; None: it will not
    last, or cannot be written as it is.
    """
    if not _NAME.fullmatch(name) or len(name) > LENGTH_MAX or _MADE.fullmatch(name):
        return None
    words = [word for word in re.split(r"[-_]+", name) if word]
    if not words or any(is_random(word) for word in words):
        return None
    if len(words) > 1 and words[-1].isdecimal():
        return None if len(words[-1]) > 1 else LOOK  # the number of an item; a step, a level
    if _STATES.fullmatch(name):
        return STATE
    return LOOK if _LOOKS.fullmatch(name) else MEANING


def is_random(word: str) -> bool:
    """Whether ``word``, letters and digits, was made by a tool, as far as one can see."""
    if not word.isascii():
        return False
    digits = sum(map(str.isdigit, word))
    if digits == len(word):
        return len(word) > 3
    if digits and re.search(r"\d[a-zA-Z]", word) and len(word) > 3:
        return True  # x7yz2, 1q2w3e; not h1, mp3, 3d
    if digits > 3 or (digits and re.fullmatch(r"[0-9a-f]{6,}", word)):
        return True
    letters = [piece for piece in _PIECES.findall(word) if not piece.isdigit()]
    if len(letters) > 2 and len("".join(letters)) / len(letters) < 3:
        return True  # bdVaJa
    if digits and len(letters) > 1 and len(word) < 8:
        return True  # x7Yz, aB2
    long = [piece for piece in letters if len(piece) > 4]
    return any(not _VOWELS.search(piece) for piece in long)
