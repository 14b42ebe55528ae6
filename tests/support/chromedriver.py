"""A ChromeDriver that is not the product's own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.browser.chrome.local import find_driver


@contextmanager
def running_driver(folder: Path) -> Iterator[str]:
    """The address of a ChromeDriver whose temporary folder is ``folder``. In the end it is killed,
    with all that it started.
    """
    driver = subprocess.Popen(
        [find_driver(), "--port=0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        found = (re.search(r"successfully on port (\d+)", line) for line in driver.stdout)
        yield f"http://127.0.0.1:{next(filter(None, found))[1]}"
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
