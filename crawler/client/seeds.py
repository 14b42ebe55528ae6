"""URLs that become pages of a crawl without a link: its seeds, and what users enqueue by hand.

Each URL is held to the crawl's scope as a link is, and the crawl cannot end while a loader is at
work. A load may be repeated: a page that is known is not queued again.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING

from ..definition.bounds import entry_pages, scope_of
from ..definition.digest import digest_of
from ..errors import FrontierRefused
from ..frontier.arguments import BATCH
from ..frontier.frontier import PRODUCER_LIFE, Frontier
from ..model import Link, Page, Priority
from ..observe.logs import logger
from ..redaction import masked
from ..text.encodable import encodable
from ..urls.sitemap_xml import Entry
from .hook_errors import noted

if TYPE_CHECKING:
    from ..definition.crawl import Crawl

log = logger(__name__)

#: Seconds between two lines about the progress of a long load.
PROGRESS_INTERVAL = 10.0

#: Characters of an example of a refused URL that are kept.
EXAMPLE_MAX = 300

#: Called often while URLs are read, so that their loader is known to be alive.
KeepAlive = Callable[[], object]
#: Receives a line about the progress of a load, now and then.
Progress = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class EnqueueReport:
    """The outcome of a load: URLs that are ``new`` and queued now, and URLs that were ``known``.

    ``refused`` counts the others by reason (a word of ``scope.REASONS``, or a limit of the
    frontier: depth, full, lane). ``examples`` has the first URL for each reason of the scope.
    """

    new: int = 0
    known: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.new:,} queued, {self.known:,} known before"
        if self.refused:
            ordered = sorted(self.refused.items(), key=lambda pair: (-pair[1], pair[0]))
            refusals = "; ".join(self._refusal(*pair) for pair in ordered)
            text += f", {sum(self.refused.values()):,} refused: {refusals}"
        return text

    def _refusal(self, reason: str, count: int) -> str:
        example = masked(self.examples.get(reason, ""))[:200]
        more = ", …" if count > 1 else ""
        return f"{reason} {count:,}" + (f" ({example}{more})" if example else "")


class SeedLoader:
    """Queues the seeds of ``crawl``: its entry pages, then the URLs of its file and its sitemaps.

    A load that was cut short is repeated from its beginning.
    """

    def __init__(self, crawl: Crawl, frontier: Frontier) -> None:
        self._crawl, self._frontier = crawl, frontier

    @property
    def has_sources(self) -> bool:
        """Whether the crawl has seeds besides its entry pages: a file, or sitemaps."""
        return bool(self._crawl.seeds or self._crawl.sitemaps)

    def is_complete(self) -> bool:
        """Whether every seed of the crawl, in its present definition, is queued."""
        return self._frontier.is_seeded(digest_of(self._crawl))

    @contextmanager
    def loading(self, *, reopen: bool = False) -> Iterator[KeepAlive]:
        """Load the seeds in this block, then note that they are complete.

        Until then the crawl cannot end. ``reopen`` lets a crawl that has ended go on. The block
        calls the value at least once in half a minute.

        Raises:
            FrontierRefused: the crawl was stopped, or another one has its name since.
        """
        frontier, origin = self._frontier, self._frontier.origin()
        with Producer(frontier, reopen=reopen) if self.has_sources else nullcontext() as producer:
            yield producer.keep_alive if producer else lambda: None
        frontier.mark_seeded(digest_of(self._crawl), origin)

    def queue_entry_pages(self) -> None:
        """Queue the entry pages of the crawl."""
        self._frontier.enqueue(entry_pages(self._crawl))

    def queue_urls(
        self, urls: Iterable[str | Entry], keep_alive: KeepAlive, progress: Progress | None = None
    ) -> None:
        """Queue ``urls`` of the crawl's file and sitemaps.

        ``progress`` receives a line every ten seconds, and one at the end; None: they are logged.

        Raises:
            FrontierRefused: the crawl was stopped.
        """
        crawl, progress = self._crawl, progress or log.info
        report = enqueue_urls(crawl, self._frontier, urls, keep_alive, progress=progress)
        (log.warning if set(report.refused) - {"lastmod"} else progress)(
            f"{crawl.name}: seeds: {report}"
        )


class Producer:
    """A loader of URLs, as the frontier knows it: while its block lasts, the crawl cannot end.

    ``reopen`` lets a crawl that has ended go on. After an error the crawl is kept from its end for
    a minute more, in which the load may be repeated; unless the crawl itself refused the pages.
    """

    def __init__(self, frontier: Frontier, *, reopen: bool = False) -> None:
        self._frontier, self._reopen = frontier, reopen
        self._name = f"seeds-{secrets.token_hex(4)}"
        self._opened = 0.0  # by the monotonic clock

    def __enter__(self) -> Producer:
        self._open()
        if self._reopen:
            self._frontier.resume(reopen=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, FrontierRefused):
            self._frontier.close_producer(self._name)

    def keep_alive(self) -> None:
        """Say that the loader is alive. Cheap: the frontier hears of it four times in a minute."""
        if time.monotonic() - self._opened > PRODUCER_LIFE / 4:
            self._open()

    def _open(self) -> None:
        self._frontier.open_producer(self._name)
        self._opened = time.monotonic()


def enqueue_urls(
    crawl: Crawl,
    frontier: Frontier,
    urls: Iterable[str | Entry],
    keep_alive: KeepAlive,
    *,
    priority: Priority = Priority.NORMAL,
    depth: int = 0,
    again: bool = False,
    progress: Progress | None = None,
) -> EnqueueReport:
    """Queue the ``urls`` that are in the scope of ``crawl``, in batches, as pages at ``depth``.
    Entries of sitemaps that are unclear are refused as malformed. ``again``: pages that are known
    are queued, too, once the crawl is done with them.

    ``keep_alive`` is called after each batch. ``progress`` receives a line every ten seconds; None:
    it is logged.

    Raises:
        FrontierRefused: the crawl has ended or is stopping; the batches before are queued.
    """
    page_of = _page_maker(crawl, priority, depth)
    new = known = 0
    refused, examples = Counter[str](), dict[str, str]()
    reported = time.monotonic()
    rest = iter(urls)
    while batch := list(islice(rest, BATCH)):
        pages, skipped = [], Counter[str]()
        for seed in batch:
            page = page_of(seed)
            if isinstance(page, Page):
                pages.append(page)
            else:
                skipped[page] += 1
                examples.setdefault(page, seed.url if isinstance(seed, Entry) else seed)
        named = {reason: encodable(masked(examples[reason]), EXAMPLE_MAX) for reason in skipped}
        added = frontier.enqueue(pages, again=again, skipped=skipped, examples=named)
        new, known = new + added.new, known + added.known
        refused.update(added.skipped)
        keep_alive()
        if time.monotonic() - reported > PROGRESS_INTERVAL:
            reported, count = time.monotonic(), new + known + refused.total()
            (progress or log.info)(f"{crawl.name}: {count:,} seeds read")
    return EnqueueReport(new, known, dict(refused), examples)


def _page_maker(
    crawl: Crawl, priority: Priority, depth: int
) -> Callable[[str | Entry], Page | str]:
    """Return a function that makes a page of a URL, or names the reason why it becomes none."""
    scope, entry = scope_of(crawl), entry_pages(crawl)[0]

    def page_of(seed: str | Entry) -> Page | str:
        if isinstance(seed, Entry) and seed.unclear:
            return seed.reason
        url = seed.url if isinstance(seed, Entry) else seed
        if callable(crawl.scope):
            with noted("scope", crawl.scope, crawl, masked(url)):
                reason = scope.judge(Link(url), entry)
        else:
            reason = scope.judge(Link(url), entry)
        if reason:
            return reason
        target = scope.look(url)
        return Page(target.url, depth, target.key, target.lane, priority, id=target.id)

    return page_of
