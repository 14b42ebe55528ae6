"""Selectors for elements of a page: short ones that are likely to last, the best first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..definition.selectors.paths import parse_path
from ..definition.selectors.rendered import RenderedDocument, even, text_of
from . import names

#: An element of lxml.
Element = Any

#: What the parts of a selector cost; a class has what its name costs on top.
MARKED, BY_ID, BY_CLASS, TAG_AND_CLASS, BY_TAG = 0.5, 1.0, 1.0, 1.6, 3.0
#: What it costs to be inside of something, to be the first of several, to have a place among
#: others, and to stand beside a label.
INSIDE, FIRST, PLACE, LABEL = 1.5, 3.0, 8.0, 4.5
#: What it costs to be right inside: less may come between.
STRICT = 0.1
#: Cost of a character.
LENGTH = 0.02
#: Tags that say what they hold.
TELLING = frozenset({"h1", "main", "article", "time", "address", "figcaption", "blockquote", "nav"})
#: Attributes that are made to be found by, the best first.
MARKS = (
    *("itemprop", "data-testid", "data-test", "data-test-id", "data-qa", "data-cy", "data-hook"),
    *("data-role", "data-field", "data-name", "data-type", "property", "itemtype", "name", "rel"),
)
#: Simple selectors of an element, and ancestors, that are combined; selectors that are tried, and
#: that are given.
SIMPLE_MAX, ANCESTORS_MAX, TRIED_MAX, GIVEN_MAX = 5, 12, 160, 6
#: Characters of a label that stands before an element.
LABEL_MAX = 40

_BARE = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A selector (CSS, or ``xpath:…``), and what it costs: the less the better."""

    text: str
    cost: float


def candidates(
    document: RenderedDocument, scope: Element, targets: Sequence[Element]
) -> list[Candidate]:
    """Return selectors that find, in ``scope``, exactly the ``targets`` (in their order), or the
    one target before anything else.
    """
    tried = sorted(set(_combined(scope, targets)), key=lambda one: (one.cost, one.text))
    good: list[Candidate] = []
    for one in tried[:TRIED_MAX]:
        if good and one.cost > good[0].cost + PLACE:
            break
        good += _checked(document, scope, targets, one)
    if not good:
        for one in _places(scope, targets):
            good += _checked(document, scope, targets, one)
    good.sort(key=lambda one: (one.cost, one.text))
    return good[:GIVEN_MAX]


def _checked(
    document: RenderedDocument, scope: Element, targets: Sequence[Element], one: Candidate
) -> list[Candidate]:
    """Return ``one`` if it finds the targets; with another cost if they are only the first."""
    found = document.elements(parse_path(one.text), scope)
    if _same(found, targets):
        return [one]
    if len(targets) == 1 and found and found[0] is targets[0]:
        return [Candidate(one.text, one.cost + FIRST)]
    return []


def _same(found: Sequence[Element], targets: Sequence[Element]) -> bool:
    return len(found) == len(targets) and all(map(lambda a, b: a is b, found, targets))


def simple(element: Element) -> list[Candidate]:
    """Return the selectors for ``element`` by itself: its marks, id, classes and tag."""
    tag = element.tag
    found = []
    for place, name in enumerate(MARKS):
        if (value := element.get(name)) and _is_mark(name, value):
            at = f"[{name}={_quoted(value)}]"
            if name in ("name", "rel"):
                at = tag + at
            found.append(_priced(at, MARKED + 0.05 * place))
    found += [
        _priced(f"[{name}]" if not value else f"[{name}={_quoted(value)}]", MARKED + 0.7)
        for name, value in element.attrib.items()
        if name.startswith("data-") and name not in MARKS and _is_mark(name, value)
    ]
    if (own := element.get("id")) and (cost := names.cost_of(own)) is not None:
        found.append(_priced(f"#{own}", BY_ID + min(cost, names.LOOK) / 2))
    for name in (element.get("class") or "").split():
        if (cost := names.cost_of(name)) is not None:
            found.append(_priced(f".{name}", BY_CLASS + cost))
            found.append(_priced(f"{tag}.{name}", TAG_AND_CLASS + cost))
    if _BARE.fullmatch(tag):
        found.append(_priced(tag, 1.0 if tag in TELLING else BY_TAG))
    return sorted(found, key=lambda one: (one.cost, one.text))


