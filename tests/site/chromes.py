"""Whether there is a Chrome to test with."""

from __future__ import annotations

import os
import shutil

import pytest

from crawler.browser.chrome.local import CHROMES, find_chrome, find_driver, is_shell

#: One headless shell and one whole browser, as far as they are installed: they differ in error
#: pages, PDF, log-ins and more.
SHELL, WHOLE = (
    next((path for path in map(shutil.which, CHROMES) if path and is_shell(path) is shell), None)
    for shell in (True, False)
)
KINDS = [
    pytest.param(path, id=name) for path, name in ((SHELL, "shell"), (WHOLE, "whole")) if path
] or [None]

#: Tests that bear this are skipped without a Chrome and a ChromeDriver, except in CI, where they
#: fail.
needs_chrome = pytest.mark.skipif(
    not (find_chrome() and find_driver()) and not os.environ.get("CI"),
    reason="no Chrome and ChromeDriver on the path",
)
