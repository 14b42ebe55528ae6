"""The demo shop, for tests that crawl all of a site: a plugin with its fixture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "demo" / "serve.py"


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of the demo shop."""
    with subprocess.Popen([sys.executable, SHOP], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.fixture(scope="module")
def shop_pages() -> int:
    """How many pages the shop has, by its own account."""
    return int(subprocess.check_output([sys.executable, SHOP, "--count"]))
