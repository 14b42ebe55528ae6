"""What is wrong with the model of an item, and with an item by its model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from ..errors import Fault
from ..model import Json
from ..text.encodable import encodable_value
from ..text.nesting import NESTING_MAX
from .item_models import field_key, field_parts, field_rule, is_extract, is_model
from .selectors.rules import item_faults, table_faults

#: How a field with a selector is written.
EXAMPLE = 'price: Annotated[float, Select(".price")]'


def extract_faults(value: Any, where: str = "extract") -> list[Fault]:
    """Return what is wrong with the extract ``value`` of a crawl or of a route, which stands at
    ``where``. A value of another shape has no fault here.
    """
    if is_model(value):
        return list(_model_faults(value, where, ()))
    return [] if value is None or not is_extract(value) else item_faults(value, where)


def _model_faults(
    model: type[BaseModel], where: str, around: tuple[type[BaseModel], ...]
) -> Iterator[Fault]:
    name = model.__name__
    if model in around or len(around) >= NESTING_MAX - 2:
        yield Fault(where, f"the model {name} holds itself, without an end", EXAMPLE)
        return
    try:
        complete = model.model_rebuild() is not False
    except Exception as error:  # a name in it means nothing
        yield Fault(where, f"the model {name} is not complete: {str(error).partition(chr(10))[0]}")
        return
    if not complete:
        yield Fault(where, f"the model {name} is not complete")
        return
    selectors = 0
    for field, info in model.model_fields.items():
        select, kind, many = field_parts(info)
        inner = kind if kind is not None and is_model(kind) else None
        selectors += select is not None or (inner is not None and not many)
        if inner is not None and (select is not None or not many):
            yield from _model_faults(inner, f"{where}.{field}", (*around, model))
            rule: Any = {"select": select.select, "field": "*"} if select else None
        elif select is None:
            if info.is_required():
                what = f"the model {name} requires it, and it has neither a Select nor a default"
                yield Fault(f"{where}.{field}", what, EXAMPLE)
            continue
        else:
            rule = field_rule(info)
            rule = rule[0] if isinstance(rule, list) else rule
        if rule is not None:
            for fault in table_faults(rule, f"{where}.{field}"):
                place = fault.field.removesuffix(".select")
                yield Fault(place, fault.what, EXAMPLE)
    if not selectors:
        yield Fault(where, f"no field of the model {name} has a Select", EXAMPLE)


class InvalidItem(ValueError):
    """An item is not what its model says: ``reason`` names the field and the class of its value
    ("price: no_number").
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def validated(
    model: type[BaseModel], fields: Mapping[str, Json], reasons: Mapping[str, str]
) -> Json:
    """Return the item that ``model`` makes of ``fields``, as JSON.

    ``reasons`` are those of values that did not fit their type, by the path of the field.

    Raises:
        InvalidItem: it makes none.
    """
    try:
        text = json.dumps(encodable_value(_given(model, fields)), allow_nan=False)
        return as_plain_data(model.model_validate_json(text))
    except ValidationError as errors:
        first, *others = errors.errors(include_url=False, include_context=False)
        path = ".".join(map(str, first["loc"])) or model.__name__
        missing = first["type"] == "missing" or first["input"] is None
        why = reasons.get(path) or ("missing" if missing else first["type"])
        more = f" (and {len(others)} more)" if others else ""
        raise InvalidItem(f"{path}: {why}{more}") from errors


def _given(model: type[BaseModel], fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return ``fields`` without those that the page lacks and ``model`` has a default for."""
    given = {}
    for name, info in model.model_fields.items():
        key = field_key(model, name)
        if key not in fields:
            continue
        value = fields[key]
        if value is None and not info.is_required():
            continue
        _, kind, _ = field_parts(info)
        if kind is not None and is_model(kind):
            if isinstance(value, Mapping):
                value = _given(kind, value)
            elif isinstance(value, list):
                value = [_given(kind, one) for one in value]
        given[key] = value
    return given


def as_plain_data(data: Any) -> Any:
    """Return ``data`` with each model in it, and each instance of a dataclass, as JSON."""
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json")
    if is_dataclass(data) and not isinstance(data, type):
        return to_jsonable_python(data)
    if type(data) is dict:
        return {key: as_plain_data(value) for key, value in data.items()}
    if type(data) in (list, tuple):
        return [as_plain_data(value) for value in data]
    return data
