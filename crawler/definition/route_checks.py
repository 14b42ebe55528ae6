"""Find what is wrong with the routes of a crawl: options that do not exist, values that do not fit,
and routes that no page can take.

A route that certainly takes no page is a fault; one that perhaps takes none is a warning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ..errors import Fault
from ..model import Priority
from .field_errors import shown
from .fields import Fields, check_fields
from .one_or_many import listed
from .pattern_texts import is_anchored, is_within, literal_runs
from .route_options import (
    NO_ROUTE,
    OPTIONS,
    OWN,
    PATTERNS_MAX,
    ROUTE_NAME,
    ROUTES_MAX,
    Route,
    Tables,
    fields_of,
    parse_route,
    sound_tables,
)

#: How a route may be written.
EXAMPLE = 'routes={"book": {"match": r"/books/\\d+", "extract": {"title": "h1"}}}'


def located(fault: Fault, name: str) -> Fault:
    """Return a ``fault`` in a field that the route ``name`` sets as one of the route's option."""
    if fault.field == "restrict_css":
        fault = replace(fault, field="links", example=OWN["links"][1])
    return replace(fault, field=f"routes.{name}.{fault.field}")


def table_faults(tables: object, added: Sequence[tuple[Any, Mapping[str, Any]]]) -> Iterator[Fault]:
    """Yield the faults of each route by itself: of its name, of its options and of their values.

    ``added`` are the routes that decorators made.
    """
    if not isinstance(tables or {}, Mapping):
        yield Fault("routes", f"{shown(tables)} is no table of routes by name", EXAMPLE)
        return
    names = [*(tables or {}), *(name for name, _ in added if not isinstance(name, str))]  # type: ignore[misc]
    if len(names) > ROUTES_MAX:
        yield Fault("routes", f"has {len(names)} routes, at most {ROUTES_MAX} are told apart")
    for name in names:
        yield from _name_faults(name)
    yield from _double_options(added)
    for name, table in (tables or {}).items():  # type: ignore[attr-defined]
        if not isinstance(table, Mapping):
            yield Fault(f"routes.{name}", f"{shown(table)} is no table of options", EXAMPLE)
    for name, table in sound_tables(tables):
        for option in table:
            if option not in OPTIONS:
                yield _unknown_option(name, option)
        for what in _match_problems(table.get("match", "/")):
            yield Fault(f"routes.{name}.match", what, OWN["match"][1])
        yield from _own_faults(name, table)
        yield from _value_faults(name, table)


def _name_faults(name: object) -> Iterator[Fault]:
    if callable(name):
        what = f"the route of {getattr(name, '__name__', name)} has no name"
        yield Fault("routes", what, '@shop.route("book", match=r"/books/")')
    elif not isinstance(name, str) or not ROUTE_NAME.fullmatch(name) or name == NO_ROUTE:
        what = (
            f"{shown(name)} may hold letters, digits, dots, dashes and underscores, 1 to 40 of"
            f" them, has no dot at its beginning, and is not {NO_ROUTE!r}"
        )
        yield Fault("routes", what, EXAMPLE)


def _double_options(added: Sequence[tuple[Any, Mapping[str, Any]]]) -> Iterator[Fault]:
    """Yield the options that decorators give twice to a route of one name."""
    known: set[tuple[str, str]] = set()
    for name, options in added:
        if not isinstance(name, str):
            continue
        for option in options:
            if (name, option) in known:
                yield Fault(f"routes.{name}.{option}", "is given twice; keep one")
            known.add((name, option))


def _unknown_option(name: str, option: object) -> Fault:
    where = f"routes.{name}.{option}"
    if option in Fields.model_fields:
        what = "is a field of the whole crawl, which no route can set"
        return Fault(where, f"{what}; a route has: {', '.join(OPTIONS)}")
    near = difflib.get_close_matches(str(option), OPTIONS, n=1)
    what = "no option of a route has this name; "
    if near:
        return Fault(where, f"{what}did you mean {near[0]}?", example_of_option(near[0]))
    return Fault(where, f"{what}there are: {', '.join(OPTIONS)}")


def example_of_option(option: str) -> str:
    """Return how a right value of an option is written; "" if that is not known."""
    if option in OWN:
        return OWN[option][1]
    field = Fields.model_fields.get(option)
    return str(field.examples[0]) if field and field.examples else ""


