"""What ``crawler load`` adds to any locustfile: a record of each request, and a tab in Locust's web
page with what the system knows about its own jobs.

Locust loads it beside the users: ``locust -f crawler/contrib/load_recorder.py,users.py``.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from flask import request as web_request
from locust import events

#: Seconds between two writes of the record: a flush for each request would cost the test.
FLUSH_INTERVAL = 0.5
#: Samples that the tab shows, the youngest first.
SHOWN = 30
#: Bytes at the end of the file of samples that are read for them.
TAIL = 16_384
TAB = "job-queue"
#: The columns of the tab: the fields of a sample, and their titles.
COLUMNS = {
    "name": "Seconds ago",
    "waiting": "Jobs waiting",
    "oldest": "Oldest waits (s)",
    "running": "Jobs in work",
    "completed": "Completed/s",
    "ordered": "Ordered",
    "done": "Done",
    "failed": "Failed",
    "cpu": "CPU %",
}


class Recorder:
    """Writes a line of JSON for each request that Locust counts: when it ended (epoch seconds), its
    type and name, milliseconds, and the kind of its error (null: it succeeded).
    """

    def __init__(self, path: str) -> None:
        self.file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115, open until the end
        self.flushed = 0.0

    def note(
        self,
        request_type: str,
        name: str,
        response_time: float,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Note one request."""
        now = time.time()
        error = type(exception).__name__ if exception else None
        line = json.dumps([round(now, 4), request_type, name, round(response_time or 0, 2), error])
        self.file.write(line + "\n")
        if now - self.flushed > FLUSH_INTERVAL:
            self.file.flush()
            self.flushed = now

    def close(self, **_: Any) -> None:
        """Write what is left."""
        self.file.flush()


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of this file to Locust's."""
    for name in ("--record", "--samples"):
        parser.add_argument(name, metavar="FILE", default="", include_in_web_ui=False)


@events.init.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Record the requests of this Locust, and add the tab if it has a web page."""
    options = environment.parsed_options
    if options.record:
        recorder = Recorder(options.record)
        environment.events.request.add_listener(recorder.note)
        environment.events.quitting.add_listener(recorder.close)
        environment.events.test_stop.add_listener(recorder.close)
    if options.samples and environment.web_ui:
        add_tab(environment.web_ui, Path(options.samples))


def add_tab(web_ui: Any, samples: Path) -> None:
    """Add the tab, by the extension points of Locust's web page."""
    web_ui.template_args |= {
        "extended_tabs": [{"title": "Job queue", "key": TAB}],
        "extended_tables": [
            {"key": TAB, "structure": [{"key": k, "title": v} for k, v in COLUMNS.items()]}
        ],
    }

    @web_ui.app.after_request  # type: ignore[untyped-decorator, unused-ignore]
    def add_rows(response: Any) -> Any:
        if web_request.path.endswith("/stats/requests") and response.is_json:
            rows = {"key": TAB, "data": youngest(samples)}
            response.set_data(json.dumps({**response.json, "extended_stats": [rows]}))
        return response


def youngest(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the tab: the last samples in the file at ``path``, the youngest first."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return []
    rows: list[dict[str, Any]] = []
    last = None
    for line in reversed(lines):
        try:
            sample = json.loads(line)
        except ValueError:  # the first one is cut, the last one may not be whole yet
            continue
        last = sample["at"] if last is None else last
        ago = {"name": round(last - sample["at"])}
        rows.append({**ago, **{key: round(value, 1) for key, value in sample.items()}})
        if len(rows) == SHOWN:
            break
    return rows
