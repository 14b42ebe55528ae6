"""Calling user code with the arguments that it asks for by name, as pytest does.

============ ==========================================================================================
hook         may ask for
============ ==========================================================================================
before_all   crawl, browser, snapshot, stop before       crawl, page (that is about to be fetched),
browser, snapshot, stop logged_out   crawl, page (live), response, browser, snapshot, stop extract
crawl, page (live), response, links, browser, snapshot, stop filter       crawl, page (live),
response, link (called for each) or links (called once), snapshot, stop after        crawl, page
(live), response, result, links, browser, snapshot, stop after_all    crawl, snapshot (of the crawl
that has ended) start        crawl, ticket, snapshot
============ ==========================================================================================
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Hook = Callable[..., Any]

#: What each hook may ask for.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "before_all": ("crawl", "browser", "snapshot", "stop"),
    "before": ("crawl", "page", "browser", "snapshot", "stop"),
    "logged_out": ("crawl", "page", "response", "browser", "snapshot", "stop"),
    "extract": ("crawl", "page", "response", "links", "browser", "snapshot", "stop"),
    "filter": ("crawl", "page", "response", "link", "links", "snapshot", "stop"),
    "after": ("crawl", "page", "response", "result", "links", "browser", "snapshot", "stop"),
    "after_all": ("crawl", "snapshot"),
    "start": ("crawl", "ticket", "snapshot"),
    "scope": ("url", "link", "page"),
}


class Lazy:
    """A value that costs something to get: it is only got if a hook asks for it."""

    __slots__ = ("get",)

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get


@dataclass(frozen=True, slots=True)
class Signature:
    """What a hook asks for. ``unreadable`` says why it cannot be called by name, if so."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    positional: frozenset[str] = frozenset()  # those that may not be passed by name
    everything: bool = False  # it has **kwargs
    yields: bool = False
    unreadable: str | None = None


def signature(hook: Hook) -> Signature:
    """What ``hook`` asks for; looked at once per hook."""
    try:
        return _signature(hook)
    except TypeError:  # not hashable
        return _signature.__wrapped__(hook)


@lru_cache(maxsize=1_024)
def _signature(hook: Hook) -> Signature:
    call_method = getattr(hook, "__call__", hook)  # noqa: B004 -- of an object that can be called, what is called
    if any(map(inspect.iscoroutinefunction, (hook, call_method))) or any(
        map(inspect.isasyncgenfunction, (hook, call_method))
    ):
        return Signature(unreadable="is async; a hook is a plain function")
    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        return Signature(
            unreadable="has arguments that cannot be read; wrap it in a function of your own"
        )
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return Signature(
        required=tuple(p.name for p in named if p.default is p.empty),
        optional=tuple(p.name for p in named if p.default is not p.empty),
        positional=frozenset(p.name for p in named if p.kind is p.POSITIONAL_ONLY),
        everything=any(p.kind is p.VAR_KEYWORD for p in parameters),
        yields=any(map(inspect.isgeneratorfunction, (hook, call_method))),
    )


def wants(hook: Hook, name: str) -> bool:
    """Whether ``hook`` asks for the argument ``name``."""
    asked = signature(hook)
    return asked.everything or name in asked.required or name in asked.optional


def hook_faults(step: str, hook: object) -> list[str]:
    """What is wrong with ``hook`` as the hook of ``step``, in plain words; empty if nothing is."""
    if not callable(hook):
        return [f"is {type(hook).__name__}, not a function"]
    asked = signature(hook)
    if asked.unreadable:
        return [asked.unreadable]
    there = ARGUMENTS[step]
    return [
        f"asks for {name!r}, which does not exist here{_hint(name, there)}"
        for name in asked.required
        if name not in there
    ]


def _hint(name: str, there: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, there, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(there)}"


def call(hook: Hook | None, available: Mapping[str, Any]) -> Any:
    """Call ``hook`` with those of the ``available`` values that it names; a :class:`Lazy` one is
    got only then.

    No hook does nothing. What a hook with a ``yield`` gives is a list. Whatever the hook raises
    passes through.
    """
    if hook is None:
        return None
    asked = signature(hook)
    names = tuple(available) if asked.everything else asked.required + asked.optional
    missing = [name for name in asked.required if name not in available]
    if missing:
        raise TypeError(
            f"{hook_name(hook)} asks for {', '.join(map(repr, missing))}; there are:"
            f" {', '.join(available)}"
        )
    values = {name: _value(available[name]) for name in names if name in available}
    positional = [values.pop(name) for name in names if name in asked.positional and name in values]
    answer = hook(*positional, **values)
    return list(answer) if asked.yields else answer


def hook_name(hook: object) -> str:
    """What to call ``hook`` in a message."""
    return str(getattr(hook, "__qualname__", None) or type(hook).__qualname__)


def _value(value: Any) -> Any:
    return value.get() if isinstance(value, Lazy) else value
