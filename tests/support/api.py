"""The jobs API as its clients meet it: a real server process, and requests over a real
connection.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.folder import CRAWLER
from tests.support.patience import PATIENCE

TOKEN = "a-token-for-tests-only"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Service:
    """A server that listens at ``url``."""

    def __init__(
        self, url: str, process: subprocess.Popen[str] | None = None, log: Path | None = None
    ) -> None:
        self.url, self.process, self.log = url, process, log
        self.parts = urlsplit(url)

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **headers: str
    ) -> Reply:
        """One request; ``body`` is sent as JSON unless it is bytes."""
        connection = http.client.HTTPConnection(
            self.parts.hostname or "", self.parts.port, timeout=PATIENCE
        )
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body)
        try:
            connection.request(method, self.parts.path + path, body, sent)
            response = connection.getresponse()
            return Reply(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def until(self, job: str, condition: Callable[[Any], bool], seconds: float = PATIENCE) -> Any:
        """The job as it is when ``condition`` holds of it."""
        end = time.monotonic() + seconds
        while True:
            seen = self.ask("GET", f"/jobs/{job}").json
            if condition(seen):
                return seen
            assert time.monotonic() < end, seen
            time.sleep(0.05)

    def ended(self, job: str, seconds: float = PATIENCE) -> Any:
        """The job when it has ended."""
        return self.until(job, lambda seen: seen["state"] in ("done", "failed", "stopped"), seconds)


@contextmanager
def serving(tmp_path: Path, redis_url: str, *options: str, **settings: str) -> Iterator[Service]:
    """``crawler serve`` on a free port."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    given = {
        "redis_url": redis_url,
        "api_tokens": TOKEN,
        "api_rate": "0",
        "state_dir": str(tmp_path / "state"),
        **settings,
    }
    environ |= {f"CRAWLER_{name.upper()}": value for name, value in given.items()}
    log = tmp_path / "serve.log"
    with log.open("w") as out:
        command = [str(CRAWLER), "serve", "--port", "0", *options]
        process = subprocess.Popen(
            command, env=environ, stdout=out, stderr=out, text=True, cwd=tmp_path
        )
    try:
        yield Service(address(process, log), process, log)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(PATIENCE)


def address(process: subprocess.Popen[str], log: Path) -> str:
    """Where the server listens, by its own account."""
    while not (match := re.search(r"running on (http://\S+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    return match[1]
