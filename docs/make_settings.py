"""Write settings.md from the settings and fields themselves: `make docs`. A test holds the file to
its output.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from crawler.config.settings import Settings, variable
from crawler.definition.fields import Fields
from crawler.definition.route_options import FIELDS as FIELD_OPTIONS
from crawler.definition.route_options import HOOKS, OPTIONS, OWN

HEAD = """\
# Settings and fields

Two places say how a crawl goes. **Settings** say where things are and how patient to be: they
belong to a machine or a deployment, and are environment variables. **Fields** say what to crawl:
they belong to the crawl, and stand in its Python or TOML file.
Times are in seconds. This file is written by `make docs`.

## Settings

An empty variable counts as unset. All of them are checked at once, and `crawler doctor` names those
that look misspelt. The time-outs must rise in this order, or the settings are refused:
`CRAWLER_SCRIPT_TIMEOUT` < `CRAWLER_PAGE_LOAD_TIMEOUT` < (+ 15: an answer of ChromeDriver)
< `CRAWLER_RUN_TIMEOUT` < (+ 30: the hard limit) < `CRAWLER_VISIBILITY_TIMEOUT`. A crawl's
`page_deadline` (180) lies below `CRAWLER_RUN_TIMEOUT`.

| variable | default | what it says |
|---|---|---|
"""

FIELDS = """
## Fields of a crawl

The same names in Python (`Crawl(name="books", …)`), in TOML (`name = "books"`) and on the command
line (`--delay 1` for those that people reach for, `--set delay=1` for all). `None` means no limit;
TOML has no such value: write `"none"` there. Hooks are added with decorators: see the README.

| field | default | what it says | for example |
|---|---|---|---|
"""


ROUTES = """
## Options of a route

In place of the crawl's own field or hook, for the pages of one route: [routes](routes.md).

| option | what it says | for example |
|---|---|---|
"""


def page() -> str:
    """Return the whole text."""
    texts = docstrings(Settings)
    settings = [
        f"| `{variable(name)}` | {shown(field.default)} | {cell(texts[name])} |"
        for name, field in Settings.model_fields.items()
    ]
    fields = [
        f"| `{name}` | {shown(field.default)} | {cell(field.description)} |"
        f" `{cell(str((field.examples or [''])[0]))}` |"
        for name, field in Fields.model_fields.items()
    ]
    options = [
        f"| `{name}` | {cell(text)} | `{cell(example)}` |" for name, text, example in options_of()
    ]
    parts = (HEAD, settings, FIELDS, fields, ROUTES, options)
    return "".join(part if isinstance(part, str) else "\n".join(part) + "\n" for part in parts)


def options_of() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each option of a route, what it says, and how it is written."""
    for name in OPTIONS:
        if name in OWN:
            yield name, *OWN[name]
        elif name in HOOKS:
            yield name, HOOKS[name], "extract={…}" if name in FIELD_OPTIONS else f"{name}=function"
        else:
            field = Fields.model_fields[name]
            yield name, field.description or "", str((field.examples or [""])[0])


def docstrings(kind: type) -> dict[str, str]:
    """Return the text that stands below each field of a class.

    Pydantic could read it as well, at each import: that costs every process 40 ms.
    """
    (definition,) = ast.parse(inspect.getsource(kind)).body
    return {
        field.target.id: text.value.value
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def cell(text: str | None) -> str:
    """Return ``text`` as a table's cell."""
    return " ".join((text or "").replace("``", "`").replace("|", "\\|").split())


def shown(default: Any) -> str:
    """Return a default, as its reader would write it."""
    if default is PydanticUndefined:
        return "**required**"
    if default is None or default in ((), "", {}):
        return "none"
    if isinstance(default, frozenset | tuple) and len(default) > 6:
        return f"{len(default)} of them"
    if isinstance(default, bool):
        return str(default).lower()
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page())