def _is_mark(name: str, value: str) -> bool:
    """Whether an attribute says what an element is, rather than which one."""
    if len(value) > names.LENGTH_MAX or not value.isprintable():
        return False
    if name == "itemtype":
        return True
    words = re.split(r"[\s:./]+", value)
    return bool(value) and all(names.cost_of(word) is not None for word in words)


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) and value.isascii() else _string(value)


def _string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _priced(text: str, cost: float) -> Candidate:
    return Candidate(text, round(cost + LENGTH * len(text), 3))


def _shared(targets: Sequence[Element]) -> list[Candidate]:
    """Return the simple selectors that all ``targets`` have."""
    first, *others = ({one.text: one for one in simple(target)} for target in targets)
    kept = [one for text, one in first.items() if all(text in other for other in others)]
    return kept[:SIMPLE_MAX]


def _ancestors(scope: Element, target: Element) -> list[Element]:
    """Return the elements between ``scope`` and ``target`` that a selector may name, the nearest
    first; nothing beyond a shadow root.
    """
    found: list[Element] = []
    for one in target.iterancestors():
        if one is scope or one.tag in ("html", "body", "template"):
            break
        found.append(one)
    return found[:ANCESTORS_MAX]


def _combined(scope: Element, targets: Sequence[Element]) -> Iterator[Candidate]:
    """Yield selectors by the targets themselves, and by what they are in."""
    own = _shared(targets)
    yield from own
    pairs = [(one.tag, simple(one)[:3]) for one in _ancestors(scope, targets[0])]
    for step, (_, outer) in enumerate(pairs):
        for out in outer:
            for one in own:
                yield _inside(out, one, " ")
                if not step:
                    yield _inside(out, one, " > ")
                for near, (_, between) in enumerate(pairs[:step]):
                    for mid in between[:2]:
                        yield _inside(out, _inside(mid, one, " " if near else " > "), " ")
    if len(targets) == 1:
        target = targets[0]
        yield from _by_label(target)
        place = Candidate(f"{target.tag}:{_place_among(target)}", BY_TAG + PLACE)
        yield place
        for step, (_, outer) in enumerate(pairs[:4]):
            for out in outer[:2]:
                yield _inside(out, place, " " if step else " > ")


def _inside(outer: Candidate, inner: Candidate, sign: str) -> Candidate:
    cost = outer.cost + inner.cost + INSIDE + (0.0 if sign == " " else STRICT)
    return Candidate(f"{outer.text}{sign}{inner.text}", round(cost, 3))


def _place_among(one: Element) -> str:
    """Return the pseudo-class for the place of ``one`` among its siblings of its tag."""
    before = sum(1 for _ in one.itersiblings(one.tag, preceding=True))
    return f"nth-of-type({before + 1})"


def _by_label(one: Element) -> Iterator[Candidate]:
    """Yield an XPath by the label that stands right before ``one``, in a table or a list of terms:
    a place changes more easily than a label does.
    """
    before = one.getprevious()
    if before is None or before.tag not in ("th", "dt", "td", "b", "strong", "label", "span"):
        return
    label = text_of(before)
    if not label or len(label) > LABEL_MAX or "'" in label or before.tag == one.tag == "span":
        return
    if "".join(before.itertext()) != label:
        at = f"//{before.tag}[normalize-space()='{label}']"
    else:
        at = f"//{before.tag}[.='{label}']"
    yield _priced(f"xpath:{at}/following-sibling::{one.tag}[1]", LABEL)


def _places(scope: Element, targets: Sequence[Element]) -> Iterator[Candidate]:
    """Yield the selector that leads from place to place: of one target only."""
    if len(targets) != 1:
        return
    steps: list[str] = []
    one = targets[0]
    while one is not None and one is not scope and one.tag not in ("html", "template"):
        if one.tag == "body":
            steps.append("body")
            break
        known = names.cost_of(own) if (own := one.get("id")) else None
        if known is not None:
            steps.append(f"#{own}")
            break
        steps.append(f"{one.tag}:{_place_among(one)}")
        one = one.getparent()
    yield Candidate(" > ".join(reversed(steps)), PLACE * len(steps))


def shown(document: RenderedDocument, one: Element) -> bool:
    """Whether a reader sees ``one``, as far as its markup says."""
    for part in (one, *one.iterancestors()):
        style = "".join((part.get("style") or "").split())
        hidden = part.get("hidden") is not None or part.get("aria-hidden") == "true"
        if hidden or "display:none" in style or part.tag in ("head", "option", "noscript"):
            return False
    return bool(even(text_of(one))) or one is document.root
