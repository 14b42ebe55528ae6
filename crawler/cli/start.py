"""``start``: a whole crawl. With a configured Redis it starts and watches the crawl; without, it
also starts all services, and ends them.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..browser.chrome.local import sweep
from ..client.client import Client
from ..client.crawl_handle import CrawlHandle
from ..client.standstill import Reason, Standstill
from ..client.start_report import STILL_RUNS, IfExists, StartOutcome, StartReport
from ..config import settings as configuration
from ..config.settings import Settings
from ..definition.bounds import entry_pages
from ..definition.crawl import Crawl
from ..definition.crawl_plan import policy_of
from ..definition.digest import digest_of
from ..definition.loading import load, load_each, module_path
from ..errors import CrawlExists, FrontierUnavailable
from ..frontier.frontier import Frontier
from ..frontier.server_checks import check_server
from ..local.embedded import Embedded, PrivateWorkers
from ..local.private_files import crawl_folder
from ..local.processes import user_of
from ..model import Snapshot
from ..output import report
from ..output.export import FORMATS
from ..output.report import ExitStatus
from .chrome_check import ChromeCheck
from .click_errors import Mistake
from .field_options import FieldCommand, changes_of, field_options
from .interrupts import Interrupts, count_interrupts
from .live.controls import Controls
from .live.crawl_state import CrawlWatch
from .live.view import LiveView
from .parameters import CRAWL_REFERENCE
from .start_files import FAILED, PAGES, REPORT, StartFiles, check_state, items_in
from .terminal import echo

#: Seconds between two looks at the crawl; and until its first page is done, for so many seconds.
LOOK_INTERVAL, FIRST_INTERVAL, FIRST_LOOKS = 0.25, 0.05, 15.0
#: What a crawl with workers of our own waits for until they are up.
WORKERS_START = (Reason.NO_WORKER, Reason.UNKNOWN_CRAWL, Reason.NOT_TAKEN)
#: Seconds for which a Redis that runs elsewhere may be away, as during a fail-over.
REDIS_PATIENCE = 60.0


@click.command(cls=FieldCommand)
@click.argument("crawl", metavar="CRAWL", type=CRAWL_REFERENCE)
@click.option(
    "-o",
    "--file",
    "results",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=(
        "The items, one row each: JSON lines, written as they come; a table, written at the end, if"
        " the name ends in .csv, .parquet or .sqlite. May be repeated. [default: NAME.jsonl]"
    ),
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help=(
        "A folder for items.jsonl, pages.jsonl, failed.jsonl, report.json, errors/ with what Chrome"
        " showed at each kind of failure, and files/ with what pages leave."
    ),
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    help="The format of items in the folder of --output. May be repeated. [default: jsonl]",
)
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1, 64),
    help="Browsers at once, without a configured Redis. [default: the crawl's limit]",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another value for any field, as in TOML, for a crawl without code.",
)
@click.option(
    "--reset",
    is_flag=True,
    help=(
        "Begin again: forget what an earlier crawl of this name knows, and overwrite its files;"
        " those of a crawl that has not ended are kept as FILE.old."
    ),
)
@click.option("--restart", is_flag=True, help="As --reset, but only if it has ended.")
@click.option(
    "--recrawl",
    is_flag=True,
    help=(
        "If it has ended: visit all its pages again, and say of each whether it is new, changed or"
        " the same, and which vanished; its files are overwritten. Refused while it goes on."
    ),
)
@click.option(
    "--update",
    is_flag=True,
    help=(
        "Go on with a definition that has changed, also if it starts elsewhere. (One that starts at"
        " the same host needs no --update.)"
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print the end report as JSON.")
@field_options()
def start(
    crawl: str,
    results: tuple[Path, ...],
    output: Path | None,
    formats: tuple[str, ...],
    concurrency: int | None,
    changes: tuple[str, ...],
    reset: bool,
    restart: bool,
    recrawl: bool,
    update: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Crawl all of CRAWL, and end when nothing is left. Started again, it goes on where it was
    interrupted; a crawl that has ended is not crawled again, but its files are completed.

    Options that are named like fields set them, for a crawl without code.
    """
    settings = configuration.load()
    changes += changes_of(fields)
    definition = load(crawl, changes, settings.crawls)
    definition.validate()
    if Path("-") in results:
        raise Mistake(
            "start continues a file after an interruption, so -o - has no meaning; for a pipe:"
            f" crawler export {definition.name} | ..."
        )
    if formats and not output:
        raise Mistake("--format is for --output; the name of a file says its format: -o items.csv")
    if reset + restart + recrawl + update > 1:
        raise Mistake("of --reset, --restart, --recrawl and --update, name one")
    words = {
        IfExists.RESET: reset,
        IfExists.RESTART: restart,
        IfExists.RECRAWL: recrawl,
        IfExists.UPDATE: update,
    }
    if_exists = next((word for word, given in words.items() if given), None)
    order = Order(definition, crawl, results, output, formats, changes, concurrency, if_exists)
    if not settings.redis_url:
        snapshot, complete = crawl_embedded(order, Embedded(settings))
    elif concurrency:
        raise Mistake(
            "--concurrency is for a crawl with its own workers; CRAWLER_REDIS_URL is set, so"
            " the workers' own counts hold"
        )
    else:
        snapshot, complete = watch_shared(order, Client(settings))
    if as_json:
        echo(json.dumps(report.report(snapshot)))
    else:
        echo("\n".join(report.lines(snapshot)))
        echo(f"  results  {', '.join(map(str, order.files))}")
        errors = order.output and crawl_folder(order.output / "errors", definition.name)
        if errors and errors.is_dir():
            echo(f"  errors   {errors} (what Chrome showed)")
        usual = settings.files_dir or order.files_dir or settings.state_dir / "files"
        if not settings.redis_url and (kept := crawl_folder(usual, definition.name)).is_dir():
            echo(f"  files    {kept}")
    if not complete or not report.succeeded(snapshot):
        sys.exit(ExitStatus.CRAWL_FAILED)


