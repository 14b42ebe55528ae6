"""Options of commands for the fields of a crawl, made from the fields themselves."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import click

from ..definition.fields import Fields

F = TypeVar("F", bound=Callable[..., Any])

#: The fields that people reach for, by the group in which `--help` shows them.
LIMITS = ("depth_limit", "page_limit", "item_limit", "time_limit", "idle_limit", "error_limit")
PACE = ("concurrency_limit", "delay", "host_concurrency", "attempts", "robots")
PAGES = ("allow", "deny", "scope", "restrict_css", "sitemaps", "seeds", "revisit", "only_changes")
LOADING = (
    *("fetch", "conditional", "wait_for", "wait_for_response", "wait_until", "wait_timeout"),
    "page_load_timeout",
    *("scroll", "images", "block", "user_agent", "language", "mobile", "proxy", "frames"),
)
KEPT = ("screenshot", "pdf", "keep_html", "keep_links", "log_level")
GROUPS: Mapping[str, Sequence[str]] = {
    "When it ends": LIMITS,
    "How fast it is": PACE,
    "Which pages it takes": PAGES,
    "How it loads a page": LOADING,
    "What it keeps": KEPT,
}
#: What `--set` does in commands that take crawls without code.
ANY_FIELD = "Another value for any field, as in TOML, for a crawl without code."


class FieldOption(click.Option):
    """The option for one field, shown in the ``group`` of `--help`."""

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


class FieldCommand(click.Command):
    """A command whose `--help` has the options for fields in groups, after its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section for each group."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for option in self.get_params(ctx):
            if isinstance(option, click.Argument):  # the usage names it
                continue
            if record := option.get_help_record(ctx):
                sections.setdefault(getattr(option, "group", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def set_option(text: str = ANY_FIELD) -> Callable[[F], F]:
    """Return the decorator for the option `--set`, whose values reach the command as ``changes``;
    ``text`` is its help.
    """
    return click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help=text)


def field_options(*names: str) -> Callable[[F], F]:
    """Return a decorator that gives a command the options for the fields ``names``, none: all of
    ``GROUPS``. Their values reach it as keywords; see ``changes_of``.
    """

    def decorate(command: F) -> F:
        for group, fields in reversed(list(GROUPS.items())):
            for name in reversed(fields):
                if not names or name in names:
                    words, option = option_of(name)
                    command = click.option(*words, cls=FieldOption, group=group, **option)(command)
        return command

    return decorate


def option_of(name: str) -> tuple[list[str], dict[str, Any]]:
    """Return the words and the arguments of the option for the field ``name``."""
    field, flag = Fields.model_fields[name], name.replace("_", "-")
    kinds = list(kinds_of(field.annotation))
    option: dict[str, Any] = {
        "default": None,
        "help": f"{field.description}{default_in_words(field.default)}",
    }
    if kinds == [bool]:
        return [f"--{flag}/--no-{flag}", name], option
    if choices := [kind for kind in kinds if isinstance(kind, str)]:
        return [f"--{flag}", name], option | {"type": click.Choice(choices)}
    if tuple in kinds:
        option["help"] += " May be repeated."
    metavar = "TEXT" if str in kinds else "SECONDS" if float in kinds else "N"
    return [f"--{flag}", name], option | {"multiple": tuple in kinds, "metavar": metavar}


def default_in_words(default: object) -> str:
    """Return what the help says of the default of a field; nothing of one that is empty."""
    if default is None or default == () or isinstance(default, bool):
        return ""
    shown = f"{default:g}" if isinstance(default, float) else default
    return f" [default: {shown}]"


def kinds_of(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value of ``annotation`` may have: ``tuple`` and the types in it for a
    list, and the texts of a ``Literal`` themselves.
    """
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from kinds_of(inside[0])
    elif origin in (Union, types.UnionType):
        for one in inside:
            yield from kinds_of(one)
    elif origin is tuple:
        yield tuple
        yield from kinds_of(inside[0])
    elif origin is Literal:
        yield from inside
    elif isinstance(annotation, type) and annotation is not types.NoneType:
        yield annotation


def changes_of(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the options for fields say as changes (``field=value``, as ``--set`` has them);
    nothing for those that were not given.
    """
    given = {name: value for name, value in values.items() if value not in (None, ())}
    return tuple(f"{name}={toml_of(name, value)}" for name, value in given.items())


def toml_of(name: str, value: Any) -> str:
    """Return the value of an option as TOML writes it; a number as it was typed."""
    is_text = str in kinds_of(Fields.model_fields[name].annotation)
    quoted = isinstance(value, bool | tuple) or is_text
    return json.dumps(value, ensure_ascii=False) if quoted else str(value)
