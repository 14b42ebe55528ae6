"""The API keeps what its description promises: schemathesis sends it thousands of requests, right and wrong ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api import TOKEN, Service, serving

#: Requests that are drawn per operation, besides those that cover each bound and each missing or wrong part.
EXAMPLES = 12
#: A stopped job is still there, with its results and its times: DELETE ends it, and forgets nothing.
NOT_OURS = "use_after_free"


def keeps_its_promises(service: Service, folder: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{service.url}/openapi.json",
        "-H", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--exclude-checks", NOT_OURS,
        "--max-examples", str(EXAMPLES), "--seed", "7", "--continue-on-failure",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout
    assert "Operations:       6 selected / 6 total" in done.stdout
    jobs = service.ask("GET", "/jobs?limit=100").json["jobs"]
    assert len(jobs) > 5  # among its requests were orders that were taken


@pytest.mark.usefixtures("redis")
def test_schemathesis_finds_no_fault_in_the_stand_alone_server(redis_server, tmp_path):
    with serving(tmp_path, redis_server.url) as service:
        keeps_its_promises(service, tmp_path)
        assert service.log is not None
        assert "Traceback" not in service.log.read_text()
