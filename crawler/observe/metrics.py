"""Metrics for Prometheus, read from Redis at each scrape: they cover every worker, and outlive all
of them.

One process serves it (``crawler metrics``). A project that has a registry of its own registers a
:class:`Collector` with it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector as AnyCollector

from ..api.job import PREFIX as JOB
from ..browser.chrome.registry import Registry
from ..client.client import Client
from ..client.job_tallies import POWERS as JOB_POWERS
from ..client.job_tallies import PROCESSING, WAITING, JobTallies
from ..client.standstill import Reason, Standstill
from ..client.webhooks import JOB_KEYS, Webhooks
from ..client.workers import WorkerRegistry, browser_memory_of
from ..errors import CrawlerError
from ..frontier.frontier import Frontier
from ..model import Snapshot, Status
from ..output.fetch_ways import WAYS
from ..run.timings import POWERS, STEPS
from ..storage.connection import RedisClient, servers
from ..storage.errors import redis_errors
from ..storage.server import server_time

#: Crawls that are shown in detail, those that run before those that ended: each has about 250
#: lines.
CRAWLS_MAX = 100
#: Seconds for which a crawl that has ended is still shown in detail; afterwards only in the number
#: of crawls.
ENDED_SHOWN = 3_600.0
#: Reasons of failed pages that are shown for a crawl, the most frequent ones; the rest together is
#: "other".
REASONS_MAX = 30

#: Routes that are shown for a crawl, those with the most pages; the rest together is "other".
ROUTES_MAX = 30

#: Upper bounds of the histograms, in seconds.
BOUNDS = [2**power / 1_000 for power in range(POWERS)]

#: Counters of a crawl: the name in the frontier, that of the metric, and its help.
COUNTERS = {
    "items": ("items", "Pages whose extract gave something."),
    "retried": ("retries", "Attempts that were put off to another time."),
    "crashed": ("crashes", "Attempts that killed their browser or their worker."),
    "reaped": ("reaps", "Pages taken back because the lease of their worker had run out."),
    "stale": (
        "stale_reports",
        "Reports about pages that were no longer their worker's; they did not count.",
    ),
    "throttled": ("throttles", "Answers that asked for patience (429, Retry-After)."),
    "released": (
        "releases",
        "Pages given back without fault: browsers were away, or their worker ended.",
    ),
    "dup": ("duplicates", "Pages that turned out to be another one, by a redirect."),
}


@dataclass(frozen=True, slots=True)
class CrawlState:
    """One crawl at one scrape."""

    snapshot: Snapshot
    tallies: Mapping[str, int]
    concurrency: int
    still: Reason | None  # why it stands still


#: A number, or several of them by a label and its value.
Value = Callable[[CrawlState], "float | dict[tuple[str, str], float]"]


class Collector(AnyCollector):
    """Metrics of all crawls in the Redis of ``redis``, whose keys begin with ``prefix``.

    ``standstill`` says why a crawl stands still (:meth:`Client.standstill`); without it, that is no
    metric.
    """

    def __init__(
        self,
        redis: RedisClient,
        prefix: str = "",
        *,
        standstill: Callable[[str], Standstill | None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.redis, self.prefix, self.clock = redis, prefix, clock
        self.standstill = standstill

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks Redis nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; if Redis does not answer, only that it does not."""
        up = GaugeMetricFamily("crawler_redis_up", "Whether the frontier's Redis answers.", value=1)
        began = time.monotonic()
        try:
            metrics = [*self._server(), *self._crawls()]
        except CrawlerError:
            up.samples.clear()
            up.add_metric([], 0)
            metrics = []
        yield up
        yield from metrics
        yield GaugeMetricFamily(
            "crawler_scrape_duration_seconds",
            "How long it took to ask Redis for all this.",
            value=time.monotonic() - began,
        )

    def _server(self) -> Iterator[Metric]:
        used = limit = 0
        with redis_errors():
            for server in servers(self.redis):
                memory: Any = server.info("memory")
                used += int(memory.get("used_memory", 0))
                limit += int(memory.get("maxmemory", 0) or 0)
        yield GaugeMetricFamily("crawler_redis_memory_bytes", "Memory that Redis uses.", value=used)
        yield GaugeMetricFamily(
            "crawler_redis_memory_limit_bytes", "Its maxmemory; 0: all there is.", value=limit
        )
        registry = WorkerRegistry(self.redis, self.prefix)
        workers = registry.workers()
        yield GaugeMetricFamily(
            "crawler_workers", "Workers that announced themselves lately.", value=len(workers)
        )
        text = "Memory of the Chromes that live workers have started, by part of a Chrome."
        family = GaugeMetricFamily("crawler_browser_memory_bytes", text, labels=["part"])
        for part, size in sorted(browser_memory_of(workers).items()):
            family.add_metric([part], size)
        yield family
        yield CounterMetricFamily(
            "crawler_messages_refused",
            "Messages that workers refused: they were none of this project.",
            value=registry.refused(),
        )
        yield CounterMetricFamily(
            "crawler_webhooks_failed",
            "Webhooks of jobs that no receiver took, given up after all attempts.",
            value=Webhooks(self.redis, self.prefix + JOB_KEYS).failures(),
        )
        yield from self._sessions()

    def _sessions(self) -> Iterator[Metric]:
        registry = Registry(self.redis, self.prefix)
        entries, now = registry.sessions(), self.clock()
        text = (
            "Browser sessions at a Grid or another remote endpoint; those of local Chromes are"
            " their workers' alone."
        )
        yield GaugeMetricFamily("crawler_browser_sessions", text, value=len(entries))
        age = max((now - entry.started for entry in entries), default=0.0)
        yield GaugeMetricFamily(
            "crawler_browser_session_age_seconds", "Age of the oldest of them.", value=max(0.0, age)
        )
        text = "Sessions that were ended because their worker was gone."
        yield CounterMetricFamily("crawler_browser_session_reaps", text, value=registry.reaped())

    def _crawls(self) -> Iterator[Metric]:
        snapshots = list(self._snapshots())
        statuses = Counter(snapshot.status for snapshot in snapshots)
        family = GaugeMetricFamily("crawler_crawls", "Crawls in each status.", labels=["status"])
        for status in Status:
            family.add_metric([status.value.lower()], statuses[status])
        yield family
        yield from self._jobs(snapshots)
        now = self.clock()
        shown = [
            one for one in snapshots if not one.status.ended or now - (one.ended or 0) < ENDED_SHOWN
        ]
        shown.sort(key=lambda one: (one.status.ended, -(one.started or 0)))
        states = [self._state(snapshot) for snapshot in shown[:CRAWLS_MAX]]
        yield from page_metrics(states)
        yield from time_metrics(states, now)
        yield from counters(states)
        yield attempts(states)
        yield from route_metrics(states)
        yield decisions(states)
        yield from histograms(states)

    def _jobs(self, snapshots: list[Snapshot]) -> Iterator[Metric]:
        totals = JobTallies(self.redis, self.prefix + JOB_KEYS).totals()
        for word, number in (("ordered", totals.ordered), ("done", totals.ended("done"))):
            yield CounterMetricFamily(f"crawler_jobs_{word}", f"Jobs that were {word}.", number)
        text = "Jobs that were stopped, by a client, a hook or their error_limit."
        yield CounterMetricFamily("crawler_jobs_stopped", text, totals.ended("stopped"))
        text = "Jobs that failed, by kind of failure."
        failed = CounterMetricFamily("crawler_jobs_failed", text, labels=["reason"])
        for reason, number in {"other": 0, **reasons(totals.failures)}.items():
            failed.add_metric([reason], number)
        yield failed
        going = [one for one in snapshots if one.name.startswith(JOB) and not one.status.ended]
        waiting = [one for one in going if one.begun is None]
        family = GaugeMetricFamily("crawler_jobs", "Jobs that have not ended.", labels=["state"])
        family.add_metric(["waiting"], len(waiting))
        family.add_metric(["running"], len(going) - len(waiting))
        yield family
        began = min((one.started for one in waiting if one.started), default=None)
        age = 0.0 if began is None else server_time(self.redis) - began
        text = "For how long the oldest job waits of which no page was begun; 0: none waits."
        yield GaugeMetricFamily("crawler_job_oldest_waiting_seconds", text, max(0.0, age))
        for name, text in (
            (WAITING, "From the order of a job to its first page, of jobs that have ended."),
            (PROCESSING, "From the first page of a job to its end."),
        ):
            counts = accumulate(totals.buckets(name))
            bounds = [*(2**power / 1_000 for power in range(JOB_POWERS)), "+Inf"]
            buckets = [(str(bound), count) for bound, count in zip(bounds, counts, strict=True)]
            seconds = totals.seconds(name)
            yield HistogramMetricFamily(f"crawler_job_{name}_seconds", text, buckets, seconds)

    def _snapshots(self) -> Iterator[Snapshot]:
        for name in Frontier.names(self.redis, self.prefix):
            try:
                yield Frontier(self.redis, name, prefix=self.prefix).snapshot()
            except CrawlerError:  # cleared meanwhile, or of another version
                with redis_errors():
                    self.redis.ping()  # if it was Redis, say so

    def _state(self, snapshot: Snapshot) -> CrawlState:
        frontier = Frontier(self.redis, snapshot.name, prefix=self.prefix)
        plan = frontier.plan()
        concurrency = plan.policy.concurrency_limit if plan else 0
        still = None if snapshot.status.ended else self.standstill(snapshot.name)
        return CrawlState(
            snapshot, frontier.tallies(), concurrency, still.reason if still else None
        )


