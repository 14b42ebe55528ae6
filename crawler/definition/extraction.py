"""Work on a page without code: a table of selectors, or the model of an item; conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..hooks import wants
from ..model import Json, Response
from .conditions import FIELDS, Condition, parse_conditions
from .derived import once_per_crawl
from .item_models import is_model, table_of
from .item_validation import InvalidItem, validated
from .routes import takes_items

if TYPE_CHECKING:
    from .crawl import Crawl
    from .selectors.tables import Unfit


@dataclass(frozen=True, slots=True)
class Extracted:
    """The ``data`` of a page, the values in it that did not fit their types, and why its model
    refuses the item (None: it does not).
    """

    data: Json
    unfit: tuple[Unfit, ...] = ()
    invalid: str | None = None


def extract_by_table(crawl: Crawl, response: Response) -> Extracted:
    """Return what the crawl's table of selectors or its model takes from ``response``; without one,
    what the default table does, unless a route of the crawl says what its items are. An empty table
    takes nothing.
    """
    rule = crawl.fields.extract
    if rule == {} or (rule is None and takes_items(crawl)):
        return Extracted(None)
    from .selectors import tables  # parsel takes 0.1 s to import, and crawls with a hook do without

    if rule is None:
        rule = tables.DEFAULT_EXTRACT
    table: Any = table_of(rule) if is_model(rule) else rule
    data, unfit = tables.extract_fields(response, table)
    if not is_model(rule):
        return Extracted(data, tuple(unfit))
    try:
        item = validated(rule, data, {one.field: one.reason for one in unfit})
    except InvalidItem as error:
        return Extracted(None, tuple(unfit), error.reason)
    return Extracted(item, tuple(unfit))


def needs_html(crawl: Crawl) -> bool:
    """Whether the HTML of each page is needed, by a field, by a table of selectors or by a hook."""
    readers = ("logged_out", "extract", "filter", "after")
    return (
        crawl.keep_html
        or "extract" not in crawl.hooks
        or bool(crawl.restrict_css)
        or crawl.nofollow
        or any(wants(crawl.hooks[step], "response") for step in readers if step in crawl.hooks)
    )


@once_per_crawl
def conditions_of(crawl: Crawl) -> tuple[Condition, ...]:
    """Return the conditions by which the crawl decides about pages. Raises DefinitionError."""
    return parse_conditions({name: getattr(crawl.fields, name) for name in FIELDS})
