"""The examples of a definition: pages, and what is expected of their items.

================================ ==================================================================
expected                         means
================================ ==================================================================
``"Blue lamp"``, ``12.5``        exactly this value
``"present"``, ``"absent"``      some value; none (null, or an empty text or list)
``"re:^\\d+ EUR$"``, a pattern    a text, or one of several, in which it is found
``["a", "b"]``                   these values, in this order, and no others
``{title = "Blue lamp"}``        an object with such fields, perhaps among several, and with others
``{is = "present"}``             exactly this value, whatever it would mean by itself
================================ ==================================================================
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model import Json
from ..text.nesting import NESTING_MAX, is_deeper
from ..urls.url import InvalidURL, parse_url
from .pattern_texts import text_of

#: Words that ask for some value, and for none.
PRESENT, ABSENT = "present", "absent"
#: Begins a text that is a regular expression.
PATTERN = "re:"
#: The key of a table whose value is meant exactly.
EXACTLY = "is"
#: The keys of an example.
KEYS = ("url", "route", "data", "expect")
#: Examples that a definition may have: each is a page that `validate --live` loads.
EXAMPLES_MAX = 100


@dataclass(frozen=True, slots=True)
class Example:
    """A page of a crawl by its ``url``, the ``route`` and ``data`` that its link would bring, and
    what is expected of its items; None: any item with a value.
    """

    url: str
    route: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)
    expect: Any = None


def plain(expected: Any) -> Any:
    """Return what is ``expected`` as JSON: a compiled pattern as its text."""
    match expected:
        case re.Pattern():
            return PATTERN + text_of(expected)
        case Mapping():
            return {str(name): plain(one) for name, one in expected.items()}
        case list() | tuple():
            return [plain(one) for one in expected]
    return expected


def example_problems(value: object) -> list[str]:
    """Return all that is wrong with ``value`` as the field ``examples``."""
    tables = [value] if isinstance(value, Mapping) else value
    if not isinstance(tables, Sequence) or isinstance(tables, str | bytes):
        return ["is neither a table nor a list of them"]
    if len(tables) > EXAMPLES_MAX:
        return [f"has {len(tables)} tables, at most {EXAMPLES_MAX} are looked at"]
    if is_deeper(value):
        return [f"is nested more than {NESTING_MAX} levels deep"]
    where = (f"table {number} " if len(tables) > 1 else "" for number in range(1, len(tables) + 1))
    return [
        place + what
        for place, table in zip(where, tables, strict=True)
        for what in _problems(table)
    ]


def _problems(table: Any) -> Iterator[str]:
    if not isinstance(table, Mapping):
        yield f"is no table, but {table!r}"
        return
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(KEYS)}"
            yield f"has {key!r}; {hint}"
    url = table.get("url")
    if url is None:
        yield "needs a url"
    elif not isinstance(url, str) or not _is_address(url):
        yield f"url: {url!r} is no URL, nor a path that begins with /"
    if not isinstance(table.get("route", ""), str):
        yield f"route: {table['route']!r} is no name of a route"
    if not isinstance(table.get("data", {}), Mapping):
        yield f"data: {table['data']!r} is no object, as a link brings it"
    if "expect" in table and not isinstance(table["expect"], Mapping | list | tuple):
        yield f"expect: {table['expect']!r} is neither a table of fields nor a list of them"
    yield from _pattern_problems(table.get("expect"), "expect")


def _is_address(url: str) -> bool:
    if url.startswith("/") and not url.startswith("//"):
        return True
    try:
        parse_url(url)
    except InvalidURL:
        return False
    return True


def _pattern_problems(expected: Any, where: str) -> Iterator[str]:
    match expected:
        case str() if expected.startswith(PATTERN):
            try:
                re.compile(expected.removeprefix(PATTERN))
            except re.error as error:
                yield f"{where}: {expected!r} is no regular expression: {error}"
        case re.Pattern() if not isinstance(expected.pattern, str):
            yield f"{where}: a pattern of bytes"
        case Mapping():
            for name, one in expected.items():
                yield from _pattern_problems(one, f"{where}.{name}")
        case list() | tuple():
            for number, one in enumerate(expected):
                yield from _pattern_problems(one, f"{where}[{number}]")
        case None | str() | int() | float() | re.Pattern():
            return
        case _:
            yield f"{where}: {expected!r} is no JSON"
