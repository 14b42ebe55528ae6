"""A plan as fields of the hash ``meta``: one field per limit, so that scripts can read each, and
each can be changed alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import FrontierRefused
from ..model import Plan, Policy

#: Fields of a policy that are seconds in Python and milliseconds in Redis.
TIMES = {
    "time_limit", "idle_limit", "delay", "backoff", "backoff_cap", "retry_after_cap",
    "breaker_snooze", "lease", "page_deadline",
}  # fmt: skip
#: Fields of a policy that have a default, and may be None all the same.
LIFTED = frozenset({"depth_limit", "pattern_limit"})
#: The type of each field of a policy, without its "None".
TYPES = {field.name: str(field.type).partition(" |")[0] for field in fields(Policy)}


def encode_plan(plan: Plan) -> tuple[list[str], list[str]]:
    """Return the fields of ``plan`` that are empty, and the others with their values in turn."""
    dropped, pairs = encode_limits({name: getattr(plan.policy, name) for name in TYPES})
    if plan.definition is None:
        dropped.append("definition")
    else:
        pairs += ["definition", json.dumps(plan.definition, separators=(",", ":"))]
    if plan.base is None:
        dropped.append("base")
    else:
        pairs += ["base", plan.base]
    names = ("before_all", "failed_hook", "end_hook")
    flags = {name: getattr(plan, name) for name in names}
    return dropped, pairs + [text for name, on in flags.items() for text in (name, str(int(on)))]


def encode_limits(limits: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return fields of a policy as ``encode_plan`` does: those that are empty, and the others.

    Raises:
        FrontierRefused: a policy has no such field, or needs another value.
    """
    dropped: list[str] = []
    pairs: list[str] = []
    for name, value in limits.items():
        if name not in TYPES:
            raise FrontierRefused(
                f"no limit is named {name!r}; there are {', '.join(sorted(TYPES))}"
            )
        if value is None:
            if getattr(Policy(), name) is not None and name not in LIFTED:
                raise FrontierRefused(f"{name} cannot be None")
            dropped.append(name)
        elif TYPES[name] == "str":
            if value not in ("started", "done"):
                raise FrontierRefused(f"{name} is 'started' or 'done', not {value!r}")
            pairs += [name, value]
        elif not isinstance(value, (int, float)) or value < 0:
            raise FrontierRefused(f"{name} is a number, 0 or more, not {value!r}")
        else:
            pairs += [name, str(round(value * 1_000) if name in TIMES else int(value))]
    return dropped, pairs


def decode_plan(name: str, meta: Mapping[str, bytes]) -> Plan:
    """Return the plan in the hash ``meta``."""
    policy: dict[str, Any] = {}
    for field, kind in TYPES.items():
        text = meta[field].decode() if field in meta else None
        if text is None:
            policy[field] = None
        elif field in TIMES:
            policy[field] = int(text) / 1_000
        else:
            policy[field] = (
                text if kind == "str" else bool(int(text)) if kind == "bool" else int(text)
            )
    definition = json.loads(meta["definition"]) if "definition" in meta else None
    base = meta["base"].decode() if "base" in meta else None
    return Plan(
        name,
        Policy(**policy),
        meta.get("digest", b"").decode(),
        definition,
        meta.get("before_all", b"1") == b"1",
        base,
        meta.get("failed_hook") == b"1",
        meta.get("end_hook") == b"1",
    )
