"""Running the crawls of ``start``: on services of its own, which it ends again, or on workers that
run elsewhere.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from ..browser.chrome.local import sweep
from ..client.client import Client
from ..client.crawl_handle import CrawlHandle
from ..client.standstill import Reason, Standstill
from ..client.start_report import STILL_RUNS, IfExists, StartOutcome, StartReport
from ..config import django
from ..config.settings import Settings
from ..definition.bounds import entry_pages
from ..definition.crawl import Crawl
from ..definition.digest import digest_of
from ..definition.loading import load_each, module_path
from ..errors import CrawlerError, CrawlExists, FrontierUnavailable
from ..frontier.server_checks import check_server
from ..local.embedded import Embedded, PrivateWorkers
from ..local.processes import user_of
from ..model import Snapshot, Status
from ..output import report
from ..output.report import ExitStatus
from .chrome_check import ChromeCheck
from .interrupts import Interrupts, count_interrupts
from .live.controls import Controls
from .live.crawl_state import CrawlWatch
from .live.view import LiveView
from .orders import Order, command
from .start_files import StartFiles, check_state
from .terminal import echo

#: Seconds between two looks at the crawl.
LOOK_INTERVAL = 0.25
#: And until its first page is done, and when only pages in flight are left; but at each time for so
#: many seconds only.
CLOSE_INTERVAL, CLOSE_LOOKS = 0.05, 15.0
#: Seconds between two looks at a worker that ends.
DRAIN_INTERVAL = 0.02
#: Browsers of workers of our own, without --concurrency.
BROWSERS_MAX = 64
#: What a crawl with workers of our own waits for until they are up.
WORKERS_START = (Reason.NO_WORKER, Reason.UNKNOWN_CRAWL, Reason.NOT_TAKEN)
#: Seconds for which a Redis that runs elsewhere may be away, as during a fail-over.
REDIS_PATIENCE = 60.0


@dataclass
class End:
    """What became of an order: its last snapshot (None: it was refused), and the exit status."""

    order: Order
    snapshot: Snapshot | None
    status: int

    @classmethod
    def of(cls, order: Order, snapshot: Snapshot, complete: bool) -> End:
        """Return the end of a crawl, whose files are ``complete``."""
        good = complete and report.succeeded(snapshot)
        return cls(order, snapshot, 0 if good else ExitStatus.CRAWL_FAILED)


@dataclass
class Running:
    """A crawl that was started, its files, and what was seen of it last."""

    order: Order
    handle: CrawlHandle
    files: StartFiles
    start: StartReport
    snapshot: Snapshot

    def look(self) -> None:
        """Look at it, and bring its files up to date."""
        if not self.snapshot.over:
            self.snapshot = self.handle.snapshot()
            self.files.follow()

    def finish(self) -> End:
        """Complete its files."""
        return End.of(self.order, self.snapshot, self.files.finish(self.handle, self.snapshot))


def begin_all(
    orders: Sequence[Order], client: Client, ending: ExitStack, *, alone: bool = False
) -> tuple[list[Running], list[End]]:
    """Start all crawls; return those that go on, and the ends of those that do not.

    One that is refused is said, and keeps none of the others from their pages.

    Raises:
        CrawlerError: the only one is refused, or a file cannot be written.
    """
    files = [ending.enter_context(open_files(order, client)) for order in orders]
    running, ends = [], []
    for order, its_files in zip(orders, files, strict=True):
        try:
            start = begin(order, client, its_files, alone=alone)
        except CrawlerError as error:
            if len(orders) == 1:
                raise
            say(f"error: {order.crawl.name}: {error}")
            ends.append(End(order, None, ExitStatus.MISTAKE))
            continue
        snapshot = start.handle.snapshot()
        if snapshot.over:
            ends.append(End.of(order, *complete_files(order, start.handle, its_files)))
        else:
            running.append(Running(order, start.handle, its_files, start, snapshot))
    return running, ends


def crawl_embedded(orders: Sequence[Order], embedded: Embedded) -> list[End]:
    """Crawl with services of our own, and end all of them, however the crawls end."""
    check_state(embedded.settings.state_dir)
    with ExitStack() as ending:
        # last: any Chrome that is left, also that of a worker that was killed
        ending.callback(sweep, embedded.folder)
        ending.enter_context(embedded)
        settings = worker_settings(orders, embedded.settings)
        client = Client(settings)
        running, ends = begin_all(orders, client, ending, alone=True)
        if not running:
            return ends
        wanted = sum(one.order.policy.concurrency_limit for one in running)
        count = orders[0].asked.concurrency or min(wanted, BROWSERS_MAX)
        by_message = [one.handle.name for one in running if "start" not in one.order.crawl.hooks]
        first = by_message[0] if by_message else ""
        workers = PrivateWorkers(settings, count, log=embedded.folder / "worker.log", first=first)
        ending.callback(workers.kill)
        workers.start()
        checks = [(ChromeCheck(one.order.crawl, client), one) for one in running[:1]]

        def attend() -> None:
            workers.restart_if_dead()
            for check, one in checks:
                check.look(one.snapshot)

        for one in running:
            say_start(one.order, one.start, f"{count} browsers")
        with (
            count_interrupts() as interrupts,
            live_view(running, client, private_standstill) as view,
        ):
            handles = [one.handle for one in running]
            controls = Controls(handles, interrupts, "finish pages in flight, and end")
            controls.attach(view)
            watch(running, view, interrupts, each=attend)
            if interrupts.count:
                pages = sum(one.snapshot.processing for one in running)
                say(f"draining: {pages} pages in flight (Ctrl-C again to end at once)")
                drain(workers, interrupts, lambda: look_at(running, view))
                workers.kill()
                controls.release()
                for one in running:
                    one.snapshot = one.handle.snapshot()
                    one.finish()
                leave(how_to_go_on(running))
        ends += [one.finish() for one in running]
        drain(workers, interrupts)
        return ends


def live_view(
    running: Sequence[Running], client: Client, why: Callable[[Client, str], Standstill | None]
) -> LiveView:
    """Return the view of the crawls; ``why`` says why one stands still."""
    names = [one.handle.name for one in running]
    return LiveView({name: CrawlWatch(client, name, partial(why, client, name)) for name in names})


def look_at(running: Sequence[Running], view: LiveView) -> None:
    """Look at all crawls, bring their files up to date, and show them."""
    for one in running:
        one.look()
    view.show([one.snapshot for one in running])


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
        formats=order.asked.formats,
        errors=order.errors,
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
    start = client.start(
        order.crawl, if_exists=order.if_exists, alone=alone, progress=say, limits=order.limits
    )
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


def worker_settings(orders: Sequence[Order], settings: Settings) -> Settings:
    """Return the settings for workers of our own: with the crawls' code and error snapshots. Runs
    are started by messages to them, whatever hooks ``start`` there are, if --local is given.
    """
    crawls: dict[str, None] = {}
    known = load_each(settings.crawls)[0] if any(one.crawl.has_code for one in orders) else {}
    for order in orders:
        if order.crawl.has_code:
            by_name = order.reference == order.crawl.name in known
            crawls |= dict.fromkeys(settings.crawls if by_name else (module_path(order.reference),))
    first = orders[0]
    return settings.model_copy(
        update={
            "crawls": tuple(crawls),
            "errors_dir": first.errors or settings.errors_dir,
            "files_dir": settings.files_dir or first.files_dir,
            "start_hooks": not first.asked.local,
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
    due = time.monotonic() + LOOK_INTERVAL
    while workers.alive and interrupts.count < 2:
        interrupts.event.wait(DRAIN_INTERVAL)
        if time.monotonic() < due:
            continue
        with suppress(FrontierUnavailable):
            look()
        due = time.monotonic() + LOOK_INTERVAL


def how_to_go_on(running: Sequence[Running]) -> str:
    """Return how far interrupted crawls are, and the command that goes on."""
    parts = []
    for one in running:
        name = f"{one.handle.name}: " if len(running) > 1 else ""
        left = report.waiting(one.snapshot)
        parts.append(f"{name}{one.snapshot.done} pages done, {left} to come")
    return f"{'; '.join(parts)}. Go on with: {command(running[0].order)}"


def watch_shared(orders: Sequence[Order], client: Client) -> list[End]:
    """Start crawls on workers that run elsewhere, and follow them. An interrupt ends the command,
    not the crawls.
    """
    for warning in check_server(client.redis):
        say(f"warning: {warning}")
    with ExitStack() as ending:
        running, ends = begin_all(orders, client, ending)
        if not running:
            return ends
        for one in running:
            say_start(one.order, one.start, able_workers(one.order.crawl, client))
        with count_interrupts() as interrupts, live_view(running, client, asking) as view:
            handles = [one.handle for one in running]
            Controls(handles, interrupts, "leave (the crawl goes on)").attach(view)
            watch(running, view, interrupts, patience=REDIS_PATIENCE)
            ends += [one.finish() for one in running]
            if interrupts.count:
                names = [shlex.quote(handle.name) for handle in handles]
                stop = " && ".join(f"crawler stop {name}" for name in names)
                leave(
                    f"the crawl goes on; watch it again with: {command(orders[0])}; end it with:"
                    f" {stop}"
                )
        return ends


def asking(client: Client, name: str) -> Standstill | None:
    """Return why a crawl on workers elsewhere stands still; a message is sent to find out."""
    return client.standstill(name, ask=True)


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
    running: Sequence[Running],
    view: LiveView,
    interrupts: Interrupts,
    each: Callable[[], None] = lambda: None,
    patience: float = 0.0,
) -> None:
    """Watch the crawls until all have ended or an interrupt comes.

    ``each`` is called at each look. ``patience`` is for how many seconds Redis may be away.
    """
    seen = time.monotonic()
    away, close_since = False, None
    while True:
        try:
            look_at(running, view)
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
        if all(one.snapshot.over for one in running):
            return
        each()
        close_since = (close_since or seen) if is_close(running) else None
        looks_closely = close_since is not None and seen - close_since < CLOSE_LOOKS
        if interrupts.event.wait(CLOSE_INTERVAL if looks_closely else LOOK_INTERVAL):
            return


def is_close(running: Sequence[Running]) -> bool:
    """Whether the first page of the crawls, or their end, is near."""
    done = sum(one.snapshot.done + one.snapshot.failed for one in running)
    left = [one.snapshot for one in running if not one.snapshot.over]
    return not done or all(
        one.status is Status.DRAINING or not one.queued + one.delayed for one in left
    )


def say_start(order: Order, start: StartReport, workers: str) -> None:
    """Print the crawl that begins now, its limits (or that it has none), and its workers."""
    policy = order.policy
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
    if order.limits:
        say(f"limits until --update sets those of its code again: {', '.join(order.asked.changes)}")
    if order.asked.local:
        name = shlex.quote(order.crawl.name)
        leaving = f"CRAWLER_REDIS_URL={f' {django.MODULE}=' if django.project() else ''}"
        say(
            "--local: a private Redis and workers of its own, not those of CRAWLER_REDIS_URL; from"
            f" elsewhere: {leaving} crawler info {name}"
        )


def say(text: str) -> None:
    """Print ``text`` on standard error."""
    echo(text, err=True)


def leave(text: str) -> None:
    """Print how to go on, and end as an interrupted command does."""
    say(text)
    sys.exit(ExitStatus.INTERRUPTED)
