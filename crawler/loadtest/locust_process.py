"""Locust as a child of this process: it changes the standard library where it is imported, so here
it is never imported. It writes a line for each request, which is read here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SetupError
from ..local.embedded import last_line
from ..local.processes import die_with_parent, end
from .measurements import RequestTime
from .scenario import Scenario

#: The locustfiles that come with this package, in ``contrib``.
RECORDER, USERS = "load_recorder.py", "load_users.py"
#: Seconds that users may take to end what they do when the time is over, and Locust to end.
STOP_TIMEOUT, END_TIMEOUT = 2, 30.0


@dataclass(frozen=True, slots=True)
class WebPage:
    """Where Locust's own web page listens."""

    host: str
    port: int


def check_installed() -> None:
    """Check that what a load test needs is installed.

    Raises:
        SetupError: it is not.
    """
    missing = [name for name in ("locust", "starlette", "uvicorn") if not _installed(name)]
    if missing:
        raise SetupError(
            f"load tests need the extra `load` ({', '.join(missing)} is missing):"
            " pip install 'celery-crawler[load]'"
        )


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


class LocustProcess:
    """One run of Locust: the users of ``scenario`` against the jobs API at ``url``, with ``order``
    as the body of each order. ``factor``: so many times as fast as the scenario says. Files go
    into ``folder``.
    """

    def __init__(
        self,
        scenario: Scenario,
        url: str,
        token: str,
        order: Mapping[str, Any],
        folder: Path,
        *,
        factor: float = 1.0,
        web: WebPage | None = None,
    ) -> None:
        self.scenario, self.url, self.token, self.order = scenario, url, token, order
        self.factor, self.web, self.folder = factor, web, folder
        self.record, self.samples = folder / "requests.jsonl", folder / "samples.jsonl"
        self.log = folder / "locust.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._place = 0

    def command(self) -> list[str]:
        """Return the command line."""
        scenario, here = self.scenario, Path(__file__).parents[1] / "contrib"
        users = scenario.locustfile or here / USERS
        words = [sys.executable, "-P", "-m", "locust", "-f", f"{here / RECORDER},{users}"]
        words += ["--host", self.url, "-u", str(scenario.people), "-r", str(scenario.people)]
        words += ["-t", f"{max(1, round(scenario.duration))}s", "--loglevel", "WARNING"]
        words += ["--stop-timeout", str(STOP_TIMEOUT)]
        words += ["--record", str(self.record), "--samples", str(self.samples)]
        if self.web:
            words += ["--web-host", self.web.host, "--web-port", str(self.web.port)]
        else:
            words += ["--headless", "--only-summary"]
        if scenario.locustfile is None:
            words += self._own_options()
        return words

    def _own_options(self) -> list[str]:
        scenario = self.scenario
        words = ["--jobs-order", json.dumps(dict(self.order)), "--arrivals", scenario.arrivals]
        kinds = {
            "Waiter": scenario.waiters,
            "Publisher": scenario.publishers,
            "Subscriber": scenario.subscribers,
        }
        for kind, number in kinds.items():
            words += [f"--{kind.lower()}s", str(number)]
        if scenario.rate is not None:
            words += ["--job-rate", str(scenario.rate * self.factor / scenario.publishers)]
        return [*words, *(kind for kind, number in kinds.items() if number)]

    def start(self) -> None:
        """Start it."""
        self.samples.touch()
        # the latter two are what examples/load/locustfile.py reads
        environ = {
            "LOCUST_JOBS_TOKEN": self.token,
            "CRAWLER_API_TOKEN": self.token,
            "CRAWL_URL": str(self.order.get("url", "")),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=os.environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path.cwd(),
                start_new_session=True,  # Ctrl-C is ours
                preexec_fn=die_with_parent(),
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.poll() is None

    def end(self) -> None:
        """End it."""
        if self.process is not None:
            end(self.process, END_TIMEOUT)

    def read(self) -> list[RequestTime]:
        """Return the requests that were written since the last call."""
        if not self.record.exists():
            return []
        with self.record.open("rb") as file:
            file.seek(self._place)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._place += len(whole)
        lines = (json.loads(line) for line in whole.splitlines())
        return [
            RequestTime(ended, kind, name, ms / 1_000, error)
            for ended, kind, name, ms, error in lines
        ]

    def complain(self) -> None:
        """Raise if it ended without a single request: something is wrong with it.

        Raises:
            SetupError: the last line of its log.
        """
        if self._place == 0:
            raise SetupError(f"Locust did nothing: {last_line(self.log) or 'its log is empty'}")
