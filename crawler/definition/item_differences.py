"""Compare the data of a page with what an example expects; ``expectations`` has the words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import Json
from . import expectations
from .expectations import EXACTLY, PATTERN, plain
from .item_models import is_model, table_of
from .selectors.rules import Group, parse_rule

#: Characters of a value that a difference shows.
SHOWN_MAX = 120


@dataclass(frozen=True, slots=True)
class Difference:
    """A ``field`` of an item ("books.0.price"; "": all of it), what is ``expected`` of it, in
    words, and what was ``found``; ``selector`` is the one that a table has for it ("": none).
    """

    field: str
    expected: str
    found: Json
    selector: str = ""

    def __str__(self) -> str:
        by = f"  (selector {self.selector})" if self.selector else ""
        what = f"{self.field}: " if self.field else ""
        return f"{what}expected {self.expected}, found {shown(self.found)}{by}"


def differences(expected: Any, found: Json, rule: Any = None) -> list[Difference]:
    """Return in what ``found``, the data of a page, is not as ``expected``. ``rule`` is the table
    by which it was extracted, if there is one.
    """
    if expected is None:
        some = any(map(is_present, found.values() if isinstance(found, dict) else [found]))
        return [] if some else [Difference("", "an item with a value", found)]
    if rule is not None and is_model(rule):
        rule = table_of(rule)
    return list(_compared(plain(expected), found, "", rule))


def _compared(expected: Any, found: Json, where: str, rule: Any) -> Iterator[Difference]:
    match expected:
        case Mapping() if set(expected) != {EXACTLY}:
            yield from _compared_fields(expected, found, where, rule)
        case list() if isinstance(found, list):
            if len(expected) != len(found):
                what = f"{len(expected)} values: {shown(expected)}"
                yield Difference(where, what, found, selector_of(rule))
                return
            for number, pair in enumerate(zip(expected, found, strict=True)):
                yield from _compared(*pair, f"{where}.{number}".strip("."), rule)
        case _ if not meets(expected, found):
            yield Difference(where, in_words(expected), found, selector_of(rule))


def _compared_fields(
    expected: Mapping[str, Any], found: Json, where: str, rule: Any
) -> Iterator[Difference]:
    """Yield the differences of an object; of several ones, those of the one that is nearest."""
    if isinstance(found, list):
        several = [list(_compared_fields(expected, one, where, rule)) for one in found]
        if several:
            yield from min(several, key=len)
            return
    if not isinstance(found, dict):
        yield Difference(where, f"an object with {', '.join(expected)}", found, selector_of(rule))
        return
    for name, one in expected.items():
        inner = f"{where}.{name}".strip(".")
        yield from _compared(one, found.get(name), inner, rule_of(rule, name))


def meets(expected: Any, found: Json) -> bool:
    """Whether a value is as ``expected``, which is no list and no object with fields."""
    match expected:
        case {"is": exact}:
            return equal(exact, found)
        case expectations.PRESENT:
            return is_present(found)
        case expectations.ABSENT:
            return not is_present(found)
        case str() if expected.startswith(PATTERN):
            pattern = re.compile(expected.removeprefix(PATTERN))
            texts = found if isinstance(found, list) else [found]
            return any(pattern.search(str(text)) for text in texts if text is not None)
    return equal(expected, found)


def equal(expected: Any, found: Json) -> bool:
    """Whether both are the same JSON: true is not 1."""
    return json.dumps(expected, sort_keys=True) == json.dumps(found, sort_keys=True) or (
        not isinstance(expected, bool)
        and not isinstance(found, bool)
        and isinstance(expected, int | float)
        and expected == found
    )


def is_present(value: Json) -> bool:
    """Whether there is a value."""
    return value is not None and value not in ("", [], {})


def in_words(expected: Any) -> str:
    """Return what is ``expected`` of a value, in words."""
    match expected:
        case {"is": exact}:
            return shown(exact)
        case expectations.PRESENT:
            return "some value"
        case expectations.ABSENT:
            return "no value"
        case str() if expected.startswith(PATTERN):
            return expected
    return shown(expected)


def shown(value: Json) -> str:
    """Return a value for a line about it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def rule_of(rule: Any, name: str) -> Any:
    """Return the part of a table of selectors that is about the field ``name``; None: there is no
    table, or no such part.
    """
    if rule is None:
        return None
    parsed = parse_rule(rule)
    return parsed.fields.get(name) if isinstance(parsed, Group) else None


def selector_of(rule: Any) -> str:
    """Return the selector of a part of a table; "" if there is none."""
    return "" if rule is None else str(parse_rule(rule).select or "")
