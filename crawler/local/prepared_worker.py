"""A worker that imports its modules while the command that needs it is still busy with its own: on
two cores that takes half a second off the way to the first page.

It does nothing before ``take`` tells it what to be, and ends when the command does. This module
imports little, so that a command can begin with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The program of a worker, its word for one that waits, and what it imports meanwhile.
PROGRAM, WAIT = "crawler.local.celery_worker", "--wait"
MODULES = ("crawler.tasks.worker", "crawler.services")
#: The Celery app, which tells a worker from other processes.
APP = ("-A", "crawler.tasks.app", "worker")

#: The crawl whose first run is awaited of this process, a worker; "": none is known.
first_crawl = ""

_lock = threading.Lock()
_waiting: list[subprocess.Popen[bytes]] = []


def prepare() -> None:
    """Start a process that may become a worker. Without one, a worker takes longer to start."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, WAIT, *MODULES, *APP],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return
    with _lock:
        _waiting.append(process)


def take(
    command: Sequence[str], log: Path, *, env: Mapping[str, str], first: str = ""
) -> subprocess.Popen[bytes] | None:
    """Let the waiting process run ``command``, a worker, in the environment ``env``,
    its output appended to ``log``; it will get a run of the crawl ``first``. None: none waits, or
    ``command`` is another program.
    """
    start = [sys.executable, "-m", PROGRAM]
    with _lock:
        process = _waiting.pop() if _waiting else None
    if process is None or process.stdin is None:
        return None
    if list(command[: len(start)]) != start or process.poll() is not None:
        _end(process)
        return None
    order = {
        "words": list(command[len(start) :]),
        "environment": dict(env),
        "log": str(log),
        "parent": os.getpid(),
        "first": first,
    }
    try:
        with process.stdin as line:
            line.write(json.dumps(order).encode())
    except OSError:  # it has died
        _end(process)
        return None
    return process


def discard() -> None:
    """End a process that was prepared, and is not needed."""
    with _lock:
        left, _waiting[:] = list(_waiting), []
    for process in left:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()