@dataclass(frozen=True)
class Order:
    """A crawl and what to do with it, as the command line asks."""

    crawl: Crawl
    reference: str
    results: tuple[Path, ...]
    output: Path | None
    formats: tuple[str, ...]
    changes: tuple[str, ...]
    concurrency: int | None
    if_exists: IfExists | None

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
        return tuple(items_in(self.output, self.formats)) if self.output else ()

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
            if path.parent == folder and path.name in (PAGES, FAILED, REPORT):
                raise Mistake(f"{path.name} is a file of --output: name another one for items")
        return tuple(given.values()) or (() if folder else (Path(f"{self.crawl.name}.jsonl"),))

    @property
    def files_dir(self) -> Path | None:
        """The folder for files that pages leave; None: the usual one."""
        return self.output and self.output.absolute() / "files"

    @property
    def errors(self) -> Path | None:
        """The folder for error snapshots; None: none are kept."""
        return self.output and self.output.absolute() / "errors"


def crawl_embedded(order: Order, embedded: Embedded) -> tuple[Snapshot, bool]:
    """Crawl with services of our own, and end all of them, however the crawl ends. Return the last
    snapshot, and whether all files are complete.
    """
    count = order.concurrency or order.crawl.concurrency_limit
    check_state(embedded.settings.state_dir)
    with ExitStack() as ending:
        # last: any Chrome that is left, also that of a worker that was killed
        ending.callback(sweep, embedded.folder)
        ending.enter_context(embedded)
        settings = worker_settings(order, embedded.settings)
        client = Client(settings)
        files = ending.enter_context(open_files(order, client))
        start = begin(order, client, files, alone=True)
        handle = start.handle
        if handle.snapshot().over:
            return complete_files(order, handle, files)
        workers = PrivateWorkers(settings, count, log=embedded.folder / "worker.log")
        ending.callback(workers.kill)
        workers.start()
        chrome = ChromeCheck(order.crawl, client)

        def attend(seen: Snapshot) -> None:
            workers.restart_if_dead()
            chrome.look(seen)

        say_start(order, start, f"{count} browsers")
        seen = CrawlWatch(client, handle.name, partial(private_standstill, client, handle.name))
        with count_interrupts() as interrupts, LiveView({handle.name: seen}) as view:
            controls = Controls([handle], interrupts, "finish pages in flight, and end")
            controls.attach(view)
            snapshot = watch(handle, files.follow, view, interrupts, each=attend)
            if interrupts.count:
                pages = f"{snapshot.processing} pages in flight"
                say(f"draining: {pages} (Ctrl-C again to end at once)")
                drain(workers, interrupts, lambda: view.show([handle.snapshot()]))
                workers.kill()
                controls.release()
                snapshot = handle.snapshot()
                files.finish(handle, snapshot)
                leave(how_to_go_on(order, snapshot))
        complete = files.finish(handle, snapshot)
        drain(workers, interrupts)
        return snapshot, complete


