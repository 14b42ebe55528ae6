"""URLs that were found on no page: from a file, from sitemaps, from somebody's hand. Here they
become pages of a crawl.

Whatever the source, it is read as a stream, each URL is held to the crawl's scope as a link would
be, and the crawl cannot end while a loader is at work. All of it may be repeated: what is known is
not queued again.
"""

from __future__ import annotations

import gzip
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from ..definition.bounds import entry_pages, scope_of
from ..definition.crawl import Crawl
from ..definition.digest import digest_of
from ..definition.fields import AUTO
from ..definition.network import guard_of
from ..errors import FrontierRefused, SetupError
from ..frontier.arguments import BATCH
from ..frontier.frontier import PRODUCER_LIFE, Frontier
from ..model import Link, Page, Priority
from ..net.fetch import FetchError, fetch
from ..urls import robots, sitemaps
from ..urls.url import origin_of

log = logging.getLogger(__name__)

#: Seconds for one sitemap to arrive.
SITEMAP_TIMEOUT = 60.0
#: Bytes of a line that are read at once; no URL is as long.
LINE_MAX = 16_384
#: Seconds between two words about how far a long load has come.
TELL_INTERVAL = 10.0
_PIECE = 65_536
_COMMENT = re.compile(r"(?:^|\s)#.*")

#: Told how loading gets on, in a line each.
Tell = Callable[[str], object]
#: Called often while a source is read: its loader is alive.
Alive = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Fed:
    """What became of URLs that a crawl was fed: ``new`` ones are queued, ``known`` ones were queued
    before.

    ``refused`` counts the others by reason (a word of ``scope.REASONS``, or a limit of the
    frontier: depth, full, lane), and ``examples`` has the first URL for each reason of the scope.
    """

    new: int = 0
    known: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.new:,} queued, {self.known:,} known before"
        if self.refused:
            ordered = sorted(self.refused.items(), key=lambda pair: (-pair[1], pair[0]))
            text += f", {sum(self.refused.values()):,} refused: " + "; ".join(
                self._refusal(*pair) for pair in ordered
            )
        return text

    def _refusal(self, reason: str, count: int) -> str:
        example = self.examples.get(reason, "")[:200]
        return f"{reason} {count:,}" + (
            f" ({example}{', …' if count > 1 else ''})" if example else ""
        )


def feed(
    crawl: Crawl,
    frontier: Frontier,
    urls: Iterable[str],
    *,
    priority: Priority = Priority.NORMAL,
    depth: int = 0,
    alive: Alive = lambda: None,
    tell: Tell = lambda _text: None,
) -> Fed:
    """Queue ``urls`` that are in the scope of ``crawl``, in batches, as pages at ``depth``.

    Raises:
        FrontierRefused: the crawl has ended or is stopping; what came before is queued.
    """
    new = known = 0
    refused: dict[str, int] = {}
    examples: dict[str, str] = {}
    said = time.monotonic()
    rest = iter(urls)
    judge = _judge(crawl, priority, depth)
    while batch := list(islice(rest, BATCH)):
        pages, dropped = [], dict[str, int]()
        for url in batch:
            page = judge(url)
            if isinstance(page, Page):
                pages.append(page)
            else:
                dropped[page] = dropped.get(page, 0) + 1
                examples.setdefault(page, url)
        added = frontier.enqueue(pages, skipped=dropped)
        new, known = new + added.new, known + added.known
        for reason, count in added.skipped.items():
            refused[reason] = refused.get(reason, 0) + count
        alive()
        if time.monotonic() - said > TELL_INTERVAL:
            said = time.monotonic()
            tell(f"{crawl.name}: {new + known + sum(refused.values()):,} seeds read")
    return Fed(new, known, refused, examples)


def _judge(crawl: Crawl, priority: Priority, depth: int) -> Callable[[str], Page | str]:
    """URL → its page, or the reason why it becomes none."""
    scope, entry = scope_of(crawl), entry_pages(crawl)[0]

    def judge(url: str) -> Page | str:
        if reason := scope.judge(Link(url), entry):
            return reason
        look = scope.look(url)
        return Page(look.url, depth, look.key, look.lane, priority, id=look.id)

    return judge


