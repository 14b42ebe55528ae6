"""The errors of a command as click shows them: two decorators, also for commands of your own.

``clear_errors`` turns any exception into a ``click.ClickException`` that reads well; a command of
this package has it by its group. ``with_fallback`` calls a command again with another value after
one named error, and says so.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from ..config import SettingsError
from ..errors import (
    CrawlerError,
    CrawlExists,
    DefinitionError,
    FrontierUnavailable,
    HookFailed,
    fall_back,
)
from ..hooks import note_of
from ..output.report import ExitStatus
from ..redaction import masked
from ..text.printable import printable
from ..version import __version__
from .terminal import echo

P = ParamSpec("P")
R = TypeVar("R")

#: The folder of this package's code, and the modules of it that each command runs in.
PACKAGE = Path(__file__).parents[1]
AROUND = (Path(__file__), Path(__file__).with_name("group.py"))
#: The modules that print.
PRINTS = (Path(__file__).with_name("terminal.py"), Path(str(click.utils.__file__)))
#: The reason why a server goes on whose usual port is taken.
ANY_PORT = "taking a free port instead; --port chooses one"
#: The folder for what unexpected errors leave, in the state folder.
FOLDER = "faults"


class Mistake(click.ClickException):
    """A mistake that the user can mend: one line (or one per fault), exit status 2."""

    exit_code = ExitStatus.MISTAKE


class HookMistake(click.ClickException):
    """An error of a crawl's own code, exit status 1: what, which hook and page, and the line."""

    exit_code = ExitStatus.CRAWL_FAILED


class OutputLost(click.ClickException):
    """Standard output takes no more: the disk is full, exit status 1."""

    exit_code = ExitStatus.CRAWL_FAILED


class Misuse(click.UsageError):
    """A command line that means nothing, exit status 2: one line, which names the help."""

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002, as click calls it
        """Print the line."""
        echo(f"Error: {self.format_message()}", err=True)


class Unexpected(click.ClickException):
    """An error that nobody expected, exit status 1: one line; the traceback is in a file."""

    exit_code = ExitStatus.CRAWL_FAILED


def clear_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let each exception of ``command`` end it as a ``click.ClickException`` that reads well.

    * One of this library: a line, with what is wrong and how to mend it (exit status 2).
    * One of a crawl's own hook: three lines, with the hook, its page and the line of code (1).
    * Any other is a programming error: a line, and a file that has the traceback (1).

    With ``-v`` before the command the traceback is shown as well. Those of click pass as they are.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # who read our output has enough of it; click ends the command
            raise
        except Exception as error:
            check_output(error)
            if is_verbose():
                echo(traceback.format_exc(), err=True)
            raise as_click_exception(error) from error

    return run


