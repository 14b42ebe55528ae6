"""The options of a route, as its author writes them: a table of names, and what they mean for the
pages of the route.

A route is a type of pages (list, detail). A new option is one word in :data:`FIELDS` if it is a
field of a crawl, which the route sets for its own pages; else a line in :data:`OWN`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..hooks import Hook
from ..model import ROUTE_NAME_MAX, Priority
from .one_or_many import listed

#: The name of a route: part of names of counts and of labels of metrics.
ROUTE_NAME = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,{ROUTE_NAME_MAX - 1}}}")
#: Stands, in counts and reports, for pages that no route took.
NO_ROUTE = "none"
#: Routes that a crawl may have, and patterns that one of them may.
ROUTES_MAX, PATTERNS_MAX = 100, 100

#: Fields of a crawl that a route may set for its pages.
FIELDS = (
    *(
        "extract",
        "invalid_items",
        "capture",
        "wait_for_response",
        "wait_for",
        "wait_until",
        "wait_quiet",
        "wait_timeout",
        "scroll",
        "fetch",
    ),
    *("scroll_timeout", "steps", "accept_status", "blocked", "retry", "skip", "form_retry"),
    *("keep_html", "screenshot", "pdf", "revisit", "examples"),
)
#: Hooks that a route may have of its own, and what each does. ``extract`` may be a table, too.
HOOKS: Mapping[str, str] = {
    "before": "A function that is called before each of its pages is fetched.",
    "extract": "A table of selectors, or a function that returns the data of a page.",
    "after": "A function that is called with the result of each of its pages.",
}
#: Options that no crawl has: what each says, and how it is written.
OWN: Mapping[str, tuple[str, str]] = {
    "match": (
        "A regular expression, or a list of them, of which one is found in the path and query of"
        " the URLs of its pages; without it, only links that name the route lead to it.",
        'match=r"/books/\\d+"',
    ),
    "links": (
        "Whether links of its pages are followed; or selectors, inside of whose matches they are.",
        "links=False",
    ),
    "priority": (
        "The place of its pages among those that wait (high, normal, low), unless the hook filter"
        " gives them another.",
        'priority="high"',
    ),
}
#: All options, in the order of the documentation.
OPTIONS = (*OWN, *FIELDS, *(name for name in HOOKS if name not in FIELDS))

#: A table of options, by the name of the route.
Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """A type of pages. ``patterns`` are searched in the path and query of a URL; ``priority`` None:
    that of the link.

    ``fields`` are those of a crawl that it sets, ``hooks`` those that it has of its own, by step.
    ``links``: whether those of its pages are followed at all.
    """

    name: str
    patterns: tuple[re.Pattern[str], ...]
    fields: Mapping[str, Any]
    hooks: Mapping[str, Hook]
    links: bool = True
    priority: Priority | None = None

    def takes(self, paths: Iterable[str]) -> bool:
        """Whether it takes a page, of which ``paths`` are the spellings of its path and query."""
        return any(pattern.search(path) for pattern in self.patterns for path in paths)


def parse_route(name: str, table: Mapping[str, Any]) -> Route:
    """Return the route that an author's ``table`` means. The table has no faults."""
    hooks = hooks_of(table)
    return Route(
        name,
        tuple(map(re.compile, listed(table.get("match")))),
        fields_of(table),
        hooks,
        table.get("links") is not False,
        None if (priority := table.get("priority")) is None else Priority.of(priority),
    )


def fields_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a crawl that the ``table`` of a route sets, by name."""
    hooks = hooks_of(table)
    fields = {name: table[name] for name in FIELDS if name in table and name not in hooks}
    links = table.get("links")
    return fields if isinstance(links, bool | None) else fields | {"restrict_css": links}


def hooks_of(table: Mapping[str, Any]) -> dict[str, Hook]:
    """Return the hooks in the ``table`` of a route, by step. A class as ``extract`` is the model of
    an item, and no hook.
    """
    return {
        step: table[step]
        for step in HOOKS
        if step in table
        and (step not in FIELDS or (callable(table[step]) and not isinstance(table[step], type)))
    }


def sound_tables(tables: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the names and tables of those routes whose tables can be looked into."""
    if isinstance(tables, Mapping):
        for name, table in tables.items():
            if isinstance(name, str) and isinstance(table, Mapping):
                yield name, table


def has_code(tables: object) -> bool:
    """Whether an option of a route is code."""
    return any(callable(value) for _, table in sound_tables(tables) for value in table.values())


def merged(tables: Any, added: Sequence[tuple[str, Mapping[str, Any]]]) -> Any:
    """Return the tables of all routes: those of the field ``routes``, then those that decorators
    ``added``. Where both have one of a name, the field's options go on top.

    Tables that are wrong are handed back as they are: their faults are found in them.
    """
    if not added or not isinstance(tables or {}, Mapping):
        return tables
    routes: dict[Any, Any] = {
        name: dict(table) if isinstance(table, Mapping) else table
        for name, table in (tables or {}).items()
    }
    for name, options in added:
        table = routes.setdefault(name, {}) if isinstance(name, str) else {}
        if isinstance(table, dict):
            for option, value in options.items():
                table.setdefault(option, value)
    return routes


def without_hooks(tables: Any, steps: Iterable[str]) -> Any:
    """Return the tables of routes without the options that are hooks of ``steps``."""
    sound = {name: without_steps(table, steps) for name, table in sound_tables(tables)}
    return {**tables, **sound} if isinstance(tables, Mapping) else tables


def without_steps(table: Mapping[str, Any], steps: Iterable[str]) -> Mapping[str, Any]:
    """Return the ``table`` of a route without its hooks of ``steps``."""
    gone = hooks_of(table).keys() & set(steps)
    return {name: value for name, value in table.items() if name not in gone}
