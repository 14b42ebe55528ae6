"""The limits of a crawl that can be changed while it goes on, as people write them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import Fault
from ..model import Policy
from .fields import check_fields

#: Their names: the fields of the policy.
LIMITS = sorted(field.name for field in fields(Policy))


def check_limits(texts: Mapping[str, str]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the values of limits, checked as in a definition, and no faults; or none, and all that
    is wrong. They are written as in TOML; ``none`` lifts a limit.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            values[name] = text
    checked, faults = check_fields({"name": "x", "url": "http://example.com/", **values})
    if checked is None:
        return {}, faults
    return {name: getattr(checked, name) for name in values}, []
