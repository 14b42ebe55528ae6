"""A real Selenium Grid 4: a hub and nodes, each a process of its own, on free ports of loopback.

``make grid`` fetches what it needs into build/grid (Java 17 and Maven must be there). Tests bear
the mark ``needs_grid`` and take the fixture ``grid`` (``pytest_plugins = ["tests.grid.fixture"]``),
which all share: they leave it as they found it. A test that hurts a Grid makes one of its own,
``with Grid(folder, slots=1, session_timeout=3) as grid: ...``. ``grid.url`` goes to
``Endpoint(url=…)`` or to ``CRAWLER_CHROME_URL``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import pytest
import urllib3

from crawler.browser.chrome.local import find_chrome, find_driver
from crawler.local.processes import die_with_parent
from tests.support.ports import free_port, free_ports

T = TypeVar("T")

JARS = Path(__file__).resolve().parents[2] / "build" / "grid"
#: Small and quick to start; a Grid of tests does little.
JVM = (
    "-Xms16m",
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:-UsePerfData",
)
#: Seconds that a hub or a node may take to be ready; about 2 on an idle machine.
START_TIMEOUT = 90.0

missing = next(
    (
        why
        for lacks, why in (
            (not shutil.which("java"), "no java on the path"),
            (
                not any(JARS.glob("selenium-grid-*.jar")),
                "no Selenium Grid in build/grid: make grid fetches it",
            ),
            (not (find_chrome() and find_driver()), "no Chrome and ChromeDriver on the path"),
        )
        if lacks
    ),
    None,
)
#: Tests that bear this are skipped without a Grid to start, except in CI, where they fail.
needs_grid = pytest.mark.skipif(
    missing is not None and not os.environ.get("CI"), reason=str(missing)
)


@dataclass
class Part:
    """A process of the Grid: it leads a process group, which holds the drivers and Chromes of a
    node as well.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    folder: Path  # where it, its drivers and Chromes put what they write

    def kill(self) -> None:
        """As a power cut: the drivers and Chromes of a node end with it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def children(self) -> list[psutil.Process]:
        """What runs below it: drivers and Chromes. Those that lost their parent are children still:
        they are in its group.
        """
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != self.process.pid and os.getpgid(process.pid) == self.process.pid:
                    found.append(process)
            except (ProcessLookupError, psutil.Error):
                continue
        return [
            process
            for process in found
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        ]


class Grid:
    """A hub and ``nodes`` nodes with ``slots`` sessions each; everything they write is in
    ``folder``. Ready when it is made.

    ``session_timeout``: seconds of idleness after which a node ends a session. ``request_timeout``:
    seconds for which a request for a session waits for a slot. With ``user`` (``name:password``)
    nobody else is let in, and ``url`` holds it. ``binary`` is the Chrome of the nodes; None:
    ``find_chrome()``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        slots: int = 2,
        nodes: int = 1,
        session_timeout: int = 300,
        request_timeout: int = 300,
        user: str | None = None,
        binary: str | None = None,
    ) -> None:
        if missing:
            pytest.fail(missing)
        self.folder, self.session_timeout, self.request_timeout = (
            folder,
            session_timeout,
            request_timeout,
        )
        self.user, self.binary = user, binary or str(find_chrome())
        folder.mkdir(parents=True, exist_ok=True)
        self._ports = free_ports(3)
        self._http = urllib3.PoolManager(timeout=10, retries=False)
        self.nodes: list[Part] = []
        self._parts: list[Part] = []
        self.address = f"http://127.0.0.1:{self._ports[0]}"
        self.url = f"http://{user}@127.0.0.1:{self._ports[0]}" if user else self.address
        with ExitStack() as failed:
            failed.callback(self.close)
            self.hub = self.start_hub()
            for _ in range(nodes):
                self.start_node(slots)
            self.ready()
            failed.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all of it."""
        for part in self._parts:
            part.kill()
        self._http.clear()

    # Its parts

    def start_hub(self) -> Part:
        """Start the hub, again if it was killed: its address stays, and it knows no session."""
        port, publish, subscribe = self._ports
        name, _, password = (self.user or "").partition(":")
        self.hub = self._start(
            "hub",
            port,
            "--publish-events",
            f"tcp://127.0.0.1:{publish}",
            "--subscribe-events",
            f"tcp://127.0.0.1:{subscribe}",
            "--session-request-timeout",
            str(self.request_timeout),
            "--session-request-timeout-period",
            "1",
            "--healthcheck-interval",
            "2",
            "--purge-nodes-interval",
            "2",
            *(("--username", name, "--password", password) if self.user else ()),
        )
        return self.hub

    def start_node(self, slots: int) -> Part:
        """Start a further node."""
        _, publish, subscribe = self._ports
        stereotype = json.dumps(
            {"browserName": "chrome", "goog:chromeOptions": {"binary": self.binary}}
        )
        config = self.folder / f"node-{len(self._parts)}.toml"
        config.write_text(f"""
