"""Where a text stands on a page: in elements, in a part of one, in an attribute, in JSON-LD, in a
meta element.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..definition.selectors.rendered import ADDRESSES, RenderedDocument, even, resolved, text_of
from ..model import Json

#: An element of lxml.
Element = Any

#: Characters that people type for others.
_SAME = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u2032\u00b4`"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u2033\u00ab\u00bb"), '"'),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-"),
    **dict.fromkeys(map(ord, "\u00ad\u200b"), ""),
}
#: Attributes that say nothing of a page.
_SILENT = frozenset({"class", "id", "style", "for", "rel", "target", "type", "lang", "role"})
#: Levels of JSON-LD and objects in it that are looked at.
LEVELS_MAX, OBJECTS_MAX = 6, 200


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where a text stands: the ``element`` (None: in JSON-LD), and which part of it is
    the text (``whole``; ``own``: its first text of its own; ``part`` of its text; an attribute,
    ``@NAME``). ``rule`` is the rule of a table, where it is clear at once.
    """

    element: Element
    part: str = "whole"
    rule: str = ""


def folded(text: str) -> str:
    """Return ``text`` as it compares with another that says the same: without regard to case, white
    space, and the forms of quotes, dashes and letters.
    """
    same = unicodedata.normalize("NFKC", text.translate(_SAME)).casefold()
    return "".join(one for one in same if not one.isspace())


def around(whole: str, part: str) -> tuple[str, str]:
    """Return what stands before and after ``part`` in the text ``whole``, in which it is; two empty
    texts: it is not.
    """
    places = [(letter, at) for at, one in enumerate(whole) for letter in folded(one)]
    wanted = folded(part)
    start = "".join(letter for letter, _ in places).find(wanted)
    if start < 0 or not wanted:
        return "", ""
    last = places[start + len(wanted) - 1][1]
    return whole[: places[start][1]], whole[last + 1 :]


def sightings(document: RenderedDocument, scope: Element, text: str) -> list[Sighting]:
    """Return the places in ``scope`` where ``text`` stands, those that show nothing else first."""
    wanted = folded(text)
    if not wanted:
        return []
    exact, own, parts = [], [], []
    for one, inner in _holders(scope, wanted):
        if folded(text_of(one)) == wanted:
            exact.append(Sighting(one))
        elif not inner:
            first = next((part for part in _own_texts(one) if even(part)), "")
            if folded(first) == wanted:
                own.append(Sighting(one, "own"))
            parts.append(Sighting(one, "part"))
    if exact or own:
        parts = []
    found = [*exact, *own, *_attributes(document, scope, text.strip(), wanted)]
    if scope is document.root:
        found += _metas(document, wanted)
        found += _json_ld(document, wanted)
    return [*found, *parts]


def _holders(scope: Element, wanted: str) -> Iterator[tuple[Element, bool]]:
    """Yield the elements in ``scope`` that hold the text, and whether an element in them does, too:
    for those that hold nothing else, the innermost.
    """
    stack = [scope] if wanted in folded(text_of(scope)) else []
    while stack:
        one = stack.pop()
        inner = [
            part for part in one if isinstance(part.tag, str) and wanted in folded(text_of(part))
        ]
        exact_inside = any(folded(text_of(part)) == wanted for part in inner)
        if not exact_inside or folded(text_of(one)) != wanted:
            yield one, bool(inner)
        stack.extend(reversed(inner))


def _own_texts(one: Element) -> Iterator[str]:
    yield one.text or ""
    for part in one:
        yield part.tail or ""


def _attributes(
    document: RenderedDocument, scope: Element, text: str, wanted: str
) -> Iterator[Sighting]:
    """Yield the attributes that have this value, or that lead to this address."""
    for one in scope.iter():
        if not isinstance(one.tag, str) or (one.tag == "meta" and scope is document.root):
            continue
        for name, value in one.attrib.items():
            if name in _SILENT or name.startswith(("on", "data-reactid", "aria-")):
                continue
            same = folded(value) == wanted
            if not same and name in ADDRESSES and "/" in text:
                same = resolved(document.base_of(one), value) == text
            if same:
                yield Sighting(one, f"@{name}")


def _metas(document: RenderedDocument, wanted: str) -> Iterator[Sighting]:
    for one in document.root.iter("meta"):
        name = one.get("property") or one.get("name")
        if name and folded(one.get("content") or "") == wanted:
            yield Sighting(one, "@content", f"meta:{name}")


def _json_ld(document: RenderedDocument, wanted: str) -> Iterator[Sighting]:
    for path, value in json_ld_values(document):
        if folded(str(value)) == wanted:
            yield Sighting(None, rule=f"jsonld:{path}")


def json_ld_values(document: RenderedDocument) -> Iterator[tuple[str, Json]]:
    """Yield the texts and numbers in the page's JSON-LD with their paths ("Product.offers.price"),
    each path once.
    """
    known: set[str] = set()
    for number, one in enumerate(document.json_ld.objects):
        if number >= OBJECTS_MAX:
            return
        kinds = one.get("@type")
        kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
        if not isinstance(kind, str):
            continue
        name = kind.rstrip("/").rpartition("/")[2].rpartition(":")[2]
        for path, value in _leaves(one, name, 0):
            if path not in known and "." in path:
                known.add(path)
                yield path, value


def _leaves(value: Any, path: str, level: int) -> Iterator[tuple[str, Json]]:
    if level > LEVELS_MAX:
        return
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(key, str) and not key.startswith("@") and "." not in key:
                yield from _leaves(part, f"{path}.{key}", level + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, path, level + 1)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield path, value
