"""``start``: a whole crawl. With a configured Redis it triggers and watches; without, it brings all
services and ends them.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click

from ..browser.chrome.local import sweep
from ..browser.pool import Chrome
from ..client.client import Client, CrawlHandle
from ..config.settings import Settings
from ..definition.bounds import entry_pages
from ..definition.browser_profile import profile_of
from ..definition.crawl import Crawl
from ..definition.crawl_plan import policy_of
from ..definition.digest import digest_of
from ..definition.loading import load, module_path
from ..frontier.frontier import Frontier
from ..frontier.server_checks import check_server
from ..local.embedded import Embedded, PrivateWorkers
from ..model import Snapshot
from ..output import report
from ..output.results import JsonLines, write_lines
from ..services import endpoint
from .common import CRAWL_FAILED, INTERRUPTED, Mistake, settings
from .progress import Progress

#: Seconds between two looks at the crawl.
LOOK_INTERVAL = 0.25
#: Failed pages read at once when the end report is written.
FAILED_PAGE = 500


@click.command()
@click.argument("crawl", metavar="CRAWL")
@click.option(
    "-o",
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="One JSON object per page. [default: NAME.jsonl]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help=(
        "A folder for items.jsonl, failed.jsonl, report.json, and errors/ with what Chrome showed"
        " at each kind of failure."
    ),
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
    help="Another value for a field, for a crawl without code.",
)
@click.option(
    "--reset",
    is_flag=True,
    help="Begin anew: forget what an earlier crawl of this name knows, and overwrite its files.",
)
@click.option("--update", is_flag=True, help="Go on with a definition that has changed since.")
@click.option("--json", "as_json", is_flag=True, help="Print the end report as JSON.")
def start(
    crawl: str,
    file: Path | None,
    output: Path | None,
    concurrency: int | None,
    changes: tuple[str, ...],
    reset: bool,
    update: bool,
    as_json: bool,
) -> None:
    """Crawl all of CRAWL, and end when nothing is left. Started again, it goes on where it was
    interrupted.
    """
    definition = load(crawl, changes)
    definition.validate()
    given = settings()
    order = Order(definition, crawl, file, output, reset, update)
    if given.redis_url:
        if concurrency:
            raise Mistake(
                "--concurrency is for a crawl with its own workers; CRAWLER_REDIS_URL is set, so"
                " the workers' own counts hold"
            )
        seen = watch_shared(order, Client(given))
    else:
        seen = crawl_embedded(order, Embedded(given), concurrency)
    if as_json:
        click.echo(json.dumps(report.report(seen)))
    else:
        click.echo("\n".join(report.lines(seen)))
        click.echo(f"  results  {', '.join(map(str, order.files))}")
        if order.output and (kept := order.output / "errors" / definition.name).is_dir():
            click.echo(f"  errors   {kept} (what Chrome showed)")
    if not report.succeeded(seen):
        sys.exit(CRAWL_FAILED)


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    crawl: Crawl
    reference: str
    file: Path | None
    output: Path | None
    reset: bool
    update: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """Where the results go."""
        return tuple(
            path for path in (self.file, self.output and self.output / "items.jsonl") if path
        ) or (Path(f"{self.crawl.name}.jsonl"),)

    @property
    def errors(self) -> Path | None:
        """Where error snapshots go."""
        return self.output and self.output.absolute() / "errors"


def crawl_embedded(order: Order, embedded: Embedded, concurrency: int | None) -> Snapshot:
    """Crawl with services of our own, and leave none of them behind, however it ends."""
    count = concurrency or order.crawl.concurrency_limit
    code = module_path(order.reference) if order.crawl.has_code else None
    with ExitStack() as ending:
        # last: whatever Chrome is left, also that of a worker that was killed
        ending.callback(sweep, embedded.folder)
        ending.enter_context(embedded)
        kept = order.errors or embedded.settings.errors_dir
        given = embedded.settings.model_copy(
            update={"crawls": (code,) if code else (), "errors_dir": kept}
        )
        handle, new = Client(given).start(
            order.crawl, reset=order.reset, update=order.update, alone=True, tell=say
        )
        with files(order, handle, given.state_dir) as follow:
            workers = PrivateWorkers(given, count, log=embedded.folder / "worker.log")
            ending.callback(workers.kill)
            workers.start()
            probe(order.crawl, given)
            say_start(order, handle, new, f"{count} browsers")
            with interrupts() as asked, Progress() as progress:
                seen = look(handle, follow, progress, asked, each=workers.keep)
                if asked.times:
                    click.echo(
                        f"draining: {seen.processing} pages in flight (Ctrl-C again to end at"
                        " once)",
                        err=True,
                    )
                    drain(workers, asked)
                    workers.kill()
                    follow()
                    seen = handle.snapshot()
                    leave(
                        f"{seen.done} pages done, {report.waiting(seen)} to come. Go on with:"
                        f" {command(order)}"
                    )
            drain(workers, asked)
        return seen


def drain(workers: PrivateWorkers, asked: Asked) -> None:
    """Let the workers finish the pages in flight, until somebody asks a second time."""
    workers.drain()
    # or the first time that somebody asked would make each wait below return at once
    asked.event.clear()
    while workers.alive and asked.times < 2:
        asked.event.wait(LOOK_INTERVAL)


def probe(crawl: Crawl, given: Settings) -> None:
    """Start a local Chrome as the workers will, and end it: better one clear error now than a crawl
    that waits for a browser.

    Raises:
        BrowserUnavailable: it does not start.
    """
    if given.chrome_url is None:
        with Chrome(endpoint(given)) as chrome, chrome.session(profile_of(crawl)):
            pass


def watch_shared(order: Order, client: Client) -> Snapshot:
    """Start the crawl on workers that run elsewhere, and follow it. An interruption ends the
    watching, not the crawl.
    """
    for warning in check_server(client.redis):
        click.echo(f"warning: {warning}", err=True)
    handle, new = client.start(order.crawl, reset=order.reset, update=order.update, tell=say)
    say_start(order, handle, new, workers_that_know(order.crawl, client))
    with (
        files(order, handle, client.settings.state_dir) as follow,
        interrupts() as asked,
        Progress() as progress,
    ):
        seen = look(handle, follow, progress, asked)
        if asked.times:
            leave(
                f"the crawl goes on; watch it again with: {command(order)}; end it with: crawler"
                f" stop {shlex.quote(handle.name)}"
            )
    return seen


def workers_that_know(crawl: Crawl, client: Client) -> str:
    """Who would run ``crawl``, in a few words; says aloud if it is nobody."""
    alive = client.roll.workers()
    if not crawl.has_code or not alive:
        if not alive:
            click.echo(
                "warning: no worker is alive; the crawl waits for one (crawler worker)", err=True
            )
        return f"{len(alive)} workers"
    able = [worker for worker in alive if worker.crawls.get(crawl.name) == digest_of(crawl)]
    if not able:
        other = any(crawl.name in worker.crawls for worker in alive)
        why = (
            "knows another version of it: deploy and restart the workers"
            if other
            else "knows it: set their CRAWLER_CRAWLS"
        )
        click.echo(f"warning: no live worker {why} (crawl {crawl.name!r})", err=True)
    return f"{len(able)} of {len(alive)} workers"


def look(
    handle: CrawlHandle,
    follow: Callable[[], object],
    progress: Progress,
    asked: Asked,
    each: Callable[[], None] = lambda: None,
) -> Snapshot:
    """Look at the crawl until it ends or somebody asks to leave."""
    while True:
        seen = handle.snapshot()
        follow()
        progress.show(seen)
        if seen.status.ended:
            follow()
            return seen
        each()
        if asked.event.wait(LOOK_INTERVAL):
            return seen


@contextmanager
def files(order: Order, handle: CrawlHandle, state: Path) -> Iterator[Callable[[], object]]:
    """The result files of the crawl; what it gives brings them up to date. The folder's other files
    are written at the end.
    """
    frontier = handle.frontier
    origin = f"{handle.name} {frontier.origin()}"
    lines = [JsonLines(path, origin, state, anew=order.reset) for path in order.files]
    try:
        yield lambda: [line.follow(frontier.results) for line in lines]
        if order.output:
            write_lines(order.output / "failed.jsonl", failed_pages(frontier))
            (order.output / "report.json").write_text(
                json.dumps(report.report(handle.snapshot()), indent=2) + "\n"
            )
        for line in lines:
            if line.lost:
                click.echo(
                    f"warning: {line.lost} results were gone from Redis before they reached"
                    f" {line.path}",
                    err=True,
                )
    finally:
        for line in lines:
            line.close()


def failed_pages(frontier: Frontier) -> Iterator[dict[str, object]]:
    """The lines of failed.jsonl."""
    start = 0
    while batch := frontier.failed(start, FAILED_PAGE):
        for one in batch:
            yield {
                "url": one.page.url,
                "reason": one.reason,
                "status": one.status,
                "attempts": one.page.attempt,
                "depth": one.page.depth,
            }
        start += len(batch)


@dataclass
class Asked:
    """How often somebody asked this process to end."""

    times: int = 0
    event: threading.Event = field(default_factory=threading.Event)


@contextmanager
def interrupts() -> Iterator[Asked]:
    """Count Ctrl-C and SIGTERM instead of dying of them."""
    asked = Asked()

    def count(_signal: int, _frame: FrameType | None) -> None:
        asked.times += 1
        asked.event.set()

    before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_start(order: Order, handle: CrawlHandle, new: bool, by: str) -> None:
    """What begins now, with the limits that hold, so that nobody is surprised by one, or by
    none.
    """
    policy = policy_of(order.crawl)
    limits = [
        f"depth ≤ {policy.depth_limit}" if policy.depth_limit is not None else "any depth",
        (
            f"at most {policy.page_limit:,} pages"
            if policy.page_limit is not None
            else "no page limit"
        ),
    ]
    verb = "crawling" if new else "going on with"
    click.echo(
        f"{verb} {handle.name}: {', '.join(page.url for page in entry_pages(order.crawl)[:3])};"
        f" {', '.join(limits)}; {by}",
        err=True,
    )


def command(order: Order) -> str:
    """The command line that goes on."""
    words = ["crawler", "start", order.reference]
    if order.file:
        words += ["-o", str(order.file)]
    if order.output:
        words += ["--output", str(order.output)]
    return shlex.join(words)


def say(text: str) -> None:
    """Tell the user how it gets on."""
    click.echo(text, err=True)


def leave(text: str) -> None:
    """Say how to go on, and end as an interrupted command does."""
    click.echo(text, err=True)
    sys.exit(INTERRUPTED)
