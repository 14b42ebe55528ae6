"""Spans of a real worker, as a collector on loopback gets them."""

from __future__ import annotations

import gzip
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import SetupError
from crawler.observe.tracing import Tracer, headers
from crawler.run.timings import STEPS
from tests.support.ground import Ground, shop
from tests.support.patience import PATIENCE
from tests.support.webdriver import Doc


class Collector:
    """An OTLP collector: keeps every span that it is sent."""

    def __init__(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        found = self.spans = []  # type: list[Any]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = ExportTraceServiceRequest.FromString(
                    gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
                )
                found.extend(
                    span
                    for resource in sent.resource_spans
                    for scope in resource.scope_spans
                    for span in scope.spans
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def otel(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry, for this test and the workers that it starts: from where `.ci/setup` puts it,
    or installed.
    """
    apart = Path(sys.prefix) / "otel"
    if apart.is_dir():
        monkeypatch.setenv("PYTHONPATH", str(apart))
        monkeypatch.syspath_prepend(str(apart))
    try:
        import opentelemetry.proto  # noqa: F401
    except ImportError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the extra `otel` is not installed")


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    yield there
    there.close()


@pytest.mark.usefixtures("otel")
def test_a_worker_sends_a_span_of_each_run_and_step(ground: Ground):
    collector = Collector()
    ground.chrome_on({"/": Doc(links=["/gone"]), "/gone": Doc(status=404)})
    worker = ground.worker(2, traces_url=collector.url)
    ground.until_end(ground.crawl(shop(concurrency_limit=1)))
    worker.process.terminate()  # the last spans of its processes are sent when they end
    worker.process.wait(PATIENCE)
    runs = [span for span in collector.spans if span.name == "crawler.run"]
    about = [
        {item.key: item.value.string_value or item.value.int_value for item in span.attributes}
        for span in runs
    ]
    assert {one["crawler.crawl"] for one in about} == {"shop"}
    pages = {
        one["url.full"]: span for one, span in zip(about, runs, strict=True) if "url.full" in one
    }
    assert sorted(pages) == ["http://127.0.0.1/", "http://127.0.0.1/gone"]
    first, second = (pages[url] for url in sorted(pages))
    # every step of a page that was done, in their order, within the time of its run
    steps = sorted(
        (span for span in collector.spans if span.parent_span_id == first.span_id),
        key=lambda span: span.start_time_unix_nano,
    )
    names = [span.name.removeprefix("crawler.") for span in steps]
    assert names == ["execute", "validate", *(step for step in STEPS if step in names), "start"]
    assert {*STEPS} - {*names} == {"before_all"}
    assert all(
        first.start_time_unix_nano
        <= span.start_time_unix_nano
        <= span.end_time_unix_nano
        <= first.end_time_unix_nano
        for span in steps
    )
    assert not any(
        span.name == "crawler.extract"
        for span in collector.spans
        if span.parent_span_id == second.span_id
    )
    # each run is a trace of its own, linked to the one that sent its wake-up
    assert len({span.trace_id for span in runs}) == len(runs)
    assert [link.trace_id for link in second.links] == [first.trace_id]
    assert not first.links


def test_without_the_extra_nothing_is_missed_until_spans_are_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    assert headers() == {}
    with pytest.raises(SetupError, match="needs the extra `otel`"):
        Tracer("http://127.0.0.1:9/v1/traces")


@pytest.mark.usefixtures("otel")
def test_a_collector_that_is_away_costs_no_page(ground: Ground):
    ground.chrome_on({"/": Doc(links=["/a"]), "/a": Doc()})
    ground.worker(traces_url="http://127.0.0.1:9/v1/traces")
    assert ground.until_end(ground.crawl(shop())).done == 2
