"""Fields of a page's items that stayed without a value, and the selectors that found none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..model import Json
from .item_differences import is_present, rule_of, selector_of
from .item_models import is_model, table_of
from .selectors.paths import parse_path
from .selectors.tables import DEFAULT_EXTRACT

if TYPE_CHECKING:
    from .crawl import Crawl


def table_in_use(crawl: Crawl) -> Any:
    """Return the table by which ``crawl`` (as its page sees it) extracts; None: a hook does."""
    if "extract" in crawl.calls:
        return None
    rule = crawl.fields.extract
    if rule is None:
        return DEFAULT_EXTRACT
    return table_of(rule) if is_model(rule) else rule


def empty_fields(crawl: Crawl, data: Json) -> dict[str, str]:
    """Return the fields of ``data`` that have a value in no item, each with its selector; "" where
    there is no table. Raises DefinitionError.
    """
    rule = table_in_use(crawl)
    if rule is DEFAULT_EXTRACT:  # nobody asked for them
        return {}
    items = data if isinstance(data, list) else [data]
    found = [item for item in items if isinstance(item, dict)]
    if isinstance(rule, list) and not items:
        return {"": selector_of(rule)}
    names = dict.fromkeys(name for item in found for name in item)
    return {
        name: selector_of(rule_of(rule, name))
        for name in names
        if not any(is_present(item.get(name)) for item in found)
    }


def css_of(selectors: Iterator[str] | list[str]) -> list[str]:
    """Return the CSS selectors of elements that ``selectors`` of a table begin with: what could be
    waited for.
    """
    paths = [parse_path(text) for text in selectors if text]
    return list(dict.fromkeys(it.text.split("::")[0].strip() for it in paths if it.kind == "css"))
