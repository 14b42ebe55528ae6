"""Text of strangers for terminals and logs: no character of it moves a cursor or hides a word."""

from __future__ import annotations

import re

from .encodable import encodable

#: Control characters (C0, DEL, C1), line and paragraph separators, and marks of writing direction.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, keep: str = "") -> str:
    """Return ``text`` with each control character as JSON escapes it (``\\u001b``), except those in
    ``keep``.
    """

    def escape(found: re.Match[str]) -> str:
        character = found[0]
        return character if character in keep else f"\\u{ord(character):04x}"

    return CONTROL.sub(escape, encodable(text))
