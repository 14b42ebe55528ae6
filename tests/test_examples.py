"""The examples do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent


@pytest.fixture
def shop() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, ROOT / "examples/demo/serve.py"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


def test_a_crawl_with_its_own_start_hook_needs_no_celery_worker(shop, tmp_path):
    with PrivateRedis(tmp_path / "redis") as redis:
        environ = os.environ | {
            "CRAWLER_REDIS_URL": redis.url,
            "CRAWLER_STATE_DIR": str(tmp_path / "state"),
        }
        done = subprocess.run(
            [sys.executable, ROOT / "examples/own_start.py", shop],
            env=environ,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout.splitlines()[-1])
        assert report["status"] == "FINISHED"
        assert report["done"] == 6  # its page limit
        _, left = psutil.wait_procs(
            [one for one in psutil.process_iter() if belongs(one, tmp_path)], timeout=PATIENCE
        )
        assert left == []
        assert list((tmp_path / "state").glob("chrome-*")) == []


def belongs(process: psutil.Process, folder: Path) -> bool:
    """Whether ``process`` was started for the crawl whose state is in ``folder``."""
    try:
        return process.environ().get("CRAWLER_STATE_DIR") == str(folder / "state")
    except psutil.Error:
        return False