[node]
detect-drivers = false
[[node.driver-configuration]]
display-name = "chrome"
webdriver-executable = "{find_driver()}"
max-sessions = {slots}
stereotype = '{stereotype}'
""")
        node = self._start(
            "node",
            free_port(),
            "--config",
            str(config),
            "--publish-events",
            f"tcp://127.0.0.1:{publish}",
            "--subscribe-events",
            f"tcp://127.0.0.1:{subscribe}",
            "--max-sessions",
            str(slots),
            "--override-max-sessions",
            "true",
            "--session-timeout",
            str(self.session_timeout),
            "--heartbeat-period",
            "1",
            "--register-cycle",
            "1",
        )
        self.nodes.append(node)
        return node

    def _start(self, role: str, port: int, *options: str) -> Part:
        folder = self.folder / f"{role}-{len(self._parts)}"
        folder.mkdir()
        log = self.folder / f"{folder.name}.log"
        command = [
            "java",
            *JVM,
            f"-Djava.io.tmpdir={folder}",
            "-cp",
            f"{JARS}/*",
            "org.openqa.selenium.grid.Bootstrap",
            role,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--tracing",
            "false",
            *options,
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(folder), "SE_OFFLINE": "true"},
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        part = Part(process, port, log, folder)
        self._parts.append(part)
        return part

    # What tests ask

    def ready(self) -> None:
        """Wait until every node that lives has joined."""
        living = {
            f"http://127.0.0.1:{node.port}" for node in self.nodes if node.process.poll() is None
        }
        self.until(
            lambda: (
                living
                and living
                <= {
                    node["uri"]
                    for node in self.status().get("nodes", ())
                    if node["availability"] == "UP"
                }
            )
        )

    def status(self) -> dict[str, Any]:
        """What /status says: ``ready``, and the ``nodes`` with their ``slots``; nothing of it while
        the hub is away.
        """
        headers = urllib3.make_headers(basic_auth=self.user) if self.user else {}
        try:
            answer = self._http.request("GET", f"{self.address}/status", headers=headers)
            return dict(answer.json()["value"]) if answer.status == 200 else {}
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return {}

    def sessions(self) -> list[str]:
        """The ids of the sessions that it has."""
        slots = [slot for node in self.status().get("nodes", ()) for slot in node["slots"]]
        return sorted(slot["session"]["sessionId"] for slot in slots if slot["session"])

    def chromes(self) -> list[psutil.Process]:
        """The drivers and Chromes that run on its nodes."""
        return [process for part in self._parts for process in part.children()]

    def leftovers(self) -> list[Path]:
        """The files and folders that drivers and Chromes left on its nodes."""
        mine = ("hsperfdata", "asset")
        return [
            path
            for part in self._parts
            for path in part.folder.iterdir()
            if not path.name.startswith(mine)
        ]

    def until(self, condition: Callable[[], T], seconds: float = START_TIMEOUT) -> T:
        """Wait until ``condition`` gives something true; if it never does, show what the Grid
        said.
        """
        end = time.monotonic() + seconds
        while not (value := condition()):
            dead = [
                part.log.name
                for part in (self.hub, *self.nodes[-1:])
                if part.process.poll() is not None
            ]
            assert time.monotonic() < end, f"waited {seconds:g} s; ended: {dead}\n{self.said()}"
            time.sleep(0.05)
        return value

    def said(self) -> str:
        """What runs on it, and the ends of its logs."""
        runs = [
            f"{process.pid} {process.ppid()} {' '.join(process.cmdline())[:200]}"
            for process in self.chromes()
        ]
        return "\n".join(
            [
                *runs,
                *(
                    f"--- {part.log.name}\n{part.log.read_text(errors='replace')[-3000:]}"
                    for part in self._parts
                ),
            ]
        )


def main() -> None:
    """``python -m tests.grid SLOTS FOLDER``: a Grid until the end of input, for benchmarks and for
    a look at it.
    """
    slots, folder = int(sys.argv[1]), Path(sys.argv[2])
    with Grid(folder, slots=slots) as grid:
        print(grid.url, flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
