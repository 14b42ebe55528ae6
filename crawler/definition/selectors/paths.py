"""A selector as it is written: its kind, and the regular expression behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

#: The words that begin selectors of other kinds than CSS.
KINDS = ("xpath", "jsonld", "meta")
#: Begins a regular expression after a selector; not EXSLT's functions within XPath.
_RE = re.compile(r"\s+re:(?!(?:test|match|replace)\()")
_KIND = re.compile(rf"\s*({'|'.join(KINDS)}):(?!:)")
_NAMES_SCRIPTS = re.compile(r"(?<![\w.#@-])(?:script|style)(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Path:
    """A selector: what its ``text`` is in (``css``, ``xpath``, ``jsonld``, ``meta``), and the
    ``pattern`` that is searched in what it selects.
    """

    kind: str
    text: str
    pattern: re.Pattern[str] | None = None

    @property
    def names_scripts(self) -> bool:
        """Whether it names scripts or styles, whose text is not read otherwise."""
        return self.kind in ("css", "xpath") and bool(_NAMES_SCRIPTS.search(self.text))


@lru_cache(maxsize=1_024)
def parse_path(text: str) -> Path:
    """Return the meaning of the selector ``text``. Raises ValueError if its regular expression is
    none; the selector itself is not looked at.
    """
    selector, *pattern = _RE.split(text, maxsplit=1)
    compiled = None
    if pattern:
        try:
            compiled = re.compile(pattern[0])
        except re.error as error:
            raise ValueError(f"{pattern[0]!r} is no regular expression: {error}") from None
    if kind := _KIND.match(selector):
        return Path(kind[1], selector[kind.end() :].strip(), compiled)
    return Path("css", selector, compiled)
