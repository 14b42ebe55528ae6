"""What a command line of ``start`` asks for: one order for each crawl, with files of its own."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..client.start_report import IfExists
from ..config.settings import Settings
from ..definition.crawl import Crawl
from ..definition.crawl_plan import policy_of
from ..definition.limits import LIMITS
from ..definition.loading import load
from ..frontier.frontier import Frontier
from ..model import Policy
from .click_errors import Mistake
from .limit_changes import parse_limits
from .start_files import FAILED, PAGE, PAGES, REPORT, items_in

#: What stands for the name of a crawl in the name of a file or folder.
NAME = "{name}"


@dataclass(frozen=True)
class Asked:
    """The words of the command line, as they were given."""

    crawls: tuple[str, ...]
    results: tuple[Path, ...]
    output: Path | None
    formats: tuple[str, ...]
    changes: tuple[str, ...]
    concurrency: int | None
    local: bool

    @property
    def folder(self) -> Path | None:
        """The folder of ``output`` that all crawls share."""
        folder = self.output
        while folder and NAME in str(folder):
            folder = folder.parent
        return folder


@dataclass(frozen=True)
class Order:
    """A crawl and what to do with it, as the command line asks."""

    crawl: Crawl
    reference: str
    results: tuple[Path, ...]
    output: Path | None
    if_exists: IfExists | None
    limits: Mapping[str, Any]
    asked: Asked

    @property
    def policy(self) -> Policy:
        """The limits of the crawl, with those that the command line sets."""
        return replace(policy_of(self.crawl), **self.limits)

    def resets(self, frontier: Frontier) -> bool:
        """Whether the crawl begins again: its files, too."""
        if self.if_exists in (IfExists.RESTART, IfExists.RECRAWL):
            return frontier.digest() is not None and frontier.snapshot().status.ended
        return self.if_exists is IfExists.RESET

    @property
    def files(self) -> tuple[Path, ...]:
        """The files for items; without a request for any, one with the name of the crawl."""
        return (*self.in_folder, *self.alone)

    @property
    def in_folder(self) -> tuple[Path, ...]:
        """Those in the folder of ``output``."""
        return tuple(items_in(self.output, self.asked.formats)) if self.output else ()

    @property
    def alone(self) -> tuple[Path, ...]:
        """Those that are named one by one.

        Raises:
            Mistake: one has the name of another file of the folder.
        """
        folder = self.output.absolute() if self.output else None
        names = {path.absolute() for path in self.in_folder}
        given = {path.absolute(): path for path in self.results if path.absolute() not in names}
        for path in given:
            if path.parent == folder and path.name in (PAGES, FAILED, REPORT, PAGE):
                raise Mistake(f"{path.name} is a file of --output: name another one for items")
        return tuple(given.values()) or (() if folder else (Path(f"{self.crawl.name}.jsonl"),))

    @property
    def files_dir(self) -> Path | None:
        """The folder for files that pages leave, in a folder for each crawl; None: the usual
        one.
        """
        return self.shared and self.shared.absolute() / "files"

    @property
    def errors(self) -> Path | None:
        """The folder for error snapshots, in a folder for each crawl; None: none are kept."""
        return self.shared and self.shared.absolute() / "errors"

    @property
    def shared(self) -> Path | None:
        """The folder that workers write to, the same for all crawls of the command."""
        return self.output if len(set(self.asked.crawls)) == 1 else self.asked.folder


def order_of(reference: str, asked: Asked, if_exists: IfExists | None, settings: Settings) -> Order:
    """Return the order for one of the crawls that are ``asked`` for, validated.

    Raises:
        Mistake: a field of its code would have to change.
    """
    definition, limits = load_with_limits(reference, asked.changes, settings.crawls)
    definition.validate()
    name = definition.name
    several = len(set(asked.crawls)) > 1
    results = tuple(Path(str(path).replace(NAME, name)) for path in asked.results)
    output = asked.output
    if output and NAME in str(output):
        output = Path(str(output).replace(NAME, name))
    elif output and several:
        output = output / name
    return Order(definition, reference, results, output, if_exists, limits, asked)


def load_with_limits(
    reference: str, changes: tuple[str, ...], crawls: Iterable[str]
) -> tuple[Crawl, Mapping[str, Any]]:
    """Return the crawl that ``reference`` means, with its ``changes``. Of one with code, which
    workers load by themselves, they can be limits only; those are returned for the frontier.

    Raises:
        Mistake: another field of a crawl with code would have to change.
        SetupError, DefinitionError: as for :func:`~crawler.definition.loading.load`.
    """
    crawl = load(reference, (), crawls)
    if not crawl.has_code or not changes:
        return (load(reference, changes, crawls) if changes else crawl), {}
    names = [change.partition("=")[0].strip() for change in changes]
    if others := [name for name in names if name not in LIMITS]:
        raise Mistake(
            f"{reference} has code, which workers load by themselves: change {', '.join(others)}"
            f" there. Limits can be set here: {', '.join(LIMITS)}"
        )
    return crawl, parse_limits(changes)


def check_files(orders: Sequence[Order]) -> None:
    """Check that each crawl has a name and files of its own.

    Raises:
        Mistake: two have not.
    """
    names: dict[str, str] = {}
    owners: dict[Path, str] = {}
    for order in orders:
        name = order.crawl.name
        if name in names:
            raise Mistake(f"{names[name]} and {order.reference} are both the crawl {name!r}")
        names[name] = order.reference
        for path in (*order.files, *((order.output,) if order.output else ())):
            if other := owners.get(path.absolute()):
                raise Mistake(
                    f"{other} and {name} would both write {path}: -o '{{name}}.jsonl' gives each a"
                    " file of its own, --output DIR a folder"
                )
            owners[path.absolute()] = name


def command(order: Order) -> str:
    """Return the command line that goes on with the crawl, and with those it was started with."""
    asked = order.asked
    words = ["crawler", "start", *asked.crawls]
    for path in asked.results:
        words += ["-o", str(path)]
    if asked.output:
        words += ["--output", str(asked.output)]
    for kind in asked.formats:
        words += ["--format", kind]
    if asked.concurrency:
        words += ["-c", str(asked.concurrency)]
    if asked.local:
        words.append("--local")
    for change in asked.changes:
        words += ["--set", change]
    return shlex.join(words)
