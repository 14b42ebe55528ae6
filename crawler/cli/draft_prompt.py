"""Asks on the terminal, for `generate`, and shows what it found."""

from __future__ import annotations

from collections.abc import Callable

import click

from ..model import Json
from .terminal import echo

#: Characters of a value that are shown.
SHOWN_MAX = 50


class Prompt:
    """Asks on the terminal; or nothing, where the defaults answer."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks

    def until(
        self, question: str, default: str, problem: Callable[[str], str | None] = lambda _: None
    ) -> str:
        """Return an answer that has no ``problem``; Enter is the ``default``. Raises click.Abort if
        there is no answer.
        """
        if not self.asks:
            return default
        while True:
            shown = bool(default)
            answer = str(click.prompt(question, default, show_default=shown, err=True)).strip()
            if (what := problem(answer)) is None:
                return answer
            say(f"  {what}")


def short(text: str) -> str:
    """Return a text as it is shown: its beginning."""
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def shown(value: Json) -> str:
    """Return a value of a page as it is shown."""
    if isinstance(value, list):
        return short(f"{len(value)}: {', '.join(map(str, value))}")
    return short(str(value))


def say(text: str) -> None:
    """Print a line beside the answers."""
    echo(text, err=True)
