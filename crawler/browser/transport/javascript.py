"""Scripts that run in pages: one JavaScript file each, read once, and how a function is called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def script(name: str) -> str:
    """Return the text of one of this package's JavaScript files, with what it shares with others in
    its place.
    """
    text = files(__package__).joinpath(name).read_text()
    return text.replace("SHADOWS;\n", script("shadows.js")) if "SHADOWS;" in text else text


def finding(function: str, *, in_frames: bool = False) -> str:
    """Return a JavaScript ``function`` that has what ``find.js`` defines; ``in_frames``: documents
    in frames are parts of the page.
    """
    return script("find.js").replace("IN_FRAMES;", f"{str(in_frames).lower()};") + function


def whole(function: str) -> str:
    """Return a JavaScript ``function`` whose value ChromeDriver can hand out: without half
    characters.
    """
    before, after = script("whole.js").split("{BODY")
    return f"{before}{{{function}{after}"


def call_of(function: str, args: Sequence[Any]) -> str:
    """Return the expression that calls the body of a JavaScript ``function`` with ``args``."""
    return f"(function() {{{function}\n}})({', '.join(map(json.dumps, args))})"


def watcher(name: str) -> str:
    """Return the script that keeps, in a page's property ``name``, what the page is loading."""
    return script("watch.js").replace("NAME,", f"{json.dumps(name)},")
