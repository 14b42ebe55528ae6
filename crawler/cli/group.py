"""The command group: it lists its commands without importing them, and shows errors as one line."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any

import click

from ..config import SettingsError
from ..errors import CrawlerError, CrawlExists, DefinitionError, HookFailed
from ..hooks import note_of
from ..output.report import ExitStatus
from ..redaction import masked
from ..text.printable import printable


def echo(text: str = "", *, err: bool = False, nl: bool = True, data: bool = False) -> None:
    """Print ``text``, which may hold what strangers wrote: its control characters as escapes, and
    ``***`` for credentials in URLs. ``data``: it is the result of a page, whose URLs stay.
    """
    shown = printable(text, keep="\n")
    click.echo(shown if data else masked(shown), err=err, nl=nl)


def print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error that nobody expected as Python does, but as harmless text: its message may
    be a stranger's.
    """
    echo("".join(traceback.format_exception(kind, error, trace)).rstrip(), err=True)


def leave_threads(end: SystemExit) -> None:
    """End the process here if threads that the crawl's own code began would keep it for ever."""
    own = threading.current_thread()
    left = [one for one in threading.enumerate() if one is not own and not one.daemon]
    if not left:
        return
    atexit._run_exitfuncs()  # what was to be closed at the end
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    status = end.code if isinstance(end.code, int) else int(end.code is not None)
    os._exit(status)


class TerminalOutput:
    """Standard output where somebody looks at it: what is written is shown by ``echo``."""

    def write(self, text: str) -> int:
        """Print ``text``."""
        echo(text.replace("\r\n", "\n"), nl=False, data=True)
        return len(text)


class Mistake(click.ClickException):
    """A mistake that the user can mend: one line (or one per fault), exit status 2."""

    exit_code = ExitStatus.MISTAKE


class HookMistake(click.ClickException):
    """An error of a crawl's own code, exit status 1."""

    exit_code = ExitStatus.CRAWL_FAILED


class LazyCommand(click.Command):
    """Stand-in for the command ``name`` of the module ``module`` in this package.

    It has the one-line help, ``summary``, which is all that a list of commands shows. The module is
    imported when the command runs or shows its own help.
    """

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.module = module

    def load(self) -> click.Command:
        """Import the command itself."""
        module = import_module(f".{self.module}", __package__)
        command: click.Command = getattr(module, str(self.name))
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return a context of the command itself: click runs the command that the context names."""
        return self.load().make_context(info_name, args, parent, **extra)


class Group(click.Group):
    """A group whose commands end in one line for each error that a user can mend.

    ``-v`` adds the cause. An error of a hook is three lines: what, which hook, and where in its
    author's code. Other programming errors pass unchanged: they should be seen.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line of this process."""
        sys.excepthook = print_traceback
        try:
            return super().main(*args, **kwargs)
        except SystemExit as end:
            leave_threads(end)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            echo("interrupted", err=True)
            sys.exit(ExitStatus.INTERRUPTED)
        except Exception as error:
            note = note_of(error)
            if not note and not isinstance(error, CrawlerError | SettingsError):
                raise
            if ctx.params.get("verbose"):
                echo(traceback.format_exc(), err=True)
            if note:
                raise HookMistake(
                    printable(masked(explain_hook(error, note)), keep="\n")
                ) from error
            raise Mistake(printable(masked(explain(error)), keep="\n")) from error


def explain_hook(error: Exception, note: str) -> str:
    """Return three lines on an error of a hook: its text, its hook and page, its line of code."""
    first = str(error).strip().partition("\n")[0]
    text = first if isinstance(error, HookFailed) else f"{type(error).__name__}: {first}"
    return "\n  ".join([text.removesuffix(": "), *note.splitlines()])


def explain(error: Exception) -> str:
    """Return the text of ``error``; the faults of a definition stand on a line each."""
    if isinstance(error, DefinitionError) and len(error.faults) > 1:
        title = f"the crawl {error.name!r} has {len(error.faults)} faults"
        return "\n".join([title, *(f"  {fault}" for fault in error.faults)])
    if isinstance(error, CrawlExists):
        return f"{error} (crawler start --restart, --update or --reset)"
    return str(error)
