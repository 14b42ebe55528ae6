"""A user's folder in which the real command line runs, and how a test waits for what a command
does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

CRAWLER = Path(sys.executable).parent / "crawler"


class Folder:
    """A user's folder: commands run in it, and what they leave running can be told by its state
    folder in their environment.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")
        }
        self.environ["CRAWLER_STATE_DIR"] = str(path / "state")

    def command(self, *words: str) -> list[str]:
        return [str(CRAWLER), *words]

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.path,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.path,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        """Every process that was started in this folder's name and has not ended."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("CRAWLER_STATE_DIR") == self.environ["CRAWLER_STATE_DIR"]:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left_over(self) -> list[str]:
        """What still runs, a moment after the command ended (a process needs one to vanish)."""
        _, alive = psutil.wait_procs(self.processes(), timeout=5)
        return [" ".join(process.cmdline()) for process in alive]

    def workers(self) -> list[psutil.Process]:
        """The worker's parent process first, then its children."""
        found = [
            process for process in self.processes() if "crawler.tasks.app" in process.cmdline()
        ]
        return sorted(found, key=lambda process: process.ppid() in {other.pid for other in found})

    def lines(self, name: str = "items.jsonl") -> list[dict]:
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]

    def whole_lines(self, name: str = "items.jsonl") -> list[str]:
        """The lines that are written to their end."""
        path = self.path / name
        return path.read_text().split("\n")[:-1] if path.exists() else []


def until(
    condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60
) -> None:
    """Wait until ``condition`` holds; fail if ``process`` ends first."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited too long"
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue


def urls(lines: list[dict]) -> list[str]:
    """The URLs of result lines."""
    return [line["url"] for line in lines]
