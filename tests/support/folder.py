"""A user's folder in which the real command line runs, and how a test waits for what a command
does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from click.testing import CliRunner, Result

from crawler.cli import main
from tests.support.patience import PATIENCE

CRAWLER = Path(sys.executable).parent / "crawler"


#: Runs the commands in its argument, each in a fork, with files for what it says and its status.
RUN_ALL = """
import json, os, sys
import crawler.client.client, crawler.output.files.items_file
from crawler.cli import main
for number, words in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with open(f"{number}.status", "w") as file:
            file.write(str(status))
        continue
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{number}.{name}", os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    main(words)
"""


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

    def run_all(self, *commands: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
        """Run commands one after the other, each in a process of its own; what all need is imported
        once for them.
        """
        subprocess.run(
            [sys.executable, "-c", RUN_ALL, json.dumps(commands)],
            cwd=self.path,
            env=self.environ,
            check=True,
            timeout=PATIENCE,
        )
        done = []
        for number, words in enumerate(commands):
            files = (self.path / f"{number}.{name}" for name in ("status", "out", "err"))
            status, out, err = (file.read_text() for file in files)
            done.append(subprocess.CompletedProcess(words, int(status), out, err))
        return done

    def here(self, *words: str, stdin: str | None = None) -> Result:
        """Run a command in this process, and return how it ended. One of its own for each would
        take most of a second.
        """
        absent = {name: None for name in os.environ if name.startswith("CRAWLER_")}
        log = logging.getLogger("crawler")
        level = log.level
        with contextlib.chdir(self.path):
            end = CliRunner().invoke(
                main, words, stdin, env=absent | self.environ, catch_exceptions=False
            )
        log.setLevel(level)
        return end

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
        """Every process that was started in this folder's name, or in that of one in it, and has
        not ended.
        """
        found = []
        own = self.environ["CRAWLER_STATE_DIR"]
        for process in psutil.process_iter():
            try:
                state = process.environ().get("CRAWLER_STATE_DIR", "")
                if state == own or state.startswith(f"{own}/"):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left_over(self) -> list[str]:
        """What still runs, a moment after the command ended (a process needs one to vanish)."""
        _, alive = psutil.wait_procs(self.processes(), timeout=PATIENCE)
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
    condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = PATIENCE
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