def page_metrics(states: list[CrawlState]) -> Iterator[Metric]:
    """Yield the status of crawls, and where their pages are."""
    yield gauge(
        "crawler_crawl_status",
        "1 for the status that the crawl has.",
        states,
        lambda one: {
            ("status", status.value.lower()): float(one.snapshot.status is status)
            for status in Status
        },
    )
    yield gauge(
        "crawler_pages",
        "Pages by where they are now.",
        states,
        lambda one: {
            ("state", state): getattr(one.snapshot, state)
            for state in ("queued", "delayed", "processing", "done", "failed")
        },
    )
    yield gauge(
        "crawler_pages_failed",
        "Failed pages by reason, until they are retried.",
        states,
        lambda one: {
            ("reason", reason): number for reason, number in reasons(one.snapshot.reasons).items()
        },
    )
    text = "Results and failures that no hook took (after, failed, after_all), until a retry."
    yield gauge("crawler_undelivered", text, states, partial(count_of, "undelivered"))
    text = "Results and failures on their way to hooks."
    yield gauge("crawler_delivering", text, states, lambda one: one.snapshot.delivering)
    text = "1 for the reason for which the crawl stands still."
    yield gauge(
        "crawler_waiting",
        text,
        [one for one in states if one.still],
        lambda one: {("reason", str(one.still)): 1.0},
    )
    text = "Known pages that are gone, or were not met, since the crawl was last begun again."
    yield gauge("crawler_vanished_pages", text, states, lambda one: one.snapshot.vanished)
    text = "Pages that may be in flight."
    yield gauge("crawler_concurrency_limit", text, states, lambda one: one.concurrency)
    text = "Wake-ups that are under way."
    yield gauge("crawler_tickets", text, states, lambda one: one.snapshot.tickets)


