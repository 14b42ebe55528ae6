"""The handle of a crawl: follow it, steer it, and feed it from outside its runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ..definition.bounds import canonical
from ..errors import FrontierRefused, UnknownCrawl
from ..frontier.entries import FORM_SENT
from ..frontier.kinds import OTHER, is_rest, kind_of
from ..frontier.listing import Listing
from ..frontier.memory import Memories, Vanished
from ..frontier.outbox import Outbox, UndeliveredLetter
from ..hooks import without_place
from ..model import Json, Priority, Snapshot, Status, short_id

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..frontier.entries import FailedPage
    from ..frontier.frontier import Frontier
    from .seeds import EnqueueReport

#: Seconds between two snapshots of a crawl that a caller waits for.
POLL_INTERVAL = 0.25
#: Failed pages that are read at once.
FAILED_BATCH = 500
#: Failed pages that are sent back at once. Each time the frontier goes through its whole list.
RETRY_BATCH = 50_000


class CrawlClient(Protocol):
    """The part of a client that the handle of a crawl needs."""

    def frontier(self, name: str) -> Frontier:
        """Return the frontier of the crawl ``name``."""

    def crawl(self, name: str) -> Crawl:
        """Return the definition of the crawl ``name``. Raises UnknownCrawl."""

    def wake(self, crawl: Crawl | str) -> int:
        """Start the runs that ``crawl`` can use now."""

    def enqueue(
        self,
        crawl: Crawl | str,
        urls: str | Iterable[str],
        *,
        priority: Priority = Priority.NORMAL,
        depth: int = 0,
        reopen: bool = False,
        again: bool = False,
    ) -> EnqueueReport:
        """Queue ``urls`` that are in the scope of ``crawl``."""


class CrawlHandle:
    """A crawl that was started, seen from outside.

    ``uncommitted``: the database transaction of the caller is not committed yet. The crawl starts
    with the commit; until then it has no pages and no end.
    """

    def __init__(self, client: CrawlClient, crawl: Crawl | str) -> None:
        self._client, self._crawl = client, crawl
        self.name: str = crawl if isinstance(crawl, str) else crawl.name
        self.frontier = client.frontier(self.name)
        self.uncommitted = False

    def definition(self) -> Crawl:
        """Return the definition of the crawl.

        Raises:
            UnknownCrawl: the crawl has code that is not known here (see ``CRAWLER_CRAWLS``).
        """
        return self._client.crawl(self.name)

    # -- following it

    def snapshot(self) -> Snapshot:
        """Return the counts and the state of the crawl at this instant."""
        if self.uncommitted:
            reason = "its transaction is not committed"
            return Snapshot(self.name, Status.NEW, reason, 0, 0, 0, 0, 0, 0, 0)
        return self.frontier.snapshot()

    @property
    def status(self) -> Status:
        """The status of the crawl at this instant."""
        return self.snapshot().status

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of pages that are queued, delayed, processing, done and failed."""
        states = ("queued", "delayed", "processing", "done", "failed")
        snapshot = self.snapshot()
        return {state: getattr(snapshot, state) for state in states}

    def wait(self, timeout: float | None = None) -> Snapshot:
        """Wait until the crawl has ended and its hooks were called, at most ``timeout`` seconds;
        return its last snapshot.

        Raises:
            TimeoutError: the crawl has not ended in time; it goes on.
            FrontierRefused: the crawl starts when a transaction is committed, and the caller is
                still in that transaction, or it was rolled back.
        """
        if self.uncommitted:
            raise FrontierRefused(
                f"the crawl {self.name!r} has not begun: its transaction is not committed"
            )
        end = None if timeout is None else time.monotonic() + timeout
        while not (snapshot := self.snapshot()).over:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(
                    f"the crawl {self.name!r} is {snapshot.status} after {timeout:g} s:"
                    f" {snapshot.queued} queued, {snapshot.done} done, {snapshot.delivering} on"
                    " their way to hooks"
                )
            time.sleep(POLL_INTERVAL)
        return snapshot

    def failed(self, reason: str | None = None) -> Iterator[FailedPage]:
        """Yield the pages in *failed*, oldest first; with ``reason`` only those that failed for it.

        The crawl does not try them again by itself.
        """
        is_chosen = self._is_for(reason)
        start = 0
        while batch := Listing(self.frontier).failed(start, FAILED_BATCH):
            yield from (one for one in batch if is_chosen(one))
            start += len(batch)

    def results(self, after: str = "0") -> Iterator[tuple[str, Json]]:
        """Yield (place, result) for each page, as far as Redis keeps results (``results_limit``).

        ``after`` is the place of the last result that the caller has: a reader goes on from there.
        If a fail-over lost that place, all results come again; a page is known by its URL.
        """
        listing = Listing(self.frontier)
        after = listing.place_to_resume(after)
        while batch := listing.results(after):
            for after, _, text in batch:
                yield after, json.loads(text)

    def undelivered(self) -> Iterator[UndeliveredLetter]:
        """Yield the results and failures that their hooks did not take, the oldest first."""
        start, outbox = 0, Outbox(self.frontier)
        while batch := outbox.undelivered(start, FAILED_BATCH):
            yield from batch
            start += len(batch)

    def vanished(self) -> Iterator[Vanished]:
        """Yield the pages that an earlier generation of the crawl knew and that are gone: those
        that answer so now, and, once the crawl has come to its end by itself, those that it did not
        meet.
        """
        form: Callable[[str], str] = str  # nearly all URLs are their own canonical form
        with suppress(UnknownCrawl):
            form = partial(canonical, self.definition())
        return Memories(self.frontier).vanished(form)

    # -- steering it

    def redeliver(self) -> int:
        """Call the hooks again that gave up; return the number of their deliveries. A tick brings
        them to workers. A crawl that has ended ends again when they are made.
        """
        return Outbox(self.frontier).redeliver()

    def stop(self, reason: str = "stopped by its client") -> None:
        """Begin no further page; those in flight finish."""
        self.frontier.stop(reason)

    def cancel(self, reason: str = "cancelled by its client") -> None:
        """Begin no further page, and give up those in flight at their next lease renewal.

        Those pages are not lost: ``resume`` goes on with them.
        """
        self.frontier.cancel(reason)

    def pause(self, by: str = "its client") -> None:
        """Begin no further page until ``resume``. ``by`` says who paused it, to those who wonder
        why it stands still.
        """
        self.frontier.pause(by)

    def resume(self, *, reopen: bool = False) -> Status:
        """Go on after ``pause`` or ``stop``, at once; return the new status.

        Raises:
            FrontierRefused: the crawl has ended, and ``reopen`` is not set.
        """
        status = self.frontier.resume(reopen=reopen)
        self._client.wake(self._crawl)
        return status

    # -- feeding it

    def enqueue(
        self,
        urls: str | Iterable[str],
        *,
        priority: Priority = Priority.NORMAL,
        depth: int = 0,
        reopen: bool = False,
        again: bool = False,
    ) -> EnqueueReport:
        """Queue ``urls`` that are in the scope of the crawl: see :meth:`Client.enqueue`."""
        return self._client.enqueue(
            self._crawl, urls, priority=priority, depth=depth, reopen=reopen, again=again
        )

    def retry(self, urls: str | Iterable[str] | None = None, *, reason: str | None = None) -> int:
        """Send failed pages back to their queues, with all their attempts; return their number.

        All of them, or those of ``urls`` (a page's id, or the first 16 digits of it, will do), or
        those that failed for ``reason``. Forms that were sent are sent again only if ``urls`` name
        them, or the reason is ``form_sent``. A crawl that has ended goes on.
        """
        names = None if urls is None else frozenset([urls] if isinstance(urls, str) else urls)
        has_reason, of_forms = self._is_for(reason), (reason or "").startswith(FORM_SENT)

        def is_chosen(failed: FailedPage) -> bool:
            page = failed.page
            named = names is None or names & {page.url, page.key, page.id, short_id(page.id)}
            again = not failed.form_sent or names is not None or of_forms
            return bool(named) and again and has_reason(failed)

        if names is None and reason is None:
            count = self.frontier.retry_failed()
        else:
            count = self._retry_chosen(is_chosen)
        if count:
            self._client.wake(self._crawl)
        return count

    def _retry_chosen(self, is_chosen: Callable[[FailedPage], bool]) -> int:
        """Send the failed pages that ``is_chosen`` accepts back; return their number.

        Pages that fail meanwhile stay in *failed*.
        """
        count, start, left, ids = 0, 0, self.snapshot().failed, list[str]()
        while left > 0:
            batch = Listing(self.frontier).failed(start, min(FAILED_BATCH, left))
            start, left = start + len(batch), left - len(batch) if batch else 0
            ids.extend(failed.page.id for failed in batch if is_chosen(failed))
            if ids and (len(ids) >= RETRY_BATCH or not left):
                moved = self.frontier.retry_failed(ids)
                count, start, ids = count + moved, start - moved, []
        return count

    def _is_for(self, wanted: str | None) -> Callable[[FailedPage], bool]:
        """Return a function that says whether a page failed for the reason ``wanted``: None is any,
        a kind of failure needs no details, and a hook's error no line.
        """
        kinds = self.snapshot().reasons if wanted is not None and is_rest(wanted) else {}

        def is_for(failed: FailedPage) -> bool:
            if wanted is None or wanted in (failed.reason, without_place(failed.reason)):
                return True
            kind = kind_of(failed.failure, failed.reason)
            # those that are counted under no kind of their own
            rest = is_rest(wanted) and kind not in kinds and kind.startswith(wanted[: -len(OTHER)])
            return wanted == kind or rest

        return is_for
