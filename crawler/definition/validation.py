"""Find what is wrong with a definition beyond its single values: fields that contradict each other,
and hooks that cannot be called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import Fault
from ..hooks import Hook, hook_faults, hook_name
from ..urls.patterns import is_doubtful_host
from ..urls.url import parse_url
from .item_models import is_extract, is_model
from .one_or_many import listed
from .route_checks import dead_routes, located, table_faults
from .route_options import fields_of, hooks_of, sound_tables

if TYPE_CHECKING:
    from .fields import Fields

#: How the hook of each step may be written.
HOOK_EXAMPLES = {
    "before_all": "def log_in(browser): …",
    "before": "def prepare(page, browser): …",
    "logged_out": "def expired(page): return page.text('#login') is not None",
    "extract": 'def book(page): return {"title": page.text("h1")}',
    "filter": 'def wanted(link): return "/en/" in link.url',
    "after": "def save(result): …",
    "failed": "def lost(page, reason): …",
    "after_all": "def report(snapshot): …",
    "start": "def start(ticket): …",
}


def definition_faults(
    raw: Mapping[str, Any],
    fields: Fields | None,
    hooks: Sequence[tuple[str, Hook]],
    example: Callable[[str], str],
) -> Iterator[Fault]:
    """Yield the faults of a whole crawl.

    ``raw`` holds the fields as their author wrote them, ``fields`` the validated ones: None if a
    single value is wrong. ``hooks`` are all that were added, with their steps. ``example`` tells
    how a right value of a field is written.
    """
    steps = {step for step, _ in hooks}
    yield from _selector_faults(raw, steps, example)
    if fields:
        yield from _timeout_faults(fields, example)
    if fields:
        yield from _example_faults(fields)
        yield from _conditional_faults(fields, example)
    yield from _pattern_faults(raw, [parse_url(url).host for url in fields.url] if fields else [])
    yield from _hook_faults(hooks)
    yield from _login_hook_faults(bool(raw.get("login")), steps)
    if callable(scope := raw.get("scope")):
        for what in hook_faults("scope", scope):
            yield Fault("scope", f"the function {what}", "scope=lambda url: '/en/' in url")


def route_faults(
    tables: Any,
    added: Sequence[tuple[Any, Mapping[str, Any]]],
    fields: Fields | None,
    *,
    follows: bool,
    example: Callable[[str], str],
) -> Iterator[Fault]:
    """Yield the faults of the routes in ``tables``, by name; ``added`` are those of decorators.
    ``follows``: a hook asks for ``follow``.
    """
    faults = [*table_faults(tables, added)]
    for name, table in sound_tables(tables):
        options, hooks = fields_of(table), hooks_of(table)
        found = [*_selector_faults(options, set(), example), *_hook_faults([*hooks.items()])]
        if fields:
            found += _patience_faults(options, fields, example)
        faults += [located(fault, name) for fault in found if fault not in faults]
    yield from faults
    if fields and not faults:
        yield from dead_routes(fields.routes, follows=follows)


def _selector_faults(
    raw: Mapping[str, Any], steps: set[str], example: Callable[[str], str]
) -> Iterator[Fault]:
    from .item_validation import extract_faults  # below it lies more than fits under a crawl
    from .selectors.rules import css_problem

    wanted = raw.get("extract")
    yield from extract_faults(wanted)
    if is_extract(wanted) and wanted is not None and "extract" in steps:
        kind = "model" if is_model(wanted) else "table"
        yield Fault("extract", f"is given both as a {kind} and as a hook; keep one")
    for css in listed(raw.get("restrict_css")):
        if isinstance(css, str) and (problem := css_problem(css)):
            yield Fault("restrict_css", problem, example("restrict_css"))


def _example_faults(fields: Fields) -> Iterator[Fault]:
    """Yield the routes that examples name, and that are not there."""
    for number, table in enumerate(fields.examples):
        route = table.get("route", "")
        if route and route not in fields.routes:
            known = ", ".join(fields.routes) or "none"
            what = f"there is no route {route!r}; there are: {known}"
            yield Fault(
                f"examples[{number}].route", what, 'examples=[{"url": "/", "route": "book"}]'
            )


def _conditional_faults(fields: Fields, example: Callable[[str], str]) -> Iterator[Fault]:
    ways = [fields.fetch, *(table.get("fetch") for table in fields.routes.values())]
    if fields.conditional and all(way in (None, "chrome") for way in ways):
        what = 'is for pages that come by HTTP: set fetch="http" or "auto", too'
        yield Fault("conditional", what, example("conditional"))


def _timeout_faults(fields: Fields, example: Callable[[str], str]) -> Iterator[Fault]:
    if max(fields.wait_timeout, fields.scroll_timeout) >= fields.page_deadline:
        what = (
            f"must lie above wait_timeout ({fields.wait_timeout:g}) and scroll_timeout"
            f" ({fields.scroll_timeout:g})"
        )
        yield Fault("page_deadline", what, example("page_deadline"))
    if (fields.page_load_timeout or 0.0) >= fields.page_deadline:
        what = f"must lie below page_deadline ({fields.page_deadline:g})"
        yield Fault("page_load_timeout", what, example("page_load_timeout"))


def _patience_faults(
    options: Mapping[str, Any], fields: Fields, example: Callable[[str], str]
) -> Iterator[Fault]:
    """Yield the ``options`` of a route by which a page waits for longer than it may take."""
    for name in ("wait_timeout", "scroll_timeout"):
        seconds = options.get(name)
        if isinstance(seconds, int | float) and seconds >= fields.page_deadline:
            what = f"must lie below page_deadline ({fields.page_deadline:g})"
            yield Fault(name, what, example(name))


def _pattern_faults(raw: Mapping[str, Any], hosts: Sequence[str]) -> Iterator[Fault]:
    """Yield the items of ``allow`` and ``deny`` that are neither a host nor meant as one."""
    for name in ("allow", "deny"):
        for item in listed(raw.get(name)):
            if isinstance(item, str) and is_doubtful_host(item, hosts):
                what = (
                    f"{item!r} reads as a hostname, but none can end like that; to search in URLs,"
                    " write it with a slash"
                )
                yield Fault(name, what, f'{name}=[r"/{re.escape(item)}"]')


def _hook_faults(hooks: Sequence[tuple[str, Hook]]) -> Iterator[Fault]:
    """Yield the hooks that cannot be called by their step, and second hooks of one step."""
    first: dict[str, str] = {}
    for step, hook in hooks:
        name = hook_name(hook)
        for what in hook_faults(step, hook):
            yield Fault(step, f"the hook {name} {what}", HOOK_EXAMPLES[step])
        if first.setdefault(step, name) != name:
            yield Fault(step, f"has two hooks, {first[step]} and {name}; there can be one")


def _login_hook_faults(has_login: bool, steps: set[str]) -> Iterator[Fault]:
    if has_login and "before_all" in steps:
        yield Fault("login", "is given both as a table and as a before_all hook; keep one")
    if "logged_out" in steps and not has_login and "before_all" not in steps:
        what = "needs a before_all hook, which logs in again"
        yield Fault("logged_out", what, HOOK_EXAMPLES["before_all"])