def with_fallback(
    error: type[Exception], parameter: str, value: Any, why: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that, after ``error``, calls the command once more, with ``value`` for its
    ``parameter``, and says so on standard error: the error, and ``why`` it goes on.

    A value that the user gave, on the command line or by a variable, is never replaced. Any other
    function may have it as well: there, a value that its caller gave is not replaced.
    """

    def say(first: Exception) -> None:
        echo(f"{first}; {why}", err=True)

    def may(kwargs: Mapping[str, Any]) -> bool:
        return not is_given(parameter, kwargs)

    return fall_back(error, parameter, value, say, may=may)


def one_line(error: click.UsageError) -> click.UsageError:
    """Return ``error`` as one line that names the help; the list of commands stays as it is."""
    if isinstance(error, Misuse | click.exceptions.NoArgsIsHelpError):
        return error
    text = " ".join(error.format_message().split()).removesuffix(".")
    where = error.ctx.command_path if error.ctx else "crawler"
    return Misuse(f"{text} (see {where} --help)", error.ctx)


def check_output(error: Exception) -> None:
    """End the command if ``error`` says that nobody takes its output any more.

    Raises:
        click.exceptions.Exit: the reader has gone, as `head` does: nothing is to be said.
        OutputLost: the disk is full, for instance.
    """
    frames = traceback.extract_tb(error.__traceback__) if isinstance(error, OSError) else ()
    if not frames or Path(frames[-1].filename) not in PRINTS:
        return
    for stream in (sys.stdout, sys.stderr):  # what is left in it would fail again at the end
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno()) if broken(stream) else None
    if isinstance(error, BrokenPipeError):
        raise click.exceptions.Exit(ExitStatus.CRAWL_FAILED) from None
    raise OutputLost(f"cannot write the output: {getattr(error, 'strerror', error)}") from None


def broken(stream: IO[str]) -> bool:
    """Whether ``stream`` takes what is left in it no more."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def is_verbose() -> bool:
    """Whether the group of the command that runs was called with ``-v``."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("verbose"))


def is_given(parameter: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether the user gave this parameter of the command that runs; outside of click: the
    caller.
    """
    context = click.get_current_context(silent=True)
    source = context and context.get_parameter_source(parameter)
    if source is None:
        return parameter in kwargs
    return source not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def as_click_exception(error: Exception) -> click.ClickException:
    """Return ``error`` as an exception that click shows well."""
    kind: type[click.ClickException]
    if note := note_of(error):
        kind, text = HookMistake, explain_hook(error, note)
    elif isinstance(error, CrawlerError | SettingsError):
        kind, text = Mistake, explain(error)
    else:
        kind, text = Unexpected, explain_unexpected(error)
    return kind(printable(masked(text), keep="\n"))


def explain_hook(error: Exception, note: str) -> str:
    """Return three lines on an error of a hook: its text, its hook and page, its line of code."""
    first = first_line(error)
    text = first if isinstance(error, HookFailed) else f"{type(error).__name__}: {first}"
    return "\n  ".join([text.removesuffix(": "), *note.splitlines()])


def explain(error: Exception) -> str:
    """Return the text of ``error``; the faults of a definition stand on a line each."""
    if isinstance(error, DefinitionError) and len(error.faults) > 1:
        name = f" {error.name!r}" if error.name else ""
        title = f"the crawl{name} has {len(error.faults)} faults"
        return "\n".join([title, *(f"  {fault}" for fault in error.faults)])
    if isinstance(error, CrawlExists):
        return f"{error} (crawler start --restart, --update or --reset)"
    if isinstance(error, FrontierUnavailable) and (mend := mend_of(error)):
        return f"{str(error).removesuffix('.')}; {mend}"
    return str(error)


def mend_of(error: FrontierUnavailable) -> str:
    """Return how a Redis is mended that does not answer; "" for any other trouble with it."""
    # only now: they take a while to import
    from ..config import settings as configuration
    from ..storage.errors import NO_ANSWER

    if not str(error).startswith(NO_ANSWER):
        return ""
    try:
        settings = configuration.load()
    except SettingsError:  # a command of somebody's own, which needs none
        return ""
    if not settings.redis_url:
        return "the private one has ended; the same command starts it again"
    context = click.get_current_context(silent=True)
    command = context and (context.invoked_subcommand or context.info_name)
    local = ", as --local does" if command == "start" else ""
    if configuration.is_given("redis_url"):
        return f"start it, correct CRAWLER_REDIS_URL, or unset it for a private one{local}"
    return "start it, or correct its address in the settings of the Django project"


def explain_unexpected(error: Exception) -> str:
    """Return a line on a programming error: what, where in the code, and how to report it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) not in AROUND
    ]
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    last = (ours or frames)[-1]
    place = f"{Path(last.filename).name}, line {last.lineno}"
    text = f"{type(error).__name__}: {first_line(error)}".removesuffix(": ")
    whose = "a fault of celery-crawler" if ours else "a fault of the command"
    path = write_traceback(error)
    kept = f"report it with {path}, which has the traceback" if path else "-v shows the traceback"
    return f"{whose}: {text} ({place}); {kept}"


def first_line(error: Exception) -> str:
    """Return the first line of the text of ``error``."""
    return str(error).strip().partition("\n")[0]


def write_traceback(error: Exception) -> Path | None:
    """Write what a report of ``error`` needs to a private file, and return its path; None: nothing
    can be written.
    """
    # only now: they take a while to import
    from ..config import settings as configuration
    from ..local.private_files import make_private, write_private

    words = " ".join(sys.argv)
    text = "".join(traceback.format_exception(error))
    lines = (
        f"celery-crawler {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"$ {words}",
        text,
    )
    try:
        folder = configuration.load().state_dir
    except SettingsError:
        folder = Path(tempfile.gettempdir()) / "crawler"
    folder = folder.absolute() / FOLDER
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{type(error).__name__}-{time.time_ns() % 10**6:06}"
    path = folder / f"{name}.txt"
    try:
        make_private(folder)
        write_private(path, masked(printable("\n".join(lines), keep="\n")).encode())
    except OSError:
        return None
    return path
