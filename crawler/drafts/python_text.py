"""A draft as a Python file, laid out as ``ruff format`` does with lines of 88 columns or 100."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

#: Columns of a line: of the formatter by default, and of many projects. What is longer than the
#: first, and not than the second, gets a comment, which keeps it on several lines in both.
COLUMNS, WIDE = 88, 100
COMMENT = "# one on each line"
#: The variable for the table of one item of several.
ITEM = "item"


class Name(str):
    """A variable, where a value stands."""

    __slots__ = ()


def python_text(fields: Mapping[str, Any], title: str) -> str:
    """Return a module that makes a crawl with ``fields``, with ``title`` as its docstring."""
    own = {name: value for name, value in fields.items() if name != "routes"}
    variable = variable_of(str(fields["name"]))
    parts = [f'"""{title}"""', "", "from crawler import Crawl", ""]
    match own.get("extract"):
        case [Mapping() as table]:  # formatters differ about a list of one that takes several lines
            parts.append(_written(table, f"{ITEM} = ", 0))
            own["extract"] = [Name(ITEM)]
    parts.append(_call(f"{variable} = Crawl", [], own))
    for name, options in fields.get("routes", {}).items():
        parts.append(_call(f"{variable}.route", [name], options))
    return "\n".join(parts) + "\n"


def variable_of(name: str) -> str:
    """Return a name of a variable for the crawl ``name``."""
    plain = re.sub(r"\W", "_", name)
    if not plain.isidentifier() or keyword.iskeyword(plain) or plain in ("Crawl", ITEM):
        plain = f"crawl_{plain}"
    return unicodedata.normalize("NFKC", plain)


def _call(function: str, args: list[Any], keywords: Mapping[str, Any]) -> str:
    parts = [("", one) for one in args]
    parts += [(f"{name}=", one) for name, one in keywords.items()]
    return _bracketed(f"{function}(", parts, ")", 0, "")


def _bracketed(before: str, parts: list[tuple[str, Any]], after: str, indent: int, end: str) -> str:
    """Return ``parts``, each with what stands before its value, in brackets: on a line, or on one
    each. ``end`` follows the closing bracket.
    """
    line = before + ", ".join(f"{head}{_flat(value)}" for head, value in parts) + after
    size = indent + width(line + end)
    if size <= COLUMNS or not parts:
        return line
    inner = " " * (indent + 4)
    lines = [before, *([f"{inner}{COMMENT}"] if size <= WIDE else [])]
    lines += [f"{inner}{_written(value, head, indent + 4)}," for head, value in parts]
    return "\n".join([*lines, " " * indent + after])


def _written(value: Any, head: str, indent: int) -> str:
    """Return a value that ``head`` stands before, and a comma follows."""
    if isinstance(value, Mapping):
        parts = [(f"{_string(str(name))}: ", one) for name, one in value.items()]
        return _bracketed(f"{head}{{", parts, "}", indent, ",")
    if isinstance(value, list | tuple):
        return _bracketed(f"{head}[", [("", one) for one in value], "]", indent, ",")
    return f"{head}{_flat(value)}"


def _flat(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, Mapping):
        inside = (f"{_string(str(name))}: {_flat(one)}" for name, one in value.items())
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flat, value))}]"
    if isinstance(value, Name):
        return str(value)
    return _string(value) if isinstance(value, str) else repr(value)


def _string(text: str) -> str:
    """Return a text as the formatter writes it: in double quotes, unless single ones save marks of
    escape; raw, where it has a backslash.
    """
    mark = "'" if text.count('"') > text.count("'") else '"'
    quoted = "'" in text or '"' in text or text.endswith("\\")
    if "\\" in text and text.isprintable() and not quoted:
        return f'r"{text}"'
    return mark + "".join(_escaped(one, mark) for one in text) + mark


def _escaped(one: str, mark: str) -> str:
    if one in (mark, "\\"):
        return f"\\{one}"
    if one.isprintable():
        return one
    return one.encode("unicode_escape").decode()


def width(text: str) -> int:
    """Return the columns that ``text`` takes."""
    return sum(map(_columns, text))


def _columns(one: str) -> int:
    if one.isascii():
        return 1
    if unicodedata.category(one) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1
