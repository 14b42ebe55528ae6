"""The words for a wrong value of a field: pydantic's errors, told to the author of a crawl."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Fault
from ..redaction import masked

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

#: Fields that may hold passwords: never shown, not even when they are wrong.
SECRETS = frozenset({"headers", "steps", "login", "basic_auth", "proxy"})


def field_fault(
    error: ErrorDetails, raw: Mapping[str, Any], fields: Mapping[str, FieldInfo]
) -> Fault:
    """Return what is wrong by ``error``. ``raw`` holds all values as their author wrote them,
    ``fields`` those that exist.
    """
    name, *inner = error["loc"]
    where = str(name)
    if isinstance(raw.get(where), list | tuple):
        where += "".join(f"[{step}]" for step in inner)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(name), fields, n=1)
        what = "no field of a crawl has this name; "
        if near:
            return Fault(where, f"{what}did you mean {near[0]}?", example_of(fields[near[0]]))
        return Fault(where, f"{what}there are: {', '.join(fields)}")
    return Fault(where, _words(error, secret=name in SECRETS), example_of(fields.get(str(name))))


def example_of(field: FieldInfo | None) -> str:
    """Return how a right value of ``field`` is written; "" for one that does not exist."""
    return str(field.examples[0]) if field and field.examples else ""


def _words(error: ErrorDetails, secret: bool) -> str:
    context, value = error.get("ctx", {}), "what is given" if secret else shown(error["input"])
    match error["type"]:
        case "missing":
            return "is missing"
        case "int_type" | "int_from_float":
            return f"{value} is no whole number"
        case "float_type" | "finite_number":
            return f"{value} is no number"
        case "bool_type":
            return f"{value} is neither true nor false"
        case "string_type":
            return f"{value} is no text"
        case "too_long":
            return f"{value} has more than {context['max_length']} parts"
        case "tuple_type":
            return f"{value} is no list"
        case "dict_type":
            return f"{value} is no table of names and selectors"
        case "too_short":
            return "is an empty list"
        case "literal_error":
            return f"{value} is none of {context['expected']}"
        case "greater_than_equal":
            return f"{value} is too small, at least {context['ge']:g}"
        case "greater_than":
            return f"{value} is too small, more than {context['gt']:g}"
        case "less_than_equal":
            return f"{value} is too large, at most {context['le']:g}"
        case "value_error":
            return str(context["error"])
    return f"{value}: {error['msg']}"


def shown(value: object) -> str:
    """Return ``value`` as an error shows it: without passwords, in at most 80 characters."""
    try:
        text = masked(repr(value))
    except Exception:
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "…"
