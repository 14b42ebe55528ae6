"""Standard output and standard error, on which no stranger's text does harm."""

from __future__ import annotations

import sys

import click

from ..redaction import masked
from ..text.printable import printable


def echo(text: str = "", *, err: bool = False, nl: bool = True, data: bool = False) -> None:
    """Print ``text``, which may hold what strangers wrote: its control characters as escapes, and
    ``***`` for credentials in URLs. ``data``: it is the result of a page, whose URLs stay.
    """
    shown = printable(text, keep="\n")
    click.echo(shown if data else masked(shown), err=err, nl=nl)


def print_document(text: str) -> None:
    """Print a whole document: as it is to a file, without control characters to a terminal."""
    if sys.stdout.isatty():
        TerminalOutput().write(text + "\n")
    else:
        click.echo(text)


class TerminalOutput:
    """Standard output where somebody looks at it: what is written is shown by ``echo``."""

    def write(self, text: str) -> int:
        """Print ``text``."""
        echo(text.replace("\r\n", "\n"), nl=False, data=True)
        return len(text)
