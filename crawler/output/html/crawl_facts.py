"""What the report of a crawl is made of: sums and examples of its results, in one reading."""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...model import Json, Snapshot

#: Rows of a list that are kept.
LISTED = 100
#: Slow pages that are kept.
SLOWEST = 20
#: Pages of which the links among them are told; of larger crawls, only those that led to pages.
CROSS_LINKS_MAX = 5_000
#: Pages whose titles and addresses are kept for the map of the site.
PAGES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class FailedFacts:
    """A page that failed for good: ``kind`` is its reason without details, ``at`` epoch seconds,
    ``picture`` the path of what Chrome showed, ``id`` and ``parent`` the first digits of its id and
    of that of the page whose link led to it.
    """

    url: str
    reason: str
    kind: str
    status: int | None
    attempts: int
    depth: int
    at: float
    id: str
    parent: str
    picture: str | None = None


@dataclass(slots=True)
class PageFacts:
    """A page for the map of the site. ``status`` and ``ms`` are None where it was not answered."""

    id: str
    parent: str
    url: str
    depth: int
    title: str = ""
    status: int | None = None
    ms: int | None = None
    reason: str = ""
    links: tuple[str, ...] = ()


@dataclass(slots=True)
class HostFacts:
    """The pages of a host, and the milliseconds that those that are done took together."""

    done: int = 0
    failed: int = 0
    ms: int = 0


@dataclass
class CrawlFacts:
    """The facts of a crawl. ``steps``: seconds and runs of each step of a run; ``vanished``: pages
    that are gone, with why.
    """

    snapshot: Snapshot
    report: Mapping[str, Any]
    steps: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    vanished: list[tuple[str, str]] = field(default_factory=list)
    failed: list[FailedFacts] = field(default_factory=list)
    #: (epoch seconds, waiting pages), as ticks wrote it down.
    waiting: list[tuple[float, int]] = field(default_factory=list)

    pages: list[PageFacts] = field(default_factory=list)
    results: int = 0
    again: int = 0
    done_at: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    hosts: defaultdict[str, HostFacts] = field(default_factory=lambda: defaultdict(HostFacts))
    slowest: list[tuple[int, int, PageFacts]] = field(default_factory=list)
    redirects: list[tuple[str, str]] = field(default_factory=list)
    redirected: int = 0
    titles: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    changes: defaultdict[str, list[PageFacts]] = field(default_factory=lambda: defaultdict(list))
    counts_of_changes: Counter[str] = field(default_factory=Counter)

    def read(self, results: Iterable[tuple[float, str]]) -> None:
        """Take in results: when each was stored (epoch seconds), and its line of JSON."""
        for at, text in results:
            self._add(at, json.loads(text))
        for failed in self.failed:
            self._add_failed(failed)

    def _add(self, at: float, record: Mapping[str, Json]) -> None:
        url, status, ms = record["url"], record.get("status"), int(record.get("ms") or 0)
        self.results += 1
        self.done_at.append(at)
        self.again += bool(record.get("again"))
        self.statuses[str(status) if status else "unknown"] += 1
        self.depths[int(record.get("depth") or 0)] += 1
        host = self.hosts[host_of(url)]
        host.done, host.ms = host.done + 1, host.ms + ms
        page = PageFacts(
            record.get("id") or url,
            record.get("parent") or "",
            url,
            int(record.get("depth") or 0),
            record.get("title") or "",
            status,
            ms,
        )
        if self.results <= CROSS_LINKS_MAX:
            page.links = tuple(record.get("link_urls") or ())
        if not record.get("again") and len(self.pages) < PAGES_MAX:
            self.pages.append(page)
        heapq.heappush(self.slowest, (ms, self.results, page))
        if len(self.slowest) > SLOWEST:
            heapq.heappop(self.slowest)
        final = record.get("final_url") or url
        if final != url:
            self.redirected += 1
            if len(self.redirects) < LISTED:
                self.redirects.append((url, final))
        if page.title and len(self.titles) < PAGES_MAX:
            self.titles[page.title].append(url)
        change = str(record.get("change") or "unknown")
        self.counts_of_changes[change] += 1
        if change in ("new", "changed") and len(self.changes[change]) < LISTED:
            self.changes[change].append(page)

    def _add_failed(self, failed: FailedFacts) -> None:
        self.statuses[str(failed.status) if failed.status else "no answer"] += 1
        self.depths[failed.depth] += 1
        self.hosts[host_of(failed.url)].failed += 1
        if len(self.pages) < PAGES_MAX:
            page = PageFacts(failed.id, failed.parent, failed.url, failed.depth)
            page.status, page.reason = failed.status, failed.reason
            self.pages.append(page)

    def pace(self, buckets: int = 120) -> tuple[float, list[list[float]]]:
        """Return the seconds of a bucket, and for each in turn: seconds since the first, pages done
        in a second, failed in a second.
        """
        failed_at = [failed.at for failed in self.failed if failed.at]
        moments = self.done_at + failed_at
        if not moments:
            return 1.0, []
        start, end = min(moments), max(moments)
        width = next(one for one in WIDTHS if (end - start) / one <= buckets)
        counts = [[0, 0] for _ in range(int((end - start) // width) + 1)]
        for kind, times in enumerate((self.done_at, failed_at)):
            for at in times:
                counts[int((at - start) // width)][kind] += 1
        rows = [[n * width, done / width, lost / width] for n, (done, lost) in enumerate(counts)]
        return width, rows

    @property
    def began(self) -> float | None:
        """When the first page was done or failed, in epoch seconds."""
        return min([*self.done_at, *(one.at for one in self.failed if one.at)], default=None)


#: Seconds that a bucket may be wide.
WIDTHS = (1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400, 10**9)


def host_of(url: str) -> str:
    """Return the host of a URL, with its port; "" if it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
