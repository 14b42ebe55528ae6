"""Half characters of a page: nothing that is asked of it fails, on each way to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.common.exceptions import JavascriptException

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.local import LocalDriver
from crawler.browser.pool import Chrome
from crawler.model import Page
from crawler.profile import Profile
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

HALF = "Ten \ufffd"


@pytest.fixture(params=["devtools", "webdriver"])
def chrome(request: pytest.FixtureRequest, tmp_path) -> Iterator[Chrome]:
    if request.param == "devtools":
        with Chrome(Endpoint(page_load_timeout=10)) as chrome:
            yield chrome
        return
    driver = LocalDriver(tmp_path)
    with Chrome(Endpoint(url=driver.url, page_load_timeout=10)) as chrome:
        yield chrome
    driver.kill()


def test_whatever_is_asked_has_whole_characters(chrome: Chrome, site: Server):
    page = Page(site.url("/halves"))
    with chrome.session(Profile("tests")) as browser:
        live = browser.live(page, browser.request(page))
        assert (live.title, live.text("h1"), live.texts("h1, p")) == (HALF, HALF, [HALF, "fine"])
        assert (live.attr("p", "data-y"), live.attrs("p", "data-y")) == (HALF, [HALF])
        for js in ("window.half", "const one = 1; return half", "Promise.resolve(half)"):
            assert live.evaluate(js) == HALF
        assert live.evaluate("const one = 1; return {[half]: [half]}") == {HALF: [HALF]}
        with pytest.raises(JavascriptException, match=HALF):
            live.evaluate("(() => { throw new Error(half) })()")
        # what is handed in becomes whole, too
        assert live.evaluate("arguments[0]", "x\ud83d") == "x\ufffd"
        assert live.text("#x\ud83d") is None