@contextmanager
def open_files(order: Order, client: Client) -> Iterator[StartFiles]:
    """Open the files of ``order``, before anything is started, and close them at the end.

    Raises:
        SetupError: one cannot be written, or holds something else.
    """
    files = StartFiles(
        order.crawl,
        client.frontier(order.crawl.name),
        order.alone,
        order.output,
        client.settings.state_dir,
        formats=order.formats,
        command=command(order),
        say=say,
    )
    try:
        files.claim(reset=order.resets(client.frontier(order.crawl.name)))
        yield files
    finally:
        files.close()


def begin(order: Order, client: Client, files: StartFiles, *, alone: bool = False) -> StartReport:
    """Start the crawl; return what became of it. One that has ended is left as it is: its files
    alone are completed.

    Raises:
        CrawlExists: another definition of it is in the frontier.
    """
    frontier = client.frontier(order.crawl.name)
    ended = frontier.digest() is not None and frontier.snapshot().status.ended
    recrawls = order.if_exists is IfExists.RECRAWL
    if recrawls and frontier.digest() is not None and not frontier.snapshot().over:
        raise CrawlExists(order.crawl.name, STILL_RUNS)
    if order.resets(frontier):
        files.set_aside()
    start = client.start(order.crawl, if_exists=order.if_exists, alone=alone, progress=say)
    if recrawls or frontier.digest() != digest_of(order.crawl):
        start.raise_if_refused()
    start.note(user_of("crawler start"))
    files.begin(forget=ended)
    return start


def complete_files(order: Order, handle: CrawlHandle, files: StartFiles) -> tuple[Snapshot, bool]:
    """Complete the files of a crawl that has ended."""
    snapshot = handle.snapshot()
    say(
        f"{handle.name} has {snapshot.status}: it is not crawled again, only its files are"
        f" completed; to crawl again: {command(order)} --reset"
    )
    return snapshot, files.finish(handle, snapshot)


def worker_settings(order: Order, settings: Settings) -> Settings:
    """Return the settings for workers of our own: with the crawl's code and its error snapshots."""
    crawls: tuple[str, ...] = ()
    if order.crawl.has_code:
        by_name = order.reference == order.crawl.name in load_each(settings.crawls)[0]
        crawls = settings.crawls if by_name else (module_path(order.reference),)
    return settings.model_copy(
        update={
            "crawls": crawls,
            "errors_dir": order.errors or settings.errors_dir,
            "files_dir": settings.files_dir or order.files_dir,
        }
    )


def private_standstill(client: Client, name: str) -> Standstill | None:
    """Return why a crawl with workers of our own stands still. They may still be starting: that is
    no news.
    """
    found = client.standstill(name)
    return None if found and found.reason in WORKERS_START else found


def drain(
    workers: PrivateWorkers, interrupts: Interrupts, look: Callable[[], object] = lambda: None
) -> None:
    """Let the workers finish the pages in flight, until a second interrupt. ``look`` is called now
    and then.
    """
    workers.drain()
    # a set event, from the first interrupt, would make each wait below return at once
    interrupts.event.clear()
    while workers.alive and interrupts.count < 2:
        interrupts.event.wait(LOOK_INTERVAL)
        with suppress(FrontierUnavailable):
            look()


def how_to_go_on(order: Order, snapshot: Snapshot) -> str:
    """Return how far an interrupted crawl is, and the command that goes on."""
    return (
        f"{snapshot.done} pages done, {report.waiting(snapshot)} to come. Go on with:"
        f" {command(order)}"
    )


