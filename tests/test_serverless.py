"""The serverless example from end to end: a function for each page, each in a fresh process, a real
Redis and a real Chrome.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.folder import until

pytestmark = pytest.mark.browser

pytest.importorskip("boto3", reason="boto3 is not installed: pip install -e .[dev]")

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_each_page_is_done_by_a_function_that_the_start_hook_invokes(tmp_path):
    functions_log = tmp_path / "functions.log"
    environ = os.environ | {
        "CRAWLER_STATE_DIR": str(tmp_path / "state"),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "PYTHONUNBUFFERED": "1",
    }
    with PrivateRedis(tmp_path / "redis") as redis, ExitStack() as ending:

        def begin(script: str, log: Path) -> str:
            """Start a server of the examples; its address."""
            with log.open("w") as out:
                process = subprocess.Popen(
                    [sys.executable, EXAMPLES / script],
                    env=environ,
                    stdout=out,
                    stderr=out,
                    text=True,
                )
            ending.callback(process.wait)
            ending.callback(process.kill)
            until(log.read_text, process)
            return log.read_text().strip()

        environ["CRAWLER_REDIS_URL"] = redis.url
        environ["SHOP_URL"] = begin("demo/serve.py", tmp_path / "site.log")
        environ["AWS_ENDPOINT_URL_LAMBDA"] = begin("serverless/stand_in.py", functions_log)
        crawl = [sys.executable, EXAMPLES / "serverless/shop.py"]
        done = subprocess.run(
            crawl, env=environ, capture_output=True, text=True, timeout=100, check=False
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": "FINISHED", "done": 4, "failed": 0}
    pages = [
        json.loads(line)["page"]
        for line in functions_log.read_text().splitlines()
        if line.startswith('{"page"')
    ]
    # the last one may end the crawl before its function has spoken
    assert len(pages) == len(set(pages)) >= 3
