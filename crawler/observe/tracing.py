"""Spans for OpenTelemetry: one per run, and one under it per step. Without a collector, nothing is
imported.

A run is the root of its own trace: a crawl has no end in sight, and a trace must have one. It is
linked to the sender of its wake-up: a request of a web site, or the run before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import SetupError
from ..model import Page
from ..redaction import masked

#: Milliseconds that the last spans of a process may take to be sent when it ends.
FLUSH_TIMEOUT_MS = 3_000


def headers() -> dict[str, str]:
    """Return headers that link the run of a message to the current span; none without tracing."""
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


class Tracer:
    """A sender of spans to the OTLP collector at ``url`` (``http://host:4318/v1/traces``).

    It has a thread, so a process makes its own after the fork. Headers and the like are the
    exporter's own ``OTEL_…`` variables.

    Raises:
        SetupError: the extra ``otel`` is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            from opentelemetry import propagate, trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise SetupError(
                "CRAWLER_TRACES_URL needs the extra `otel`: pip install 'celery-crawler[otel]'"
            ) from error
        self.trace: Any = trace
        self.propagate: Any = propagate
        self.provider = TracerProvider(
            resource=Resource.create({"service.name": "celery-crawler"}), shutdown_on_exit=False
        )
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        self.tracer: Any = self.provider.get_tracer("crawler")

    @contextmanager
    def run(self, crawl: str, carrier: Mapping[str, str]) -> Iterator[Steps]:
        """Open the span of a run of ``crawl``; yield the observer of its steps. ``carrier``: the
        headers of the message.
        """
        sender = self.trace.get_current_span(
            self.propagate.extract(dict(carrier))
        ).get_span_context()
        span = self.tracer.start_as_current_span(
            "crawler.run",
            context=self.trace.set_span_in_context(self.trace.INVALID_SPAN),
            kind=self.trace.SpanKind.CONSUMER,
            links=[self.trace.Link(sender)] if sender.is_valid else [],
            attributes={"crawler.crawl": crawl},
            record_exception=False,  # its text may hold secrets
        )
        with span as whole:
            steps = Steps(self.tracer, whole)
            try:
                yield steps
            finally:
                steps.end()

    def close(self) -> None:
        """Send the spans that are left."""
        self.provider.force_flush(FLUSH_TIMEOUT_MS)
        self.provider.shutdown()


class Steps:
    """The span of a run's current step; spans of the libraries that hooks use come under it."""

    def __init__(self, tracer: Any, whole: Any) -> None:
        self.tracer, self.whole = tracer, whole
        self.current: Any = None

    def __call__(self, step: str, page: Page | None) -> None:
        """Begin the span of ``step``, which the run reaches now."""
        self.end()
        if page is not None:
            self.whole.set_attributes(
                {
                    "url.full": masked(page.url),
                    "crawler.depth": page.depth,
                    "crawler.attempt": page.attempt,
                }
            )
        self.current = self.tracer.start_as_current_span(f"crawler.{step}", record_exception=False)
        self.current.__enter__()

    def end(self) -> None:
        """End the span of the step."""
        if self.current is not None:
            self.current.__exit__(None, None, None)
            self.current = None
