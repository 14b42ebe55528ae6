"""Take the fields of a table of selectors from a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...model import Json, Response
from .paths import Path, parse_path
from .rendered import Element, RenderedDocument, even
from .rules import Group, Value, parse_rule
from .typed_values import READERS, Misfit

#: The table of a crawl without an ``extract``.
DEFAULT_EXTRACT: Mapping[str, Any] = {
    "title": "head title::text",  # an icon of SVG has one, too
    "description": "meta[name=description]::attr(content)",
    "canonical": "link[rel=canonical]::attr(href)",
}
#: Objects that one rule gives at most.
OBJECTS_MAX = 10_000
#: Characters of a value that does not fit that an example shows.
SHOWN_MAX = 60


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value of the ``field`` ("books.0.price") that does not fit its type, for a named
    ``reason``; None stands in its place.
    """

    field: str
    reason: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}: {self.value}"


def extract_fields(
    response: Response, wanted: Mapping[str, Any] | list[Any]
) -> tuple[Json, list[Unfit]]:
    """Return what the table ``wanted`` asks of the HTML of ``response``, and the values that do not
    fit.
    """
    reader = Reader(RenderedDocument(response.html or "", response.url))
    return reader.value(wanted, reader.document.root, ""), reader.unfit


class Reader:
    """Reads rules in a document, and collects what is ``unfit``."""

    def __init__(self, document: RenderedDocument) -> None:
        self.document = document
        self.unfit: list[Unfit] = []

    def value(self, wanted: Any, scope: Element, field: str) -> Json:
        """Return what the rule ``wanted`` asks of ``scope``, for ``field``."""
        rule = parse_rule(wanted)
        if isinstance(rule, Group):
            return self._group(rule, scope, field)
        values = self._values(rule, scope, field)
        return list(values) if rule.many else next(values, None)

    def _group(self, rule: Group, scope: Element, field: str) -> Json:
        if rule.select is None:
            return self._fields(rule.fields, scope, field)
        matches = self.document.elements(parse_path(rule.select), scope)
        if rule.many:
            return [
                self._fields(rule.fields, match, f"{field}.{number}".strip("."))
                for number, match in enumerate(matches[:OBJECTS_MAX])
            ]
        return self._fields(rule.fields, matches[0], field) if matches else None

    def _fields(self, rules: Mapping[str, Any], scope: Element, field: str) -> dict[str, Json]:
        before = f"{field}." if field else ""
        return {name: self.value(rule, scope, before + name) for name, rule in rules.items()}

    def _values(self, rule: Value, scope: Element, field: str) -> Iterator[Json]:
        """Yield the values that ``rule`` selects. One that does not fit its type is None, in a list
        left out.
        """
        path = parse_path(rule.select)
        for found, element in self._found(path, rule, scope, field):
            for value in _searched(path, found):
                if not rule.typed:
                    yield value
                    continue
                try:
                    yield READERS[rule.type](value, rule, self.document.base_of(element))
                except Misfit as misfit:
                    self._note(field, misfit.reason, value)
                    if not rule.many:
                        yield None

    def _found(
        self, path: Path, rule: Value, scope: Element, field: str
    ) -> Iterator[tuple[Json, Element]]:
        """Yield what a selector finds, and the element that each belongs to; no empty text."""
        if path.kind == "jsonld":
            empty = True
            for value in self.document.json_ld.values(path.text):
                value = even(value) if isinstance(value, str) else value
                if value not in ("", {}):
                    empty = False
                    yield value, self.document.root
            if empty and self.document.json_ld.broken:
                self._note(field, "broken_json_ld", path.text)
            return
        if path.kind == "meta":
            pairs = self.document.metas(path.text)
        elif rule.type == "url" and path.pattern is None:
            pairs = self.document.addresses(path, scope)
        else:
            pairs = self.document.texts(path, scope)
        for text, element in pairs:
            if text := even(text):
                yield text, element

    def _note(self, field: str, reason: str, value: Json) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 1] + "…"
        self.unfit.append(Unfit(field, reason, shown))


def _searched(path: Path, value: Json) -> Iterator[Json]:
    """Yield ``value``, or what the pattern of ``path`` finds in it: the first group, else all."""
    if path.pattern is None:
        yield value
        return
    for match in path.pattern.finditer(value if isinstance(value, str) else str(value)):
        text = match[1] if path.pattern.groups else match[0]
        if text := even(text or ""):
            yield text
