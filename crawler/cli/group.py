"""The command group: it lists its commands without importing them, and shows errors as one line."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any

import click

from ..config.environment import may_name_redis
from ..local import prepared_worker
from ..output.report import ExitStatus
from .click_errors import check_output, clear_errors, one_line
from .terminal import echo

#: The commands that may start a worker of their own; words of which one asks for help only, and one
#: that asks for such a worker.
WITH_WORKERS = ("start",)
HELP, LOCAL = frozenset(("-h", "--help")), "--local"


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


def end_output(error: OSError) -> None:
    """End the process if ``error`` says that nobody takes its output any more."""
    try:
        check_output(error)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as lost:
        lost.show()
        sys.exit(lost.exit_code)


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
        # what modules leave is no garbage: to look for some takes a sixth of the time; nor later
        collects = gc.isenabled()
        gc.disable()
        try:
            module = import_module(f".{self.module}", __package__)
            gc.freeze()
        finally:
            if collects:
                gc.enable()
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
        if (
            self.name in WITH_WORKERS
            and HELP.isdisjoint(args)
            and (LOCAL in args or not may_name_redis())
        ):
            prepared_worker.prepare()
        return self.load().make_context(info_name, args, parent, **extra)


class Group(click.Group):
    """A group whose commands show each error as ``clear_errors`` says; a Ctrl-C that a command
    leaves to it ends the process with status 130.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line of this process."""
        sys.excepthook = print_traceback
        atexit.register(gc.freeze)  # Python would look at all that modules left, before it ends
        try:
            return super().main(*args, **kwargs)
        except SystemExit as end:
            prepared_worker.discard()
            leave_threads(end)
            raise
        except OSError as error:  # of help that nobody takes, before a command runs
            end_output(error)
            raise
        finally:
            prepared_worker.discard()

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of a command line; what is wrong with one is said in a line."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise one_line(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return clear_errors(super().invoke)(ctx)
        except click.UsageError as error:
            raise one_line(error) from error
        except KeyboardInterrupt:
            echo("interrupted", err=True)
            sys.exit(ExitStatus.INTERRUPTED)
