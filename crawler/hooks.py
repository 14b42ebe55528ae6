"""Call user code with the arguments that it asks for by name, as pytest does.

==========  ========================================================================================
hook        may ask for
==========  ========================================================================================
before_all  crawl, browser, follow (at once), snapshot, stop
before      crawl, page (that is about to be fetched), browser, snapshot, stop
logged_out  crawl, page (live), response, browser, snapshot, stop
extract     crawl, page (live), response, links, browser, follow (with the page's report), snapshot,
            stop
filter      crawl, page (live), response, link (called for each) or links (called once), follow
            (with the page's report), snapshot, stop
after       crawl, page (live), response, result, links, browser, follow (at once), snapshot, stop
failed      crawl, page (its URL, depth and the like), reason, status, attempts, follow (at once),
            snapshot, stop
after_all   crawl, snapshot (of the crawl that has ended)
start       crawl, ticket, snapshot
==========  ========================================================================================
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from types import CodeType
from typing import Any

Hook = Callable[..., Any]

#: The arguments that each hook may ask for.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "before_all": ("crawl", "browser", "follow", "snapshot", "stop"),
    "before": ("crawl", "page", "browser", "snapshot", "stop"),
    "logged_out": ("crawl", "page", "response", "browser", "snapshot", "stop"),
    "extract": ("crawl", "page", "response", "links", "browser", "follow", "snapshot", "stop"),
    "filter": ("crawl", "page", "response", "link", "links", "follow", "snapshot", "stop"),
    "after": (
        "crawl",
        "page",
        "response",
        "result",
        "links",
        "browser",
        "follow",
        "snapshot",
        "stop",
    ),
    "failed": ("crawl", "page", "reason", "status", "attempts", "follow", "snapshot", "stop"),
    "after_all": ("crawl", "snapshot"),
    "start": ("crawl", "ticket", "snapshot"),
    "scope": ("url", "link", "page"),
}


class Lazy:
    """A value that costs something: ``get`` is called only if a hook asks for it."""

    __slots__ = ("get",)

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments that a hook asks for. ``unreadable`` says why it cannot be called by name; None
    if it can.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    positional: frozenset[str] = frozenset()  # those that may not be passed by name
    everything: bool = False  # it has **kwargs
    yields: bool = False
    unreadable: str | None = None


def signature(hook: Hook) -> Signature:
    """Return the arguments that ``hook`` asks for. Each hook is inspected once."""
    try:
        return _signature(hook)
    except TypeError:  # not hashable
        return _signature.__wrapped__(hook)


@lru_cache(maxsize=1_024)
def _signature(hook: Hook) -> Signature:
    call_method = getattr(hook, "__call__", hook)  # noqa: B004 -- of an object with a method __call__
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
    wanted = signature(hook)
    return wanted.everything or name in wanted.required or name in wanted.optional


def hook_faults(step: str, hook: object) -> list[str]:
    """Return all that is wrong with ``hook`` as the hook of ``step``, in plain words."""
    if not callable(hook):
        return [f"is {type(hook).__name__}, not a function"]
    wanted = signature(hook)
    if wanted.unreadable:
        return [wanted.unreadable]
    known = ARGUMENTS[step]
    return [
        f"asks for {name!r}, which does not exist here{_hint(name, known)}"
        for name in wanted.required
        if name not in known
    ]


def _hint(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"


def call(hook: Hook | None, available: Mapping[str, Any]) -> Any:
    """Call ``hook`` with those of the ``available`` values that it names, and return its answer: a
    list if it yields.

    None as hook does nothing. A :class:`Lazy` value is fetched only if the hook names it. An error
    of the hook passes through.

    Raises:
        TypeError: it asks for a value that is not available.
    """
    if hook is None:
        return None
    wanted = signature(hook)
    names = tuple(available) if wanted.everything else wanted.required + wanted.optional
    missing = [name for name in wanted.required if name not in available]
    if missing:
        raise TypeError(
            f"{hook_name(hook)} asks for {', '.join(map(repr, missing))}; there are:"
            f" {', '.join(available)}"
        )
    values = {name: _value(available[name]) for name in names if name in available}
    positional = [
        values.pop(name) for name in names if name in wanted.positional and name in values
    ]
    answer = hook(*positional, **values)
    return list(answer) if wanted.yields else answer


def hook_name(hook: object) -> str:
    """Return the name of ``hook`` for a message."""
    return str(getattr(hook, "__qualname__", None) or type(hook).__qualname__)


#: The beginning of the note on each error of a hook.
NOTE = "raised by the hook "


def note_place(
    error: BaseException, step: str, hook: object, crawl: str, url: str = "", route: str = ""
) -> str:
    """Note in ``error`` which hook of which crawl raised it, at which ``url`` ("": at none), on
    which ``route`` ("": none), and where in its author's code; return that place, as
    "shop/crawls.py:31" ("": it is not known).

    The note is part of each traceback of the error: a line, and a second one with the place.
    """
    place = code_place(error, hook)
    at, line = f" at {url}" if url else "", f"\n{place}" if place else ""
    on = f", route {route}," if route else ""
    with suppress(Exception):  # an error may refuse notes, by code of its own
        error.add_note(f"{NOTE}{step} of the crawl {crawl}{on}{at}{line}")
    return place


def note_of(error: BaseException) -> str:
    """Return the note that :func:`note_place` left in ``error``; "" if there is none."""
    notes = getattr(error, "__notes__", ())
    if not isinstance(notes, list):
        return ""
    return next((note for note in notes if isinstance(note, str) and note.startswith(NOTE)), "")


def code_place(error: BaseException, hook: object) -> str:
    """Return the deepest line of its author's code that ``error`` went through: not of a library's,
    nor of ours. Without one, the line where ``hook`` is defined; "" if it is not known.
    """
    lines = [
        (frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    code = _code_of(hook)
    theirs = [(file, line) for file, line in lines if not _is_library(file)]
    # or the hook itself is part of a package that is installed
    theirs = theirs or [(file, line) for file, line in lines if code and file == code.co_filename]
    if not theirs and code:
        theirs = [(code.co_filename, code.co_firstlineno)]
    return f"{_short_path(theirs[-1][0])}:{theirs[-1][1]}" if theirs else ""


#: The route and the place at the end of a reason.
_PLACE = re.compile(r" \((?:[^()]+:\d+|route [\w.-]+)\)$")


def without_place(reason: str) -> str:
    """Return the ``reason`` of a failure without its route and place in the code, if it names
    them.
    """
    return _PLACE.sub("", reason)


def is_raised_by(error: BaseException, hook: object) -> bool:
    """Whether ``error`` went through the code of ``hook``."""
    code = _code_of(hook)
    return any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))


def _code_of(hook: object) -> CodeType | None:
    """Return the code of ``hook``, if it is its author's own."""
    while isinstance(hook, partial):
        hook = hook.func
    if callable(hook):
        hook = inspect.unwrap(hook)
    hook = getattr(hook, "__func__", hook)
    if not hasattr(hook, "__code__"):
        hook = getattr(type(hook), "__call__", hook)  # noqa: B004 -- of an object
    code = getattr(hook, "__code__", None)
    return code if isinstance(code, CodeType) and not _is_ours(code.co_filename) else None


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).parent)


@cache
def _libraries() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple({Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _is_library(file: str) -> bool:
    """Whether ``file`` is Python's, an installed package's, or ours."""
    path = Path(file)
    return (
        file.startswith("<frozen")
        or not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
        or any(path.is_relative_to(folder) for folder in _libraries())
        or _is_ours(file)
    )


def _short_path(file: str) -> str:
    """Return ``file`` as it is imported: relative to the nearest folder on ``sys.path``, which is
    the same on every machine that runs the code.
    """
    path = Path(file)
    folders = [Path(folder or ".").absolute() for folder in sys.path]
    within = [folder for folder in folders if path.is_relative_to(folder)]
    deepest = max(within, key=lambda folder: len(folder.parts), default=None)
    return str(path.relative_to(deepest)) if deepest else file


def _value(value: Any) -> Any:
    return value.get() if isinstance(value, Lazy) else value
