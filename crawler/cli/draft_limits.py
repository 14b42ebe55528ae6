"""The limits and filters of a crawl that `generate` asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..definition.crawl import Crawl
from ..drafts.draft import Draft
from ..errors import DefinitionError
from .draft_prompt import Prompt

#: Limits that are asked for, and what is asked.
LIMITS = {
    "depth_limit": "Links from the entry page at most (or none)",
    "page_limit": "Pages at most (or none)",
    "delay": "Seconds between two pages of a host",
}
FILTERS = {
    "allow": "Only URLs in which is found (a regular expression; Enter: all of the site)",
    "deny": "No URLs in which is found (a regular expression; Enter: none)",
}


def ask_limits(draft: Draft, prompt: Prompt, on_filter: Callable[[str], None]) -> None:
    """Ask for the limits and filters of ``draft`` that no option gives; call ``on_filter`` after
    each filter, with its name.
    """
    options = draft.options
    usual = {"depth_limit": None if draft.pager else 3, "page_limit": None, "delay": 0}
    for name, question in LIMITS.items():
        if name in options:
            continue
        default = "none" if usual[name] is None else str(usual[name])
        answer = prompt.until(question, default, partial_field(name))
        if answer != default or name == "depth_limit":
            options[name] = value_of(name, answer)
    if not prompt.asks:
        return
    for name in [one for one in FILTERS if one not in options]:
        while pattern := prompt.until(FILTERS[name], "", partial_field(name)):
            options[name] = [*options.get(name, ()), pattern]
            on_filter(name)


def partial_field(name: str) -> Callable[[str], str | None]:
    """Return what says why a text is no value of a crawl's field; None: it is, or is empty."""

    def problem(text: str) -> str | None:
        if not text:
            return None if name in FILTERS else "a number, or none"
        try:
            value = value_of(name, text)
            Crawl(name="a", url="https://a.example/", **{name: value}).validate()
        except ValueError:
            return f"{text!r} is no number"
        except DefinitionError as error:
            return str(error.faults[0])
        return None

    return problem


def value_of(name: str, text: str) -> Any:
    """Return the value that ``text`` is for the field ``name``. Raises ValueError."""
    if name in FILTERS:
        return [text]
    if text == "none":
        return None
    return float(text) if name == "delay" else int(text)