def _match_problems(match: Any) -> Iterator[str]:
    """Yield what is wrong with a ``match``."""
    if match is None:
        return
    patterns = listed(match)
    if not patterns:
        yield "is an empty list"
    if len(patterns) > PATTERNS_MAX:
        yield f"has {len(patterns)} patterns, at most {PATTERNS_MAX} are searched"
    for pattern in patterns:
        text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
        if not isinstance(text, str) or not text:
            yield f"{shown(pattern)} is no regular expression"
            continue
        try:
            re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            yield f"{shown(text)} is no regular expression: {error}"


def _own_faults(name: str, table: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield wrong values of options that no crawl has."""
    links, priority = table.get("links"), table.get("priority")
    regions = [] if links is None or isinstance(links, bool) else listed(links) or [None]
    if not all(isinstance(css, str) for css in regions):
        what = f"{shown(links)} is neither true, nor false, nor a list of selectors"
        yield Fault(f"routes.{name}.links", what, OWN["links"][1])
    try:
        if priority is not None:
            Priority.of(priority)
    except ValueError:
        what = f"{shown(priority)} is none of high, normal, low"
        yield Fault(f"routes.{name}.priority", what, OWN["priority"][1])


def _value_faults(name: str, table: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield wrong values of the fields of a crawl that the route sets."""
    fields = {key: value for key, value in fields_of(table).items() if key != "restrict_css"}
    _, faults = check_fields({"name": "x", "url": "http://example.com/", **fields})
    yield from (located(fault, name) for fault in faults)


# Routes that no page takes


def dead_routes(tables: Tables, *, follows: bool) -> Iterator[Fault]:
    """Yield the routes that certainly take no page. ``tables`` have no other faults.

    ``follows``: a hook asks for ``follow``, with which it may lead to any route.
    """
    if follows:
        return
    earlier: list[Route] = []
    for name, table in tables.items():
        route = parse_route(name, table)
        reasons = [_why_never(pattern, earlier) for pattern in route.patterns]
        if not route.patterns:
            what = "has no match, and no hook asks for follow: nothing leads to its pages"
            yield Fault(f"routes.{name}", what, OWN["match"][1])
        elif all(reasons):
            what = "; ".join(dict.fromkeys(filter(None, reasons)))
            yield Fault(f"routes.{name}.match", f"no page takes this route: {what}")
        earlier.append(route)


def route_warnings(tables: Tables, fields: Fields, *, follows: bool) -> Iterator[str]:
    """Yield a line for each pattern that does nothing, or perhaps nothing. The definition has no
    faults; ``follows`` as for :func:`dead_routes`.
    """
    earlier: list[Route] = []
    for name, table in tables.items():
        route = parse_route(name, table)
        for pattern in route.patterns:
            why = _why_never(pattern, earlier) or _why_doubtful(pattern, fields)
            if why:
                only = f"; only follow(route={name!r}) leads there" if follows else ""
                yield f"routes.{name}.match: {why}{only}"
        earlier.append(route)


def _why_never(pattern: re.Pattern[str], earlier: Sequence[Route]) -> str | None:
    """Return why certainly no page takes a route by ``pattern``; None: one may."""
    text = pattern.pattern
    for route in earlier:
        if any(is_within(pattern, other) for other in route.patterns):
            return f"the route {route.name}, which comes first, takes all that matches {text!r}"
    first = next(iter(literal_runs(pattern)), "") if is_anchored(pattern) else ""
    if first and not first.startswith("/"):
        return f"{text!r} begins with ^ and no slash, but each path begins with a slash"
    return None


def _why_doubtful(pattern: re.Pattern[str], fields: Fields) -> str | None:
    """Return why perhaps no page takes a route by ``pattern``; None: nothing speaks for that."""
    text, runs = pattern.pattern, literal_runs(pattern)
    hosts = {urlsplit(url).netloc for url in fields.url} - {""}
    if "://" in text or any(host in text.replace("\\", "") for host in hosts):
        return f"{text!r} is searched in path and query, in which there is no host"
    if any("#" in run for run in runs) and not fields.keep_fragment:
        return f"{text!r} looks for a fragment, which URLs only have with keep_fragment"
    if text in fields.deny:
        return f"deny refuses what matches {text!r}"
    last = runs[-1] if runs and text.endswith("$") else ""
    if ending := next((end for end in fields.deny_extensions if last.endswith(f".{end}")), None):
        return f"deny_extensions refuses links that end in .{ending}"
    return None
