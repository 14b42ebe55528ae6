"""The gate for text on its way to Redis and to files: what has passed it can be encoded.

A script that cuts a text in the middle of an emoji leaves half a surrogate pair, which is no
character: UTF-8 has no bytes for it.
"""

from __future__ import annotations

from typing import Any

#: Characters of the text of an error that are looked at: the rest is cut.
ERROR_TEXT_MAX = 10_000


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


def encoded(text: str) -> bytes:
    """Return the bytes of ``text`` once it has passed the gate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return encodable(text).encode()


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
    """Return the text of ``error``, encodable, at most ``ERROR_TEXT_MAX`` characters of it; "" if
    it has none, or cannot tell it.
    """
    try:
        return encodable(_exactly(str(error), ERROR_TEXT_MAX))
    except BaseException:  # its own code makes the text
        return ""


def type_of_error(error: BaseException) -> str:
    """Return the name of the type of ``error``, encodable."""
    try:
        name = type.__getattribute__(type(error), "__name__")  # whatever its metaclass says
        return encodable(name, ERROR_TEXT_MAX)
    except BaseException:
        return "BaseException"


def is_tellable(error: BaseException) -> bool:
    """Whether ``error`` can be printed and sent: its texts can be made, and encoded, and are not
    longer than ``ERROR_TEXT_MAX``.
    """
    try:
        for text in (str(error), repr(error)):
            if type(text) is not str or len(text) > ERROR_TEXT_MAX:
                return False
            text.encode()
        type_of_error(error).encode()
    except BaseException:
        return False
    return True


def _exactly(text: str, limit: int) -> str:
    """Return the first ``limit`` characters of ``text`` as a plain ``str``: a type derived from it
    may do anything when it is asked.
    """
    return str.__getitem__(text, slice(limit))
