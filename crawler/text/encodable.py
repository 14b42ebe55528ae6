"""The gate for text on its way to Redis and to files: what has passed it can be encoded.

A script that cuts a text in the middle of an emoji leaves half a surrogate pair, which is no
character: UTF-8 has no bytes for it.
"""

from __future__ import annotations

from typing import Any


def encodable(text: str, limit: int | None = None) -> str:
    """Return ``text`` with U+FFFD for each half of a surrogate pair, and at most ``limit``
    characters of it; two halves that stand together become their character.
    """
    if limit is not None:
        text = text[:limit]
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def encodable_value(value: Any) -> Any:
    """Return ``value`` with each text in its dicts, lists and tuples, keys too, made encodable.

    Other objects stay as they are. Without such a text, ``value`` itself is returned.
    """
    if isinstance(value, str):
        return encodable(value)
    if type(value) is dict:
        parts = [(encodable_value(key), encodable_value(part)) for key, part in value.items()]
        before = value.items()
        same = all(a is c and b is d for (a, b), (c, d) in zip(parts, before, strict=True))
        return value if same else dict(parts)
    if type(value) in (list, tuple):
        items = [encodable_value(part) for part in value]
        same = all(a is b for a, b in zip(items, value, strict=True))
        return value if same else type(value)(items)
    return value


def text_of_error(error: BaseException) -> str:
    """Return the text of ``error``, encodable; "" if it has none, or cannot tell it."""
    try:
        return encodable(str(error))
    except Exception:
        return ""


def is_tellable(error: BaseException) -> bool:
    """Whether ``error`` can be printed and sent: its texts can be made, and encoded."""
    try:
        (str(error) + repr(error)).encode()
    except Exception:
        return False
    return True
