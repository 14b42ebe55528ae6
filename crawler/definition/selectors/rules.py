"""The grammar of tables of selectors, and what is wrong with one.

=========================================== =======================================================
rule                                        means
=========================================== =======================================================
``"h1"``, ``".price::text"``,               CSS as in parsel: the text of the first match, its own
``"img::attr(src)"``                        first text, an attribute
``"xpath://h1/@id"``                        XPath 1.0, as in parsel
``"jsonld:Product.offers.price"``           a value of the page's JSON-LD, by its type and a path
``"meta:og:title"``                         the content of a meta element, by property or name
``".price re:[\\d.,]+"``                    the first group in it, else all that matches; after any
                                            selector
``["a.tag"]``                               all of them
``{select = ".price", type = "number"}``    the same with a type; in a list: all of them
``{name = "h1", …}``                        one object
``{select = ".card", name = "h2", …}``      one object, read from the first match
``[{select = ".card", name = "h2", …}]``    one object per match; ``[".card", {name = "h2"}]`` is
                                            the same
=========================================== =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...errors import Fault
from ...text.nesting import NESTING_MAX, is_deeper
from .paths import KINDS, Path, parse_path

#: The types that a value may have; see ``typed_values``.
TYPES = ("number", "integer", "date", "url", "text")
#: Names of types that no element has.
_BARE_TYPES = tuple(name for name in TYPES if name != "text")
#: The key of a table that has its selector, and those that say how a value is read.
SELECT, OPTIONS = "select", ("type", "decimal", "format")
#: How a right rule is written.
EXAMPLES = {
    "css": '"title": "h1"',
    "xpath": '"title": "xpath://h1/text()"',
    "jsonld": '"price": "jsonld:Product.offers.price"',
    "meta": '"title": "meta:og:title"',
    "re": '"price": ".price re:[0-9.,]+"',
    "type": '"price": {"select": ".price", "type": "number"}',
    "decimal": '"price": {"select": ".price", "type": "number", "decimal": ","}',
    "format": '"date": {"select": ".date", "type": "date", "format": "%d/%m/%Y"}',
    "each": '"books": [{"select": ".card", "title": "h2"}]',
    "table": 'extract={"title": "h1", "tags": ["a.tag"]}',
}


#: The beginning of what may be meant as another kind of selector.
_OTHER_KIND = re.compile(r"\s*[A-Za-z-]+:")


@dataclass(frozen=True, slots=True)
class Value:
    """A rule for a value, or for a list of ``many``."""

    select: Any
    many: bool
    type: str = "text"
    decimal: Literal[".", ","] | None = None
    format: str | None = None
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A rule for an object of ``fields``, read from what ``select`` matches (None: from the page),
    or for a list of ``many``.
    """

    select: Any
    many: bool
    fields: Mapping[Any, Any] = field(default_factory=dict)


def parse_rule(rule: Any) -> Value | Group:
    """Return the meaning of a ``rule`` of a table. Raises TypeError if it has no meaning."""
    match rule:
        case str():
            return Value(rule, many=False)
        case [str() as path]:
            return Value(path, many=True)
        case [str() as path, Mapping() as fields]:
            return Group(path, True, fields)
        case [Mapping() as table] if SELECT in table:
            return _parse_table(table, many=True)
        case Mapping():
            return _parse_table(rule, many=False)
    raise TypeError(f"{rule!r} is no selector")


def _parse_table(table: Mapping[Any, Any], *, many: bool) -> Value | Group:
    fields = {name: rule for name, rule in table.items() if name != SELECT}
    if SELECT not in table:
        return Group(None, many, fields)
    if fields.keys() <= set(OPTIONS):
        options = {"type": "text", **fields}
        return Value(table[SELECT], many, typed="type" in fields, **options)
    return Group(table[SELECT], many, fields)


def table_faults(wanted: object, where: str = "extract") -> list[Fault]:
    """Return what is wrong with a table of selectors, each with its place below ``where``."""
    if is_deeper(wanted, NESTING_MAX - 2):
        return [Fault(where, f"is nested more than {NESTING_MAX - 2} levels deep")]
    return list(_faults(wanted, where))


def item_faults(wanted: object, where: str = "extract") -> list[Fault]:
    """Return what is wrong with a table for a whole page, whose items have fields."""
    faults = table_faults(wanted, where)
    if not faults and isinstance(parse_rule(wanted), Value):
        what = "asks for a value, and for no field of an item"
        return [Fault(where, what, EXAMPLES["table"])]
    return faults