def time_metrics(states: list[CrawlState], now: float) -> Iterator[Metric]:
    """Yield when crawls began, worked, were held and ended; ``now`` is epoch seconds."""
    yield gauge(
        "crawler_hold_seconds",
        "Seconds for which no page is claimed, because browsers or Redis were away.",
        states,
        lambda one: max(0.0, (one.snapshot.held_until or 0) - now),
    )
    text = "When the crawl began."
    started = "crawler_started_timestamp_seconds"
    yield gauge(started, text, states, lambda one: one.snapshot.started or 0)
    text = "When it ended; 0: it has not."
    ended = "crawler_ended_timestamp_seconds"
    yield gauge(ended, text, states, lambda one: one.snapshot.ended or 0)
    text = "Time that it was at work; pauses do not count."
    yield counter("crawler_active_seconds", text, states, lambda one: one.snapshot.active)


def counters(states: list[CrawlState]) -> Iterator[Metric]:
    """Yield the counts of crawls that only go up."""
    text = "Different pages that were queued."
    yield counter("crawler_accepted_pages", text, states, lambda one: one.snapshot.accepted)
    for name, (metric, text) in COUNTERS.items():
        yield counter(f"crawler_{metric}", text, states, partial(count_of, name))
    yield counter(
        "crawler_pages_compared",
        "Visits of pages by how their items compare with the last visit: new, changed, same.",
        states,
        lambda one: {("change", name): number for name, number in one.snapshot.changes.items()},
    )
    yield counter(
        "crawler_pages_fetched",
        "Visits of pages of crawls that need no browser for all of them, by way: http, chrome.",
        states,
        lambda one: {
            ("way", way): number for way in WAYS if (number := count_of(f"fetch_{way}", one))
        },
    )
    yield counter(
        "crawler_links_skipped",
        "Links that became no page, by reason.",
        states,
        lambda one: {
            ("reason", name.removeprefix("skipped_")): number
            for name, number in one.snapshot.counts.items()
            if name.startswith("skipped_")
        },
    )


def decisions(states: list[CrawlState]) -> Metric:
    """Return what hooks and conditions decided about pages."""
    text = "Pages that a hook or a condition skipped, had tried again, or found blocked."
    family = CounterMetricFamily("crawler_decisions", text, labels=["crawl", "decision", "reason"])
    for one in states:
        for word, numbers in one.snapshot.decisions.items():
            for reason, number in reasons(numbers).items():
                family.add_metric([one.snapshot.name, word, reason], number)
    return family


