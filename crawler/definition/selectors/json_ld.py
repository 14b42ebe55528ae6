"""Data of a page in JSON-LD (``<script type="application/ld+json">``): objects by their type."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ...model import Json
from ...text.nesting import is_deeper

#: Objects of a page that are looked at, and levels in a value that is taken whole.
OBJECTS_MAX, LEVELS_MAX = 100_000, 16
#: The name of a type or a property within its vocabulary: of "https://schema.org/Product".
_LOCAL = re.compile(r"[^/#:]*\Z")


class JsonLd:
    """The JSON-LD of a page, from the ``texts`` of its scripts.

    ``broken`` is the number of scripts that cannot be read. Objects by themselves, in lists and in
    ``@graph`` come before those inside of others.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.broken = 0
        self.objects: list[dict[str, Any]] = []
        blocks = [block for text in texts if (block := self._parsed(text)) is not None]
        waiting: deque[Any] = deque(blocks)
        while waiting and len(self.objects) < OBJECTS_MAX:
            value = waiting.popleft()
            if isinstance(value, list):
                waiting.extendleft(reversed(value))
            elif isinstance(value, dict):
                self.objects.append(value)
                graph = value.get("@graph")
                if isinstance(graph, list | dict):
                    waiting.appendleft(graph)
                waiting.extend(part for key, part in value.items() if key != "@graph")
        self._by_id = {
            one["@id"]: one
            for one in reversed(self.objects)
            if isinstance(one.get("@id"), str) and len(one) > 1
        }

    def _parsed(self, text: str) -> Any:
        text = re.sub(r"\A\s*(?:<!--|(?://)?\s*<!\[CDATA\[)|(?:-->|(?://)?\s*\]\]>)\s*\Z", "", text)
        try:
            return json.loads(text, strict=False, parse_constant=_nothing, parse_float=_finite)
        except (ValueError, RecursionError):
            self.broken += bool(text.strip())
            return None

    def values(self, path: str) -> Iterator[Json]:
        """Yield what ``path`` ("Product.offers.price") leads to: texts, numbers, or objects, of
        each object of that type. Lists on the way stand for all that is in them.
        """
        name, *keys = path.split(".")
        for one in self.objects:
            if name in map(_local, _listed(one.get("@type"))):
                yield from self._follow(one, keys)

    def _follow(self, value: Any, keys: list[str]) -> Iterator[Json]:
        for one in _listed(value):
            if isinstance(one, dict):
                if len(one) == 1:  # a reference
                    one = self._by_id.get(one.get("@id", ""), one)
                if keys:
                    yield from self._follow(_get(one, keys[0]), keys[1:])
                    continue
                one = one.get("@value", one)
            if not keys and one is not None and not is_deeper(one, LEVELS_MAX):
                yield one


def _listed(value: Any) -> Iterator[Any]:
    """Yield ``value``, or what is in it if it is a list, also of lists."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one))
        else:
            yield one


def _get(one: dict[str, Any], key: str) -> Any:
    if key in one:
        return one[key]
    return next((value for name, value in one.items() if _local(name) == key), None)


def _local(name: Any) -> str:
    if not isinstance(name, str) or name.startswith("@"):
        return str(name)
    found = _LOCAL.search(name)
    return found[0] if found else name


def _nothing(_: str) -> None:
    """Return None for NaN and infinity, which are no JSON."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if abs(number) != float("inf") else None