def _faults(rule: object, where: str) -> Iterator[Fault]:
    match rule:
        case [Mapping() as table]:
            where = f"{where}[0]"
            if SELECT not in table:
                what = "has no select; a list of a table asks for one object per match of it"
                yield Fault(where, what, EXAMPLES["each"])
                return
    try:
        parsed = parse_rule(rule)
    except TypeError:
        what = f"{rule!r} is neither a selector, nor a list with one, nor a table of them"
        yield Fault(where, what, EXAMPLES["table"])
        return
    if parsed.select is not None:
        at = f"{where}.{SELECT}" if isinstance(rule, Mapping) or where.endswith("]") else where
        found = [*_path_faults(parsed.select, at)]
        yield from found or (_element_faults(parsed, at) if isinstance(parsed, Group) else ())
    if isinstance(parsed, Value):
        yield from _option_faults(parsed, where)
        return
    if not parsed.fields and parsed.select is not None:
        yield Fault(where, "asks for objects without a field", EXAMPLES["each"])
    for name, inner in parsed.fields.items():
        if not isinstance(name, str):
            yield Fault(where, f"{name!r} is no name of a field", EXAMPLES["table"])
        elif isinstance(inner, str) and inner in _BARE_TYPES:
            what = f"{inner!r} is no element, but a type, which stands beside a select"
            yield Fault(f"{where}.{name}", what, EXAMPLES["type"])
        else:
            yield from _faults(inner, f"{where}.{name}")


def _option_faults(rule: Value, where: str) -> Iterator[Fault]:
    if not isinstance(rule.type, str) or rule.type not in TYPES:
        what = f"{rule.type!r} is none of {', '.join(TYPES)}"
        yield Fault(f"{where}.type", what, EXAMPLES["type"])
        return
    if rule.decimal is not None and (
        rule.decimal not in (".", ",") or rule.type not in ("number", "integer")
    ):
        what = "is neither a dot nor a comma, for a number"
        yield Fault(f"{where}.decimal", what, EXAMPLES["decimal"])
    if rule.format is not None and (
        not isinstance(rule.format, str) or "%" not in rule.format or rule.type != "date"
    ):
        what = "is no format of a date, as Python's strptime takes it"
        yield Fault(f"{where}.format", what, EXAMPLES["format"])


def _path_faults(text: object, where: str) -> Iterator[Fault]:
    if not isinstance(text, str):
        yield Fault(where, f"{text!r} is no selector", EXAMPLES["css"])
        return
    try:
        path = parse_path(text)
    except ValueError as error:
        yield Fault(where, str(error), EXAMPLES["re"])
        return
    if what := selector_problem(path):
        yield Fault(where, what, EXAMPLES[path.kind])


def _element_faults(rule: Group, where: str) -> Iterator[Fault]:
    """Yield why the select of objects, which is a selector, selects no elements."""
    path = parse_path(rule.select)
    text = path.kind == "css" and "::" in path.text
    if path.kind not in ("css", "xpath") or path.pattern or text:
        what = f"{rule.select!r} selects no elements, in which fields could be looked for"
        yield Fault(where, what, EXAMPLES["each"])


def selector_problem(path: Path) -> str | None:
    """Return why ``path`` is no selector of its kind; None if it is one."""
    if path.kind == "css":
        return css_problem(path.text)
    if path.kind == "xpath":
        from .rendered import xpath_problem  # brings parsel

        return xpath_problem(path.text)
    if not path.text:
        names = {"jsonld": "a type, like Product", "meta": "a property or a name"}
        return f"'{path.kind}:' names nothing; it takes {names[path.kind]}"
    if path.kind == "jsonld" and not all(path.text.split(".")):
        return f"{path.text!r} is no type and path, with dots between them"
    return None


def css_problem(css: str) -> str | None:
    """Return why ``css`` is no CSS selector; None if it is one."""
    from .rendered import path_of_css  # brings parsel

    try:
        path_of_css(css)
    except Exception as error:  # cssselect raises several kinds
        what = f"{css!r} is no CSS selector: {str(error) or type(error).__name__}"
        others = ", ".join(f"{kind}:" for kind in KINDS)
        return f"{what}; other kinds begin with {others}" if _OTHER_KIND.match(css) else what
    return None