def attempts(states: list[CrawlState]) -> Metric:
    """Return the attempts at pages, by status and reason."""
    text = "Attempts at pages, by class of HTTP status and by reason."
    family = CounterMetricFamily("crawler_attempts", text, labels=["crawl", "status", "reason"])
    for one in states:
        for name, number in sorted(one.tallies.items()):
            if name.startswith("attempt:"):
                family.add_metric([one.snapshot.name, *name.split(":", 2)[1:]], number)
    return family


def route_metrics(states: list[CrawlState]) -> Iterator[Metric]:
    """Yield the pages of routes, and the time that they took."""
    text = "Pages that were done or failed, by the route that they took."
    labels = ["crawl", "route", "state"]
    pages = CounterMetricFamily("crawler_route_pages", text, labels=labels)
    text = "Time that the last attempts at these pages took, by route."
    seconds = CounterMetricFamily("crawler_route_seconds", text, labels=labels[:2])
    for one in states:
        for name, counts in busiest(one.snapshot.routes).items():
            for state in ("done", "failed"):
                pages.add_metric([one.snapshot.name, name, state], counts[state])
            seconds.add_metric([one.snapshot.name, name], counts["ms"] / 1_000)
    yield pages
    yield seconds


def busiest(routes: Mapping[str, Mapping[str, int]]) -> dict[str, Counter[str]]:
    """Return the counts of as many routes as a label may have: those with the most pages, and
    "other".
    """
    ranked = sorted(routes, key=lambda name: -sum(routes[name].values()))
    kept: dict[str, Counter[str]] = {}
    for place, name in enumerate(ranked):
        kept.setdefault(name if place < ROUTES_MAX else "other", Counter()).update(routes[name])
    return kept


def histograms(states: list[CrawlState]) -> Iterator[Metric]:
    """Yield how long steps and wake-ups took."""
    text = "How long the steps of runs took."
    steps = HistogramMetricFamily("crawler_step_seconds", text, labels=["crawl", "step"])
    text = "Time from the grant of a wake-up to the claim that answers it."
    wakeups = HistogramMetricFamily("crawler_wakeup_seconds", text, labels=["crawl"])
    for one in states:
        for step in STEPS:
            add_histogram(steps, [one.snapshot.name, step], one.tallies, f"step:{step}")
        add_histogram(wakeups, [one.snapshot.name], one.tallies, "wakeup")
    yield steps
    yield wakeups


def count_of(name: str, one: CrawlState) -> float:
    """Return the counter ``name`` of a crawl."""
    return one.snapshot.counts.get(name, 0)


def gauge(name: str, text: str, states: list[CrawlState], value: Value) -> Metric:
    """Return a metric that goes up and down, with the value of each crawl."""
    return metric_family(GaugeMetricFamily, name, text, states, value)


def counter(name: str, text: str, states: list[CrawlState], value: Value) -> Metric:
    """Return a metric that only goes up, until its crawl is begun again."""
    return metric_family(CounterMetricFamily, name, text, states, value)


def metric_family(
    kind: Any, name: str, text: str, states: list[CrawlState], value: Value
) -> Metric:
    """Return a family of ``kind`` with the value of each crawl."""
    values = [(one.snapshot.name, value(one)) for one in states]
    label = next((key for _, many in values if isinstance(many, dict) for key, _ in many), None)
    family: Metric = kind(name, text, labels=["crawl", *([label] if label else [])])
    for crawl, many in values:
        for labels, number in many.items() if isinstance(many, dict) else [((), many)]:
            family.add_metric([crawl, *labels[1:]], number)  # type: ignore[attr-defined]
    return family


def add_histogram(
    family: HistogramMetricFamily, labels: list[str], tallies: Mapping[str, int], name: str
) -> None:
    """Add the histogram ``name`` of a crawl, if it has one."""
    counts = [tallies.get(f"{name}:{power}", 0) for power in range(POWERS + 1)]
    if any(counts):
        bounds, totals = [*BOUNDS, "+Inf"], accumulate(counts)
        buckets = [(str(bound), total) for bound, total in zip(bounds, totals, strict=True)]
        family.add_metric(labels, buckets, tallies.get(f"{name}:us", 0) / 1_000_000)


def reasons(failed: Mapping[str, int]) -> dict[str, int]:
    """Return failed pages by kind of failure, as few kinds as a label may have: the most frequent
    ones, and "other".
    """
    sums = Counter(failed)
    kept = dict(sums.most_common(REASONS_MAX))
    if rest := sums.total() - sum(kept.values()):
        kept["other"] = kept.get("other", 0) + rest
    return kept


def registry(client: Client) -> CollectorRegistry:
    """Return a registry with the metrics of the installation of ``client``, and no others."""
    registry = CollectorRegistry()
    prefix, standstill = client.settings.key_prefix, client.standstill
    registry.register(Collector(client.redis, prefix, standstill=standstill))
    return registry
