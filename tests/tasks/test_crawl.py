"""The tasks: what Celery, and so Flower, shows of an error."""

from __future__ import annotations

import copy

import pytest
from celery.exceptions import Ignore

from crawler.errors import BrowserUnavailable, FrontierUnavailable, HookFailed
from crawler.hooks import note_place
from crawler.tasks.crawl import plain_errors, run

URL = "http://me:s3cret@127.0.0.1/a"


@pytest.mark.parametrize("error", [KeyError("price"), MemoryError(), Ignore()])
def test_flower_shows_which_hook_failed_where_and_at_which_page(error):
    def hook():
        raise error

    def call_hook():
        try:
            hook()
        except Exception as raised:
            note_place(raised, "extract", hook, "shop", URL)
            raise

    with pytest.raises(HookFailed) as raised, plain_errors():
        call_hook()
    shown = repr(copy.copy(raised.value))  # a worker's process sends a copy
    assert shown.startswith(type(error).__name__)
    assert ", raised by the hook extract of the crawl shop at http://" in shown
    assert "127.0.0.1/a, " in shown
    assert "test_crawl.py:" in shown
    assert "s3cret" not in shown


def test_an_outage_is_logged_without_a_traceback():
    with pytest.raises(FrontierUnavailable, match="away"), plain_errors():
        raise FrontierUnavailable("away")
    assert {FrontierUnavailable, BrowserUnavailable} <= set(run.throws)
