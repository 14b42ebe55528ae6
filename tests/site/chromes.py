"""Whether there is a Chrome to test with."""

from __future__ import annotations

import os

import pytest

from crawler.browser import find_chrome, find_driver

#: Tests that bear this are skipped without a Chrome and a ChromeDriver, except in CI, where they fail.
needs_chrome = pytest.mark.skipif(
    not (find_chrome() and find_driver()) and not os.environ.get("CI"), reason="no Chrome and ChromeDriver on the path"
)
