"""The scripts that run in pages: one JavaScript file each, read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """The text of one of this package's JavaScript files."""
    return files(__package__).joinpath(name).read_text()