def watch_shared(order: Order, client: Client) -> tuple[Snapshot, bool]:
    """Start the crawl on workers that run elsewhere, and follow it. An interrupt ends the command,
    not the crawl. Return the last snapshot, and whether all files are complete.
    """
    for warning in check_server(client.redis):
        say(f"warning: {warning}")
    with open_files(order, client) as files:
        start = begin(order, client, files)
        handle = start.handle
        if handle.snapshot().over:
            return complete_files(order, handle, files)
        say_start(order, start, able_workers(order.crawl, client))
        why = partial(client.standstill, handle.name, ask=True)
        seen = CrawlWatch(client, handle.name, why)
        with count_interrupts() as interrupts, LiveView({handle.name: seen}) as view:
            Controls([handle], interrupts, "leave (the crawl goes on)").attach(view)
            snapshot = watch(handle, files.follow, view, interrupts, patience=REDIS_PATIENCE)
            complete = files.finish(handle, snapshot)
            if interrupts.count:
                leave(
                    f"the crawl goes on; watch it again with: {command(order)}; end it with:"
                    f" crawler stop {shlex.quote(handle.name)}"
                )
        return snapshot, complete


def able_workers(crawl: Crawl, client: Client) -> str:
    """Return in a few words which workers can run ``crawl``; warn if there are none."""
    workers = client.workers_of(crawl)
    if not workers.alive:
        say("warning: no worker is alive; the crawl waits for one (crawler worker)")
    elif not workers.current:
        reason = (
            "knows another version of it: deploy and restart the workers"
            if workers.able
            else "knows it: set their CRAWLER_CRAWLS"
        )
        say(f"warning: no live worker {reason} (crawl {crawl.name!r})")
    if len(workers.current) == len(workers.alive):
        return f"{len(workers.alive)} workers"
    return f"{len(workers.current)} of {len(workers.alive)} workers"


def watch(
    handle: CrawlHandle,
    follow: Callable[[], object],
    view: LiveView,
    interrupts: Interrupts,
    each: Callable[[Snapshot], None] = lambda _: None,
    patience: float = 0.0,
) -> Snapshot:
    """Watch the crawl until it ends or an interrupt comes; return its last snapshot.

    ``follow`` brings the result files up to date. ``each`` is called at each look, with
    what is seen. ``patience`` is for how many seconds Redis may be away.
    """
    began = seen = time.monotonic()
    away = False
    while True:
        try:
            snapshot = handle.snapshot()
            follow()
            view.show([snapshot])
        except FrontierUnavailable as error:
            if interrupts.count or time.monotonic() - seen > patience:
                raise
            if not away:
                say(f"warning: {error}; trying again for {patience:g} s")
            away = True
            view.press()
            view.draw()
            interrupts.event.wait(LOOK_INTERVAL)
            continue
        seen, away = time.monotonic(), False
        if snapshot.over:
            return snapshot
        each(snapshot)
        is_first = not snapshot.done + snapshot.failed and seen - began < FIRST_LOOKS
        if interrupts.event.wait(FIRST_INTERVAL if is_first else LOOK_INTERVAL):
            return snapshot


def say_start(order: Order, start: StartReport, workers: str) -> None:
    """Print the crawl that begins now, its limits (or that it has none), and its workers."""
    policy = policy_of(order.crawl)
    depth, pages = policy.depth_limit, policy.page_limit
    parts = [
        ", ".join(page.url for page in entry_pages(order.crawl)[:3]),
        f"{'any depth' if depth is None else f'depth ≤ {depth}'},"
        f" {'no page limit' if pages is None else f'at most {pages:,} pages'}",
        workers,
    ]
    say(f"{'crawling' if start.new else 'going on with'} {order.crawl.name}: {'; '.join(parts)}")
    if start.outcome is StartOutcome.UPDATED:
        say("its definition has changed, and is taken over (to begin again: --reset)")
    if start.reason:
        say(start.reason)


def command(order: Order) -> str:
    """Return the command line that goes on with the crawl."""
    words = ["crawler", "start", order.reference]
    for path in order.results:
        words += ["-o", str(path)]
    if order.output:
        words += ["--output", str(order.output)]
    for kind in order.formats:
        words += ["--format", kind]
    if order.concurrency:
        words += ["-c", str(order.concurrency)]
    for change in order.changes:
        words += ["--set", change]
    return shlex.join(words)


def say(text: str) -> None:
    """Print ``text`` on standard error."""
    echo(text, err=True)


def leave(text: str) -> None:
    """Print how to go on, and end as an interrupted command does."""
    say(text)
    sys.exit(ExitStatus.INTERRUPTED)
