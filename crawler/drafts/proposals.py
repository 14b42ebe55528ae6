"""Rules for a field, from an example of its text or from a selector, each tried on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..definition.selectors.paths import KINDS, parse_path
from ..definition.selectors.rendered import RenderedDocument, text_of
from ..definition.selectors.rules import selector_problem
from ..definition.selectors.tables import Reader
from ..definition.selectors.typed_values import Misfit, number
from ..model import Json, Response
from .selectors_of import Candidate, candidates, shown, simple
from .sightings import Element, Sighting, around, folded, sightings

#: What it costs to be in such a place.
PLACES = {"whole": 0.0, "own": 1.5, "part": 4.0, "attribute": 2.5, "meta": 3.5, "jsonld": 3.0}
#: What it costs to be where no reader looks, to find nothing on another page of the kind, and
#: several on it.
UNSEEN, ABSENT, SEVERAL = 6.0, 10.0, 1.0
#: Sightings that are looked at, and rules that are proposed.
SIGHTINGS_MAX, PROPOSED_MAX = 12, 5
#: Characters of a text that may be meant by one that is not there.
NEAR_MAX = 80
#: Begins an answer that is meant as a text, or as CSS, whatever it looks like.
TEXT, CSS = "text:", "css:"

_DIGITS = re.compile(r"(?<!\\)[0-9]+")
_NUMERIC = re.compile(r"[-\u2212]?[0-9]+(?:\.[0-9]+)?")
_SPACE = re.compile(r"\\?\s+")


@dataclass(frozen=True)
class Sample:
    """A page of a site: its URL and its rendered document."""

    url: str
    document: RenderedDocument

    @classmethod
    def of(cls, response: Response) -> Sample:
        """Return the page of ``response``."""
        return cls(response.url, RenderedDocument(response.html or "", response.url))

    def read(self, rule: Any, scope: Element = None) -> Json:
        """Return what a table's ``rule`` gives on this page, or in one item of it, as a crawl reads
        it.
        """
        return Reader(self.document).value(rule, self.document.root if scope is None else scope, "")

    def scopes(self, each: str) -> list[Element]:
        """Return the items that ``each`` (a selector) finds; without it, the page."""
        if not each:
            return [self.document.root]
        return self.document.elements(parse_path(each), self.document.root)


@dataclass(frozen=True)
class Proposal:
    """A ``rule`` for a field: its ``value`` on the page, what it costs, and what is to be said of
    it.
    """

    rule: Any
    value: Json
    cost: float
    note: str = ""

    @property
    def text(self) -> str:
        """The rule as people read it."""
        rule = self.rule[0] if isinstance(self.rule, list) else self.rule
        if isinstance(rule, Mapping):
            rule = f"{rule['select']} ({rule['type']})"
        return f"all {rule}" if isinstance(self.rule, list) else str(rule)


class NothingFound(ValueError):
    """The page has no such text, and nothing that such a selector finds; the text says what is
    nearest.
    """


def proposals(
    page: Sample, answer: str, *, many: bool = False, each: str = "", others: Sequence[Sample] = ()
) -> list[Proposal]:
    """Return rules for what ``answer`` means on ``page``, the best first: the text of an element or
    of a part of it, the value of an attribute, or a selector.

    ``many``: all that is like it. ``each``: the selector of the items that ``answer`` is in one of.
    ``others`` are pages of the same kind, on which each rule is tried.

    Raises:
        NothingFound: the page has none of it.
    """
    answer = answer.strip()
    scopes = page.scopes(each)
    as_text, as_css = answer.startswith(TEXT), answer.startswith(CSS)
    wanted = answer.removeprefix(TEXT).removeprefix(CSS) if as_text or as_css else answer
    found: list[Proposal] = []
    if not as_css and not answer.startswith(tuple(f"{kind}:" for kind in KINDS)):
        for scope in scopes:
            if found := list(_by_text(page, scope, wanted, many=many)):
                break
    if not as_text and (not found or all(one.cost >= PLACES["part"] for one in found)):
        found = [*_by_selector(page, scopes, wanted, many=many), *found]
    if not found:
        raise NothingFound(_nothing(page, wanted, as_text=as_text, each=each))
    tried = [_tried(_tried_on_items(one, page, scopes), others, each) for one in found]
    best: dict[str, Proposal] = {}
    for one in sorted(tried, key=lambda one: one.cost):
        best.setdefault(str(one.rule), one)
    return list(best.values())[:PROPOSED_MAX]


def _by_text(page: Sample, scope: Element, text: str, *, many: bool) -> Iterator[Proposal]:
    """Yield rules for ``text``, each of which gives it."""
    found = sightings(page.document, scope, text)
    if not found and _NUMERIC.fullmatch(text.strip()):
        found = list(_numbers(scope, float(text.replace("\u2212", "-"))))
    wholes = [one.element for one in found if one.part == "whole" and one.element is not None]
    holders = sum(1 for one in wholes if shown(page.document, one))
    for sighting in found[:SIGHTINGS_MAX]:
        note = f"one of {holders} elements with this text" if holders > 1 else ""
        for rule, cost in _rules_of(page, scope, sighting, text, many=many):
            value = page.read(rule, scope)
            if _agrees(value, text):
                yield Proposal(rule, value, cost, note)


def _numbers(scope: Element, wanted: float) -> Iterator[Sighting]:
    """Yield the innermost elements whose text says the number ``wanted`` in another way."""
    for one in scope.iter():
        if isinstance(one.tag, str) and not any(isinstance(part.tag, str) for part in one):
            with suppress(Misfit):
                if number(text_of(one)) == wanted:
                    yield Sighting(one, "part")


def _rules_of(
    page: Sample, scope: Element, sighting: Sighting, text: str, *, many: bool
) -> Iterator[tuple[Any, float]]:
    """Yield the rules for a sighting with their costs; some of them may give something else."""
    if sighting.rule:
        kind = sighting.rule.partition(":")[0]
        yield ([sighting.rule] if many else sighting.rule), PLACES[kind]
        if not sighting.rule.startswith("meta:"):
            return
    one, part = sighting.element, sighting.part
    place = PLACES["attribute" if part.startswith("@") else part]
    if not part.startswith("@") and not shown(page.document, one):
        place += UNSEEN
    for candidate in _selectors(page, scope, one, many=many):
        for rule, extra in _readings(candidate.text, part, one, text):
            yield ([rule] if many else rule), place + candidate.cost + extra


def _selectors(page: Sample, scope: Element, one: Element, *, many: bool) -> list[Candidate]:
    if not many:
        return candidates(page.document, scope, [one])
    return [
        best
        for group in alike(page.document, scope, one)
        for best in candidates(page.document, scope, group)[:2]
    ]


def alike(document: RenderedDocument, scope: Element, one: Element) -> list[list[Element]]:
    """Return groups of elements that ``one`` is among, each found by a selector for one of its
    marks, classes or its tag within what is around it: the most telling first.
    """
    groups: list[list[Element]] = []
    around = [part for part in one.iterancestors() if part is not scope][:3]
    for own in simple(one)[:4]:
        texts = [own.text]
        texts += [f"{out.text} {own.text}" for part in around for out in simple(part)[:1]]
        for text in texts:
            group = document.elements(parse_path(text), scope)
            known = any(len(group) == len(other) and group[0] is other[0] for other in groups)
            if len(group) > 1 and any(part is one for part in group) and not known:
                groups.append(group)
    return groups or [[one]]


def _readings(
    selector: str, part: str, one: Element, text: str
) -> Iterator[tuple[str | dict[str, str], float]]:
    """Yield the rules by which a ``selector`` of the element ``one`` may give ``text``, and what
    each costs besides.
    """
    if part == "whole":
        yield selector, 0.0
    elif part == "own":
        yield _with(selector, "text()", "::text"), 0.0
    elif part.startswith("@"):
        name = part[1:]
        rule = _with(selector, f"@{name}", f"::attr({name})")
        yield rule, 0.0
        yield {"select": rule, "type": "url"}, 0.0
    else:
        kinds = ("number",) if "." in text else ("integer", "date")
        for kind in kinds:
            yield {"select": selector, "type": kind}, -2.0
        before, after = around(text_of(one), text)
        if after or before:
            yield f"{selector} re:{_pattern(before, after)}", 1.0


def _with(selector: str, step: str, pseudo: str) -> str:
    return f"{selector}/{step}" if selector.startswith("xpath:") else f"{selector}{pseudo}"


def _pattern(before: str, after: str) -> str:
    """Return the regular expression that cuts out what stands between two texts."""
    head, tail = (_SPACE.sub(r"\\s+", re.escape(part)) for part in (before[-24:], after[:24]))
    start = head if len(before) > 24 or not before else f"^{head}"
    text = f"{start}(.+?){tail}" if after else f"{start}(.+)"
    return _DIGITS.sub(r"\\d+", text)  # other pages have other ones


def _agrees(value: Json, text: str) -> bool:
    """Whether ``value`` is what the example says."""
    if isinstance(value, list):
        return any(_agrees(one, text) for one in value)
    if isinstance(value, float | int):
        try:
            return float(text.replace(",", "")) == value
        except ValueError:
            return False
    return isinstance(value, str) and folded(value) == folded(text)


def _by_selector(
    page: Sample, scopes: Sequence[Element], selector: str, *, many: bool
) -> Iterator[Proposal]:
    """Yield the rule that ``selector`` is, if it finds something."""
    try:
        path = parse_path(selector)
    except ValueError:
        return
    if selector_problem(path) or not scopes:
        return
    rule = [selector] if many else selector
    values = [page.read(rule, scope) for scope in scopes[:50]]
    value = next((one for one in values if one not in (None, "", [])), None)
    if value is None:
        return
    note = ""
    if not many and isinstance(all_of := page.read([selector], scopes[0]), list):
        note = f"the first of {len(all_of)} that it finds" if len(all_of) > 1 else ""
    yield Proposal(rule, value, 0.0, note)


def _tried_on_items(one: Proposal, page: Sample, scopes: Sequence[Element]) -> Proposal:
    """Return ``one`` with how many of the items of its page it serves."""
    scopes = scopes[:50]
    values = [page.read(one.rule, scope) for scope in scopes] if len(scopes) > 1 else []
    found = sum(1 for value in values if value not in (None, "", []))
    if found == len(values):
        return one
    cost = one.cost + ABSENT * (1 - found / len(values))
    return replace(one, cost=cost, note=f"in {found} of {len(values)} items")


def _tried(one: Proposal, others: Sequence[Sample], each: str) -> Proposal:
    """Return ``one`` with what it does on pages of the same kind."""
    for other in others:
        values = [other.read(one.rule, scope) for scope in other.scopes(each)[:50]]
        found = [value for value in values if value not in (None, "", [])]
        if not found:
            note = "; ".join(filter(None, (one.note, f"nothing at {other.url}")))
            return replace(one, cost=one.cost + ABSENT, note=note)
    return one


def _nothing(page: Sample, wanted: str, *, as_text: bool, each: str) -> str:
    """Return what is to be said where neither a text nor a selector finds anything."""
    place = f"the items {each} of {page.url}" if each else page.url
    reads_as_css = not as_text and re.search(r"[.#\[\]>:]", wanted) and " " not in wanted.strip()
    what = "matches nothing" if reads_as_css else "is the text of no element, attribute or JSON-LD"
    near = get_close_matches(wanted, _texts(page), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{wanted!r} {what} of {place}{hint}"


def _texts(page: Sample) -> list[str]:
    """Return the short texts of a page, which its innermost elements have."""
    texts = (
        text_of(one)
        for one in page.document.root.iter()
        if isinstance(one.tag, str) and not len(one)
    )
    return [text for text in dict.fromkeys(texts) if 0 < len(text) <= NEAR_MAX]
