"""Pages of a Chrome elsewhere: at a plain ChromeDriver, and on a Selenium Grid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.page import LivePage
from crawler.browser.pool import Chrome
from crawler.definition.bounds import entry_pages
from crawler.definition.browser_profile import profile_of
from crawler.definition.network import guard_of, proxies_of
from crawler.errors import PageError
from crawler.model import Response
from crawler.net.permits import Permits
from crawler.run.request import accept
from tests.grid import needs_grid
from tests.site.proxies import ProxyServer
from tests.site.server import CERTIFICATE, Server
from tests.support.bare_chrome import BareChrome, TokenHost
from tests.support.chromedriver import running_driver

pytest_plugins = ["tests.site.fixture", "tests.grid.fixture"]


@pytest.fixture(
    params=[
        pytest.param("driver", marks=pytest.mark.browser),
        pytest.param("grid", marks=[pytest.mark.browser, needs_grid]),
        pytest.param("bare", marks=pytest.mark.browser),
    ]
)
def endpoint(
    request: pytest.FixtureRequest, den: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    if request.param == "grid":
        yield request.getfixturevalue("grid").url
        return
    if request.param == "bare":
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        with BareChrome(den) as chrome, TokenHost(chrome, CERTIFICATE) as host:
            yield host.url()
            assert chrome.is_alone()
        return
    with running_driver(den) as address:
        yield address


def test_a_chrome_elsewhere_does_what_a_local_one_does(endpoint: str, site: Server, tmp_path: Path):
    crawls = {
        "plain": {"wait_for": "#list", "scroll": True},
        "dressed": {
            "mobile": True,
            "window": [400, 800],
            "timezone": "Asia/Tokyo",
            "headers": {"X-Crawler": "me"},
            "block": ["*/ads/*"],
            "basic_auth": {"127.0.0.1": "me:s3c:ret"},
            "response_headers": True,
            "console": True,
            "timings": True,
            "frames": True,
            "screenshot": "page",
            "pdf": True,
            "wait_quiet": 0.2,
        },
        "led": {"referer": ["https://www.search.test/?q=a", "link"], "keep_headers": True},
        "known": {},
        "curious": {"capture": "*/api/*", "wait_for_response": "*/api/late"},
    }
    permits = Permits(guard_of(Crawl(name="x", url=site.url())), obey=False)
    with Chrome(Endpoint(url=endpoint, page_load_timeout=10, files=tmp_path / "files")) as chrome:

        def ask(path: str, kind: str = "dressed", **fields) -> tuple[Response, LivePage]:
            crawl = Crawl(name=kind, url=site.url(path), **crawls[kind], **fields)
            if kind == "known":
                crawl.before(lambda browser: browser.headers({"Authorization": "s3c"}))
            page = entry_pages(crawl)[0]
            with chrome.session(profile_of(crawl, permits.flags(local=False))) as browser:
                browser.url_ahead = page.url
                if hook := crawl.hooks.get("before"):
                    hook(browser)
                response = accept(crawl, page, browser, permits)
                return response, browser.live(page, response)

        plain = ask("/comes", "plain")[0]
        assert [link.url for link in plain.links] == [site.url("/from-late")]
        assert (plain.headers, plain.status_text, plain.redirects) == (None, None, None)

        captured = ask("/shelf", "curious")[1].responses("*/books*")
        assert [one.json()["price"] for one in captured] == ["£9"]

        first, live = ask("/sent", "led")
        assert json.loads(live.text("pre"))["Referer"] == "https://www.search.test/?q=a"
        assert live.evaluate("document.referrer") == "https://www.search.test/?q=a"
        assert (first.ok, first.status, first.status_text, first.redirects) == (True, 200, "OK", ())
        assert (first.headers["x-served-by"], first.headers["set-cookie"]) == ("me", "***")
        assert first.content_type == "text/html"
        assert first.timing["response"] > 0
        with pytest.raises(PageError, match="no_content"):
            ask("/204", "led")
        with pytest.raises(PageError, match="download"):
            ask("/download", "led")

        assert '"Authorization": "s3c"' in ask("/sent", "known")[1].text("pre")

        before = site.hits.copy()
        sent, live = ask("/sent")
        assert json.loads(live.text("pre"))["X-Crawler"] == "me"
        assert "Mobile" in live.evaluate("navigator.userAgent")
        assert live.evaluate("[new Date().getTimezoneOffset(), navigator.maxTouchPoints]") == [
            -540,
            5,
        ]
        loaded = site.hits - before
        assert (loaded["/shot.png"] > 0, loaded["/ads/1.png"]) == (True, 0)
        assert (sent.status_text, sent.headers["x-served-by"], sent.redirects) == ("OK", "me", ())
        assert [file.name.split(".")[1] for file in sent.files] == ["png", "pdf"]
        assert all(
            (tmp_path / "files" / "dressed" / file.name).stat().st_size == file.size
            for file in sent.files
        )
        assert sent.timings["load"] > 0

        assert ask("/hop/2")[0].redirects == (site.url("/hop/2"), site.url("/hop/1"))
        assert [entry["level"] for entry in ask("/complains")[0].console] == [
            "error",
            "warning",
            "error",
        ]
        assert sorted(link.url.split("/")[3] for link in ask("/framed")[0].links) == [
            "204",
            "framed?inner=1",
            "from-b",
            "from-frame",
            "from-top",
        ]
        assert ask("/private/a")[0].title == "In"
        for path, told in {"/204": ("no_content", 204), "/download": ("download", 200)}.items():
            with pytest.raises(PageError) as failed:
                ask(path)
            assert (failed.value.reason, failed.value.status) == told


def test_a_chrome_elsewhere_goes_through_a_proxy_that_asks_for_no_password(
    endpoint: str, site: Server
):
    with (
        ProxyServer("socks5") as proxy,
        Chrome(Endpoint(url=endpoint, page_load_timeout=10)) as chrome,
    ):
        crawl = Crawl(name="x", url=site.url("/a"), proxy=proxy.url())
        permits = Permits(guard_of(crawl), obey=False, proxies=proxies_of(crawl, {}))
        with chrome.session(profile_of(crawl, permits.flags(local=False))) as browser:
            assert accept(crawl, entry_pages(crawl)[0], browser, permits).title == "A"
        # a whole Chrome asks its maker for things as well
        assert f"127.0.0.1:{site.server_address[1]}" in proxy.asked


def test_each_crawl_has_a_browser_without_the_cookies_and_storage_of_others(
    endpoint: str, site: Server
):
    with Chrome(Endpoint(url=endpoint, page_load_timeout=10)) as chrome:

        def shown(name: str, path: str) -> list[str | None]:
            crawl = Crawl(name=name, url=site.url(path))
            page = entry_pages(crawl)[0]
            with chrome.session(profile_of(crawl)) as browser:
                live = browser.live(page, browser.request(page))
                return [live.text("h1"), live.text("#token")]

        shown("one", "/login")
        assert shown("one", "/me")[1] == "secret"
        assert shown("two", "/me") == ["nobody", "none"]
        assert shown("one", "/me") == ["nobody", "none"]
