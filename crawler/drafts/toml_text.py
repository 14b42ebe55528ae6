"""A draft as a TOML file, laid out as formatters of TOML do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Columns of a line, beyond which a list has a line for each value.
COLUMNS = 80

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\"}


def toml_text(fields: Mapping[str, Any], title: str) -> str:
    """Return ``fields`` of a crawl as TOML, with ``title`` as a comment above them. None, which
    TOML does not have, is written ``"none"``.
    """
    return f"# {title}\n" + "\n".join(_table(fields, ())).rstrip() + "\n"


def _table(fields: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """Return the lines of a table: its values, then the tables in it."""
    values = {name: value for name, value in fields.items() if not _is_table(value, path)}
    lines = [_line(name, value) for name, value in values.items()]
    for name, value in fields.items():
        if name in values:
            continue
        inner = (*path, name)
        for one in value if isinstance(value, list) else [value]:
            head = ".".join(map(_key, inner))
            within = _table(one, inner)
            if isinstance(value, list):
                lines += ["", f"[[{head}]]", *within]
            elif any(not _is_table(part, inner) for part in one.values()) or not one:
                lines += ["", f"[{head}]", *within]
            else:  # only tables are in it
                lines += within
    return lines


def _is_table(value: Any, path: tuple[str, ...]) -> bool:
    """Whether a value has a head of its own: tables of the crawl and of its routes, and a table of
    an example; not the rules of an item.
    """
    if "extract" in path or "expect" in path:
        return False
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, Mapping) for one in value)
    return isinstance(value, Mapping)


def _line(name: str, value: Any) -> str:
    key = _key(name)
    line = f"{key} = {_value(value)}"
    if not isinstance(value, list | tuple) or len(line) <= COLUMNS:
        return line
    return "\n".join([f"{key} = [", *(f"  {_value(one)}," for one in value), "]"])


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _basic(name)


def _value(value: Any) -> str:
    match value:
        case None:
            return '"none"'
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return _string(value)
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            inside = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items())
            return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"{value!r} has no form in TOML")


def _string(text: str) -> str:
    """Return a text: as it is, between single quotes, where that saves marks of escape."""
    plain = "'" not in text and text.isprintable()
    return f"'{text}'" if plain and ("\\" in text or '"' in text) else _basic(text)


def _basic(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(one: str) -> str:
    if one in _SHORT:
        return _SHORT[one]
    if one.isprintable():
        return one
    return f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"
