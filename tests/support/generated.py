"""The pages of docs/ that a script there writes from the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def page_of(script: str, part: str = "page") -> str:
    """Return the page, or the other ``part``, that the ``script`` of docs/ would write now."""
    spec = importlib.util.spec_from_file_location(script, DOCS / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, part)()
