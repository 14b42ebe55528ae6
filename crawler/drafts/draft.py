"""A definition of a crawl, as it is drafted: what was answered, and the fields that it means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..definition.bounds import scope_of
from ..definition.crawl import Crawl
from ..definition.expectations import ABSENT, EXACTLY, PATTERN, PRESENT
from ..definition.fields import Fields, misplaced_fields
from ..definition.one_or_many import listed
from ..definition.selectors.rules import OPTIONS, SELECT
from ..errors import DefinitionError
from ..model import Json

if TYPE_CHECKING:
    from .page_kinds import Details

#: A wait: fields of a crawl, ``wait_for`` or ``wait_until``.
Wait = Mapping[str, Json]
#: The routes of lists and details.
LIST, DETAIL = "list", "detail"
#: Characters of a field's name; of a text, and values of a list, that an example expects as they
#: are: of a longer one it expects that there is one.
NAME_MAX, TEXT_MAX, VALUES_MAX = 60, 50, 5


@dataclass
class Draft:
    """A crawl ``name`` of ``url``. ``options`` are its fields that were chosen; ``table`` has the
    rules of an item by field; ``each`` is the selector of the items, where a page has several.

    ``details`` are the links of the entry page, a list, that lead to the items, and ``pager`` those
    that lead to further lists. ``values`` is what the rules gave on the page ``example``.
    ``waits`` are for what comes late on a page that has items, ``list_waits`` for links of a list.
    """

    name: str
    url: str
    options: dict[str, Any] = field(default_factory=dict)
    table: dict[str, Any] = field(default_factory=dict)
    each: str = ""
    details: Details | None = None
    pager: Details | None = None
    lists: str = ""
    example: str = ""
    values: dict[str, Json] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    list_waits: list[Wait] = field(default_factory=list)

    @property
    def extract(self) -> Any:
        """The table for a page; None: nothing was said, and the usual one holds."""
        if not self.table:
            return None
        return [{"select": self.each, **self.table}] if self.each else dict(self.table)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the crawl, in the order in which they are written."""
        found: dict[str, Any] = {"name": self.name, "url": self.url, **self.options}
        extract = self.extract
        if self.details:
            found["routes"] = self._routes(self.details)
        else:
            found |= joined(self.options, self.waits)
            if extract is not None:
                found["extract"] = extract
        if self.example and self.values:
            found["examples"] = {"url": self.example, "expect": self._expected()}
        return found

    def _routes(self, details: Details) -> dict[str, dict[str, Any]]:
        detail: dict[str, Any] = {"match": details.pattern, "links": False}
        detail |= joined(self.options, self.waits)
        if self.extract is not None:
            detail["extract"] = self.extract
        waits = joined(self.options, self.list_waits)
        if self.pager is None and not waits:
            return {DETAIL: detail}
        match = [self.lists]
        leads: dict[str, Any] = {}
        if self.pager:
            match = list(dict.fromkeys([self.lists, self.pager.pattern]))
            leads["links"] = list(dict.fromkeys([details.selector, self.pager.selector]))
        leads = {"match": match if len(match) > 1 else match[0], **leads, **waits}
        return {DETAIL: detail, LIST: leads}

    def shut_out(self, urls: Sequence[str]) -> list[tuple[str, str, int]]:
        """Return why the crawl would not follow links to ``urls``: each reason, the first URL, and
        how many there are. Raises DefinitionError.
        """
        scope = scope_of(Crawl(name=self.name, url=self.url, **self.options))
        reasons = {url: scope.look(url).reason for url in urls}
        if self.options.get("depth_limit") == 0:
            reasons = {url: reason or "depth" for url, reason in reasons.items()}
        counts = Counter(reason for reason in reasons.values() if reason)
        return [
            (reason, next(url for url, one in reasons.items() if one == reason), number)
            for reason, number in counts.most_common()
        ]

    def _expected(self) -> dict[str, Json]:
        return {name: expected(value) for name, value in self.values.items()}

    def check(self) -> None:
        """Pass if nothing is wrong with the definition. Raises DefinitionError."""
        fields = self.fields
        Crawl(**fields).validate()
        if faults := misplaced_fields(fields):
            raise DefinitionError(self.name, tuple(faults))


def joined(options: Mapping[str, Any], waits: Sequence[Wait]) -> dict[str, Json]:
    """Return all ``waits`` as fields of a crawl, with those that ``options`` have already."""
    if not waits:
        return {}
    every = [options, *waits]
    selectors = dict.fromkeys(css for one in every for css in listed(one.get("wait_for")))
    conditions = dict.fromkeys(text for one in every for text in listed(one.get("wait_until")))
    found: dict[str, Json] = {"wait_for": list(selectors)} if selectors else {}
    if conditions:
        several = len(conditions) > 1
        found["wait_until"] = " && ".join(f"({one})" if several else one for one in conditions)
    return found


def expected(value: Json) -> Json:
    """Return what an example expects where the page gave ``value``."""
    if value in (None, "", []):
        return ABSENT
    if isinstance(value, list):
        return PRESENT if len(value) > VALUES_MAX else [expected(one) for one in value]
    if isinstance(value, dict):
        return PRESENT
    if isinstance(value, str):
        if len(value) > TEXT_MAX:
            return PRESENT
        if value in (PRESENT, ABSENT) or value.startswith(PATTERN):
            return {EXACTLY: value}
    return value


def name_problem(name: str, known: Mapping[str, Any]) -> str | None:
    """Return why ``name`` can be no further name of a field of an item; None: it can."""
    if not name or len(name) > NAME_MAX or not name.isprintable() or re.search(r"[\s\"'\\=]", name):
        return f"{name!r} is no name of a field: letters, digits, dashes and underscores"
    if name in known:
        return f"{name} is there already"
    if name in (SELECT, *OPTIONS):
        return f"{name} means something else in a table; call it item_{name}"
    if name in Fields.model_fields and name not in ("name", "url"):
        return f"{name} is the name of a field of crawls; call it item_{name}"
    return None
