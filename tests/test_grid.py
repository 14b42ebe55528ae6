"""A real Selenium Grid as the endpoint: sessions over pages, what ends them, and that none is left."""

from __future__ import annotations

import pytest

from crawler.browser import Browser, Chrome, Endpoint, Profile
from crawler.errors import PageError
from crawler.model import Page
from tests.grid import Grid, needs_grid
from tests.site.server import Server

pytest_plugins = ["tests.grid.fixture", "tests.site.fixture"]
pytestmark = needs_grid

TESTS = Profile("tests")


def get(browser: Browser, site: Server, path: str = "/ok") -> str:
    return browser.request(Page(site.url(path))).title


def test_a_session_of_a_grid_serves_page_after_page_as_a_local_one_does(grid: Grid, site: Server):
    with Chrome(Endpoint(url=grid.url, page_load_timeout=10)) as chrome:
        for _ in range(2):
            with chrome.session(TESTS) as browser:
                assert get(browser, site, "/a") == "A"
                for path, reason in (("/204", "no_content"), ("/download", "download"), ("/404-empty", "http_404")):
                    with pytest.raises(PageError, match=reason):
                        get(browser, site, path)
                assert get(browser, site, "/b") == "B"
                assert grid.sessions() == [browser.session_id]
    # Then nothing of it is left, whichever way the Chrome there was started
    grid.until(lambda: not grid.sessions() and not grid.chromes(), seconds=15)
    assert grid.leftovers() == []
