"""Decisions about pages without code: tables that say by what a page is known that is to be tried
again, skipped, or that says that we are blocked::

    [[blocked]]
    selector = ".captcha"

========  ==========================================================================================
key       holds if
========  ==========================================================================================
selector  something in the live document matches it, or one of a list
text      this regular expression is found in the visible text
url       this regular expression is found in the URL at which the page ended up
status    its HTTP status is this, or one of a list
========  ==========================================================================================

All keys of a table hold together, and one of several tables is enough. ``reason`` is what pages are
counted by (else the first key's value), ``after`` the seconds to wait, except before a skip. A page
that failed to load is not skipped for its URL alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DECISION_MAX, Blocked, Decision, Retry, Skip
from .one_or_many import listed

#: The decisions that have a field of their own, in the order in which they are looked for.
FIELDS: Mapping[str, type[Decision]] = {"blocked": Blocked, "retry": Retry, "skip": Skip}
#: Tables that one field may have.
TABLES_MAX = 50
#: Seconds that a table may ask to wait.
AFTER_MAX = 86_400.0
SIGNS = ("selector", "text", "url", "status")
_REST = ("reason", "after")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a page is known by, and the ``decision`` about it, for ``reason``."""

    decision: type[Decision]
    reason: str
    selectors: tuple[str, ...] = ()
    text: re.Pattern[str] | None = None
    url: re.Pattern[str] | None = None
    statuses: tuple[int, ...] = ()
    after: float | None = None

    @property
    def asks_document(self) -> bool:
        """Whether only the document can tell."""
        return bool(self.selectors or self.text)

    @property
    def asks_url_only(self) -> bool:
        """Whether the URL says it all, whatever became of the page."""
        return not (self.asks_document or self.statuses)

    def holds(self, url: str, status: int | None, matching: Iterable[str], text: str) -> bool:
        """Whether it holds for a page at ``url``, with a document that these of its selectors match
        and that shows ``text``.
        """
        return (
            (not self.statuses or status in self.statuses)
            and (self.url is None or self.url.search(url) is not None)
            and (not self.selectors or not set(matching).isdisjoint(self.selectors))
            and (self.text is None or self.text.search(text) is not None)
        )

    def decide(self) -> Decision:
        """Return the decision, to be raised."""
        return (
            Skip(self.reason) if self.decision is Skip else self.decision(self.reason, self.after)
        )


def parse_conditions(tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> tuple[Condition, ...]:
    """Return the conditions that the ``tables`` of each decision mean. They have no faults."""
    return tuple(
        _parse(decision, table) for name, decision in FIELDS.items() for table in tables[name]
    )


def _parse(decision: type[Decision], table: Mapping[str, Any]) -> Condition:
    first = next(table[sign] for sign in SIGNS if sign in table)
    return Condition(
        decision,
        str(table.get("reason", listed(first)[0])),
        tuple(listed(table.get("selector", ()))),
        _compiled(table.get("text")),
        _compiled(table.get("url")),
        tuple(listed(table.get("status", ()))),
        table.get("after"),
    )


def condition_faults(name: str, tables: Any) -> list[str]:
    """Return all that is wrong with the ``tables`` of the field ``name``."""
    if isinstance(tables, Mapping):
        tables = [tables]
    if not isinstance(tables, Sequence) or isinstance(tables, str | bytes):
        return ["is neither a table nor a list of them"]
    if len(tables) > TABLES_MAX:
        return [f"has {len(tables)} tables, at most {TABLES_MAX} are looked at"]
    where = (f"table {number} " if len(tables) > 1 else "" for number in range(1, len(tables) + 1))
    return [
        place + what
        for place, table in zip(where, tables, strict=True)
        for what in _faults_of(name, table)
    ]


def _faults_of(name: str, table: Any) -> Iterator[str]:
    if not isinstance(table, Mapping):
        yield f"is no table, but {table!r}"
        return
    known = (*SIGNS, *(_REST[:1] if name == "skip" else _REST))
    for key in table:
        if key not in known:
            yield f"has {key!r}; there are: {', '.join(known)}"
    if not any(sign in table for sign in SIGNS):
        yield f"needs one of {', '.join(SIGNS)}"
    for css in listed(table.get("selector", ())):
        if not isinstance(css, str) or not css.strip():
            yield f"selector: {css!r} is no selector"
    for key in ("text", "url"):
        if key in table and (what := _pattern_fault(table[key])):
            yield f"{key}: {what}"
    for status in listed(table.get("status", ())):
        if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
            yield f"status: {status!r} is no HTTP status"
    for sign in ("selector", "status"):
        if sign in table and not listed(table[sign]):
            yield f"{sign}: is empty"
    reason = table.get("reason", "x")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > DECISION_MAX:
        yield f"reason: is no text of 1 to {DECISION_MAX} characters"
    after = table.get("after", 0)
    if isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= AFTER_MAX:
        yield f"after: is no number of seconds from 0 to {AFTER_MAX:g}"


def _pattern_fault(pattern: Any) -> str | None:
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return None
    if not isinstance(pattern, str) or not pattern:
        return f"{pattern!r} is no regular expression"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}"
    return None


def _compiled(pattern: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
    return None if pattern is None else re.compile(pattern)
