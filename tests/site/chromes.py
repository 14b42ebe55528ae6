"""The kinds of Chrome that are installed to test with."""

from __future__ import annotations

import shutil

import pytest

from crawler.browser.chrome.local import CHROMES, is_shell

#: One headless shell and one whole browser, as far as they are installed: they differ in error
#: pages, PDF, log-ins and more.
SHELL, WHOLE = (
    next((path for path in map(shutil.which, CHROMES) if path and is_shell(path) is shell), None)
    for shell in (True, False)
)
KINDS = [
    pytest.param(path, id=name) for path, name in ((SHELL, "shell"), (WHOLE, "whole")) if path
] or [None]