@contextmanager
def producing(frontier: Frontier, *, reopen: bool = False) -> Iterator[Alive]:
    """Keep the crawl from ending while this lasts; what it gives is to be called at least once in
    half a minute.

    ``reopen`` lets a crawl that has ended go on. After an error the crawl is kept for a minute
    more, for another attempt; unless it is the crawl itself that wants no more pages.
    """
    name, last = f"seeds-{secrets.token_hex(4)}", time.monotonic()
    frontier.open_producer(name)
    if reopen:
        frontier.resume(reopen=True)

    def alive() -> None:
        nonlocal last
        if time.monotonic() - last > PRODUCER_LIFE / 4:
            frontier.open_producer(name)
            last = time.monotonic()

    try:
        yield alive
    except FrontierRefused:
        frontier.close_producer(name)
        raise
    frontier.close_producer(name)


# Sources


def lines(file: BinaryIO) -> Iterator[str]:
    """The URLs of a file: one per line, without what follows a ``#`` at the beginning of a line or
    after white space.
    """
    first = True
    while raw := file.readline(LINE_MAX):
        line = raw.decode("utf-8-sig" if first else "utf-8", "replace")
        first = False
        if url := (_COMMENT.sub("", line) if "#" in line else line).strip():
            yield url


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """The file at ``path``, unpacked if it ends in ``.gz``.

    Raises:
        SetupError: it cannot be read.
    """
    try:
        with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (OSError, EOFError) as error:
        raise SetupError(
            f"the file of seeds {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def from_file(path: str | Path) -> Iterator[str]:
    """The URLs in the file at ``path``. Raises SetupError."""
    with opened(path) as file:
        yield from lines(file)


def from_sitemaps(
    crawl: Crawl, urls: Iterable[str], *, alive: Alive = lambda: None
) -> Iterator[str]:
    """The URLs that the sitemaps at ``urls`` list (``auto``: those that robots.txt names). What
    cannot be read is warned of.
    """
    addresses = guard_of(crawl).addresses

    def get(url: str) -> Iterator[bytes]:
        alive()
        try:
            got = fetch(
                url, timeout=SITEMAP_TIMEOUT, max_bytes=sitemaps.SIZE_MAX + 1, addresses=addresses
            )
        except FetchError as error:
            raise OSError(error.reason) from error
        if not 200 <= got.status < 300:
            raise OSError(f"status {got.status}")
        for start in range(0, len(got.body), _PIECE):
            yield got.body[start : start + _PIECE]

    def tell(url: str, what: str) -> None:
        log.warning("%s: the sitemap %s: %s", crawl.name, url, what)

    for url in urls:
        for one in _announced(crawl, addresses) if url == AUTO else (url,):
            for entry in sitemaps.read_sitemaps(one, get, tell=tell):
                alive()
                yield entry.url


def _announced(crawl: Crawl, addresses: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """The sitemaps that the robots.txt of each of the crawl's sites names."""
    for origin in dict.fromkeys(origin_of(url) for url in crawl.url):
        try:
            got = fetch(f"{origin}/robots.txt", max_bytes=robots.SIZE_MAX, addresses=addresses)
        except FetchError as error:
            log.warning("%s: %s/robots.txt, which may name sitemaps: %s", crawl.name, origin, error)
            continue
        found = robots.parse_robots(got.status, got.body).sitemaps
        if not found:
            log.warning("%s: %s/robots.txt names no sitemap", crawl.name, origin)
        yield from found


# A definition's own seeds


def check_seeds(crawl: Crawl) -> None:
    """Raises SetupError if the file of seeds of ``crawl`` cannot be read."""
    if crawl.seeds:
        with opened(crawl.seeds) as file:
            file.read(1)


def load(
    crawl: Crawl,
    frontier: Frontier,
    *,
    reopen: bool = False,
    begun: Callable[[], object] = lambda: None,
    tell: Tell = log.info,
) -> Fed:
    """Queue the entry pages of ``crawl``, its file of seeds and what its sitemaps list, and
    remember that they are in.

    ``begun`` is called when the entry pages are queued, ``tell`` now and then. A load that was cut
    short is simply repeated; ``reopen`` is for a crawl that ended meanwhile.

    Raises:
        FrontierRefused: somebody stopped the crawl.
        SetupError: the file cannot be read.
    """
    if not crawl.seeds and not crawl.sitemaps:
        frontier.enqueue(entry_pages(crawl))
        fed = Fed()
    else:
        with producing(frontier, reopen=reopen) as alive:
            frontier.enqueue(entry_pages(crawl))
            begun()
            urls = chain(
                from_file(crawl.seeds) if crawl.seeds else (),
                from_sitemaps(crawl, crawl.sitemaps, alive=alive),
            )
            fed = feed(crawl, frontier, urls, alive=alive, tell=tell)
            (log.warning if fed.refused else tell)(f"{crawl.name}: seeds: {fed}")
    frontier.mark_seeded(digest_of(crawl))
    return fed
