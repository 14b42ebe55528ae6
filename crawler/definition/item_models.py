"""Models of items: pydantic models whose fields carry selectors, and the tables of selectors that
they stand for.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

#: Types of fields that hold many values.
_MANY = (list, tuple, set, frozenset, Sequence)


@dataclass(frozen=True, slots=True)
class Select:
    """The selector of a model's field, as in a table: ``Annotated[str, Select("h1")]``.

    ``type`` is that of the text on the page; None: the one that suits the field (number for float
    and Decimal, integer for int, date for date, url for HttpUrl). ``decimal`` and ``format`` say
    how it is written.
    """

    select: str
    type: str | None = None
    decimal: Literal[".", ","] | None = None
    format: str | None = None


def is_model(value: object) -> TypeGuard[type[BaseModel]]:
    """Whether ``value`` is a model of an item."""
    return isinstance(value, type) and issubclass(value, BaseModel)


@lru_cache(maxsize=256)
def table_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """Return the table of selectors that ``model`` stands for: that of a crawl without code."""
    return _table(model)


def _table(model: type[BaseModel]) -> dict[str, Any]:
    rules = {name: field_rule(field) for name, field in model.model_fields.items()}
    return {field_key(model, name): rule for name, rule in rules.items() if rule is not None}


def field_rule(field: FieldInfo) -> Any:
    """Return the rule of a field; None: it has none."""
    select, kind, many = field_parts(field)
    if kind is not None and is_model(kind):
        if select is None:
            return None if many else _table(kind)
        table = {"select": select.select, **_table(kind)}
        return [table] if many else table
    if select is None:
        return None
    table = {"select": select.select}
    if named := select.type or _type_of(kind):
        table["type"] = named
    for option in ("decimal", "format"):
        if (value := getattr(select, option)) is not None:
            table[option] = value
    return [table] if many else table


def field_parts(field: FieldInfo) -> tuple[Select | None, Any, bool]:
    """Return the selector of a field, the type of its values, and whether there are many."""
    selects = [part for part in field.metadata if isinstance(part, Select)]
    kind, many = field.annotation, False
    while True:
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Annotated:
            selects += [part for part in parts[1:] if isinstance(part, Select)]
            kind = parts[0]
        elif origin in (Union, types.UnionType):
            others = [part for part in parts if part is not type(None)]
            if len(others) != 1:
                return (selects[0] if selects else None), None, many
            kind = others[0]
        elif (origin or kind) in _MANY and not many:
            many, kind = True, parts[0] if parts else None
        else:
            return (selects[0] if selects else None), kind, many


def _type_of(kind: Any) -> str | None:
    """Return the type of a table's value that suits the type ``kind`` of a field."""
    if not isinstance(kind, type):
        return None
    if kind in (float, Decimal):
        return "number"
    if kind is int:
        return "integer"
    if issubclass(kind, date) and not issubclass(kind, datetime):
        return "date"
    return "url" if kind.__name__ in ("AnyUrl", "AnyHttpUrl", "HttpUrl", "Url") else None


def field_key(model: type[BaseModel], name: str) -> str:
    """Return the key by which ``model`` takes its field ``name``."""
    alias = model.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        alias = next((one for one in alias.choices if isinstance(one, str)), None)
    return alias if isinstance(alias, str) else name


def models_within(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return ``model``, those that it extends, and those of its fields, each once."""
    found: list[type[BaseModel]] = []
    waiting = [model]
    while waiting:
        one = waiting.pop()
        if one in found or one is BaseModel:
            continue
        found.append(one)
        waiting += [base for base in one.__bases__ if is_model(base)]
        waiting += [
            kind for info in one.model_fields.values() if is_model(kind := field_parts(info)[1])
        ]
    return found


def is_extract(value: object) -> bool:
    """Whether ``value`` has the shape of an extract without code: a table, a list of one, whose
    matches are items, or a model.
    """
    match value:
        case None | Mapping() | [Mapping()]:
            return True
    return is_model(value)
