"""``python -m benchmarks.start [--quick] [--save]``: how long people wait after the Enter key: for
``crawler --help``, and for the first page of ``crawler start URL``, which brings up Redis, workers
and Chrome first.

The command is a process of its own, each time in a new folder; the site is served from memory here.
The first round, which warms the machine's caches and has Python keep what it compiles, as pip does
for those who install the package, does not count. Takes a minute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from benchmarks.pages import table

ROUNDS, QUICK_ROUNDS = 7, 3
COMMAND = Path(sys.executable).with_name("crawler")
DOCUMENT = (
    b"<!doctype html><html><head><title>First</title></head><body><h1>First</h1></body></html>"
)
#: Seconds after which a command that shows nothing hangs.
PATIENCE = 60.0
#: Seconds between two looks at the file of results.
LOOK_INTERVAL = 0.005
#: Each moment, as the table names it, and its target in seconds.
MOMENTS = {
    "`crawler --help` has printed": 0.3,
    "`crawler start URL`: Chrome asks for the first page": None,
    "`crawler start URL`: its result is in the file": 2.0,
    "`crawler start URL` of one page has ended": None,
}
PAGE = table.ROOT / "docs" / "performance.md"


def main() -> None:
    """Measure, and show what was found."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.start", description=__doc__.splitlines()[0]
    )
    options.add_argument("--quick", action="store_true", help="fewer rounds")
    options.add_argument("--save", action="store_true", help=f"write the table to docs/{PAGE.name}")
    chosen = options.parse_args()
    found: defaultdict[str, list[float]] = defaultdict(list)
    rounds = QUICK_ROUNDS if chosen.quick else ROUNDS
    for number in range(rounds + 1):
        for moment, seconds in zip(MOMENTS, (help_time(), *start_times()), strict=True):
            if number:
                found[moment].append(seconds)
    text = markdown(found)
    print(text)
    if chosen.save:
        table.put(PAGE, "start", text)


def markdown(found: dict[str, list[float]]) -> str:
    """Return the table of medians and spreads, with the load of the machine, for people."""
    rounds = len(next(iter(found.values())))
    load = os.getloadavg()[0]
    lines = [
        f"Medians of {rounds}, seconds after the Enter key, {os.cpu_count()} cores, load {load:.1f}"
        " (of which this takes about 1).",
        "",
        "| when | s | from, to | to reach |",
        "|---|---|---|---|",
    ]
    for moment, seconds in found.items():
        goal = MOMENTS[moment]
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        lines.append(f"| {moment} | {median(seconds):.2f} | {spread} | {goal or ''} |")
    return "\n".join(lines)


def environment() -> dict[str, str]:
    """Return the environment of somebody who has installed the package, and set nothing."""
    left_out = ("CRAWLER_", "PYTHONDONTWRITEBYTECODE")
    return {key: text for key, text in os.environ.items() if not key.startswith(left_out)}


def help_time() -> float:
    """Return the seconds that ``crawler --help`` takes."""
    began = time.perf_counter()
    subprocess.run([COMMAND, "--help"], stdout=subprocess.DEVNULL, check=True, env=environment())
    return time.perf_counter() - began


def start_times() -> tuple[float, float, float]:
    """Return the seconds until a crawl of one page has asked for it, has written its result, and
    has ended.
    """
    with tempfile.TemporaryDirectory() as name, one_page() as (url, asked):
        folder, began = Path(name), time.perf_counter()
        process = subprocess.Popen(
            [COMMAND, "start", url, "-o", "first.jsonl"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            written = first_bytes(folder / "first.jsonl", began) - began
            if process.wait(PATIENCE):
                sys.exit(f"`crawler start {url}` failed")
        finally:
            process.kill()
        ended = time.perf_counter() - began
        if not asked:
            sys.exit("the page was not asked for")
        return asked[0] - began, written, ended


def first_bytes(path: Path, began: float) -> float:
    """Return the moment at which ``path`` has bytes."""
    while not (path.exists() and path.stat().st_size):
        time.sleep(LOOK_INTERVAL)
        if time.perf_counter() - began > PATIENCE:
            sys.exit("no result was written")
    return time.perf_counter()


@contextmanager
def one_page() -> Iterator[tuple[str, list[float]]]:
    """Serve a page without links on loopback; yield its URL, and the moments at which it was asked
    for.
    """
    asked: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        """Answers with the page, or with 404."""

        def do_GET(self) -> None:
            """Answer, and note when the page was asked for."""
            found = self.path == "/"
            if found:
                asked.append(time.perf_counter())
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(DOCUMENT) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(DOCUMENT)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()


if __name__ == "__main__":
    main()
