"""Navigation: each way in which Chrome deceives is one test, on a session that showed /ok just
before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from crawler.browser.browser import Browser
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.errors import BrowserLost, PageError
from crawler.model import Link, Page, Response
from crawler.profile import Profile
from tests.site.chromes import SHELL, WHOLE
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

TESTS = Profile("tests")


#: Over Chrome's own protocol, and over WebDriver alone: values of ``devtools``.
DEVTOOLS, WEBDRIVER = "local", "none"
WAYS = [
    pytest.param((path, devtools), id=name)
    for path, name, devtools in (
        (SHELL, "shell-devtools", DEVTOOLS),
        (WHOLE, "whole-devtools", DEVTOOLS),
        (SHELL or WHOLE, "webdriver", WEBDRIVER),
    )
    if path
] or [(None, DEVTOOLS)]


@pytest.fixture(scope="module", params=WAYS)
def chrome(request: pytest.FixtureRequest, site: Server) -> Iterator[Chrome]:
    binary, devtools = request.param
    with Chrome(
        Endpoint(binary=binary, page_load_timeout=20, script_timeout=10, devtools=devtools)
    ) as chrome:
        assert_ok(chrome, site)
        yield chrome


@pytest.fixture(scope="module", params=[DEVTOOLS, WEBDRIVER])
def hasty(request: pytest.FixtureRequest, site: Server) -> Iterator[Chrome]:
    """A Chrome that soon loses patience."""
    with Chrome(
        Endpoint(
            page_load_timeout=2.5, script_timeout=1.5, command_timeout=5, devtools=request.param
        )
    ) as chrome:
        assert_ok(chrome, site)
        yield chrome


@pytest.fixture(autouse=True)
def _well_afterwards(request: pytest.FixtureRequest, site: Server) -> Iterator[None]:
    """Check after each test that the next page is right; that one, /ok, is what the next test
    finds shown.
    """
    name = next((name for name in ("chrome", "hasty") if name in request.fixturenames), None)
    chrome = request.getfixturevalue(name) if name else None
    yield
    if chrome:
        assert_ok(chrome, site)


def assert_ok(chrome: Chrome, site: Server) -> None:
    with chrome.session(TESTS) as browser:
        response = browser.request(Page(site.url("/ok")))
        assert (response.url, response.status, response.title) == (site.url("/ok"), 200, "OK")
        assert paths(response) == ["/a", "/b"]


def paths(response: Response) -> list[str]:
    return [link.url.split("/", 3)[3].join(["/", ""]) for link in response.links]


def go(chrome: Chrome, url: str, **options: object) -> Response:
    with chrome.session(TESTS) as browser:
        return browser.request(Page(url), **options)  # type: ignore[arg-type]


def refusal(chrome: Chrome, url: str) -> tuple[str, int | None, bool]:
    """The reason, status and retryability with which this page fails."""
    with pytest.raises(PageError) as caught:
        go(chrome, url)
    assert caught.value.url == url
    return caught.value.reason, caught.value.status, caught.value.retryable


# A document came


def test_a_page_has_its_status_title_links_and_timing(chrome, site):
    response = go(chrome, site.url("/ok"))
    assert response.ok
    assert response.content_type == "text/html"
    assert response.links == (Link(site.url("/a"), "", "A"), Link(site.url("/b"), "nofollow", "B"))
    assert 0 < response.timing["response"] <= response.timing["load"] <= response.timing["total"]
    assert (response.headers, response.redirects, response.status_text, response.html) == (
        None,
        None,
        None,
        None,
    )


def test_the_source_comes_where_it_is_asked_for(chrome, site):
    assert "<h1>Fine</h1>" in go(chrome, site.url("/ok"), html=True).html


@pytest.mark.parametrize(("path", "status"), [("/404", 404), ("/500", 500), ("/nowhere", 404)])
def test_an_error_with_a_body_is_a_response_with_its_status(chrome, site, path, status):
    response = go(chrome, site.url(path))
    assert (response.url, response.status, response.ok) == (site.url(path), status, False)
    assert response.title


def test_a_page_that_asks_who_we_are_is_shown_with_its_status(chrome, site):
    response = go(chrome, site.url("/401-body"))
    assert (response.status, response.title) == (401, "Who")


def test_a_pdf_is_a_download_with_or_without_a_viewer(chrome, site):
    assert refusal(chrome, site.url("/pdf")) == ("download", None, False)


@pytest.mark.parametrize("path", ["/hop/1", "/hop/5", "/to?url=/a&status=307", "/meta", "/moves"])
def test_after_a_redirect_of_any_kind_the_url_is_the_final_one(chrome, site, path):
    response = go(chrome, site.url(path))
    assert (response.url, response.status, response.title, paths(response)) == (
        site.url("/a"),
        200,
        "A",
        ["/from-a"],
    )


def test_a_redirect_to_another_origin_is_seen_as_such(chrome, site):
    response = go(chrome, site.url(f"/to?url={site.url('/a', host='localhost')}"))
    assert response.url == site.url("/a", host="localhost")
    assert response.links[0].url == site.url("/from-a", host="localhost")


def test_links_are_absolute_unique_and_lead_to_web_pages(chrome, site):
    response = go(chrome, site.url("/links"))
    assert [link.url for link in response.links] == [
        site.url("/a"),
        site.url("/%C3%A4%20%C3%B6?%C3%BC"),
        site.url("/area"),
        "http://x.test/",
    ]
    assert [link.text for link in response.links] == ["One", "uml aut", "", "X"]


def test_base_moves_relative_links(chrome, site):
    response = go(chrome, site.url("/base"))
    assert [link.url for link in response.links] == [
        site.url("/shelf/book/deep"),
        site.url("/shelf/book/?q=1"),
        "http://other.test/x",
    ]


def test_links_made_by_scripts_are_found(chrome, site):
    assert paths(go(chrome, site.url("/made"))) == ["/made-by-js"]


def test_links_are_capped(chrome, site):
    assert len(go(chrome, site.url("/many?n=50"), max_links=7).links) == 7


def test_a_page_with_very_many_links_is_collected(chrome, site):
    assert len(go(chrome, site.url("/many?n=20000")).links) == 20_000


@pytest.mark.parametrize(
    ("path", "title", "link"),
    [
        ("/clobbers", "Clobbers", "/from-clobber"),
        ("/freezes", "Frozen", "/from-frozen"),
        ("/strict", "Strict", "/from-strict"),
    ],
)
def test_pages_that_shadow_freeze_or_forbid_are_collected_all_the_same(
    chrome, site, path, title, link
):
    response = go(chrome, site.url(path))
    assert (response.title, paths(response)) == (title, [link])


@pytest.mark.parametrize("path", ["/clobbers", "/freezes", "/strict", "/pushes", "/popup"])
def test_after_a_page_that_hides_its_age_a_download_is_no_page(chrome, site, path):
    go(chrome, site.url(path))
    assert refusal(chrome, site.url("/download"))[0] == "download"


def test_a_page_that_breaks_the_drivers_own_scripts_is_read_too(chrome, site):
    with chrome.session(TESTS) as browser:
        first = browser.session_id
    assert go(chrome, site.url("/unreadable")).title == "Unreadable"
    with chrome.session(TESTS) as browser:
        assert browser.session_id == first


def test_text_that_is_no_unicode_does_no_harm(chrome, site):
    response = go(chrome, site.url("/surrogate"), html=True)
    assert (response.title, response.links[0].text) == ("half \ufffd", "\ufffd")


def test_a_url_that_a_script_pushed_is_the_urls_of_the_page(chrome, site):
    response = go(chrome, site.url("/pushes"))
    assert (response.url, response.status, response.title) == (site.url("/pushed"), 200, "Pushed")


# The same document, or another?


def test_the_same_url_twice_is_fetched_twice(chrome, site):
    site.hits.clear()
    url = site.url("/counter?twice")
    assert [title_of(chrome, url), title_of(chrome, url)] == ["1", "2"]


def test_urls_that_differ_in_their_fragment_are_fetched_each(chrome, site):
    site.hits.clear()
    url = site.url("/counter?fragment")
    assert [title_of(chrome, url + tail) for tail in ("", "#x", "#y", "#y", "")] == [
        "1",
        "2",
        "3",
        "4",
        "5",
    ]


def title_of(chrome: Chrome, url: str) -> str | None:
    with chrome.session(TESTS) as browser:
        page = Page(url)
        return browser.live(page, browser.request(page)).text("h1")


def test_a_page_that_moved_on_by_itself_is_not_the_next_one(chrome, site):
    with chrome.session(TESTS) as browser:
        # Given a page that goes to /a a while after it was collected
        assert browser.request(Page(site.url("/moves-late"))).title == "Early"
        while browser.driver.title != "A":
            pass
        # When the next page gives no document
        with pytest.raises(PageError) as caught:
            browser.request(Page(site.url("/204")))
        # Then it is not /a
        assert caught.value.reason == "no_content"


def test_a_page_that_goes_back_in_history_is_not_the_page_before(chrome, site):
    assert refusal(chrome, site.url("/back"))[0] in ("no_document", "no_content")


# Nothing came


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/204", ("no_content", None, False)),
        ("/to?url=/204", ("no_content", None, False)),
        ("/to?url=mailto:x@y.z", ("no_content", None, False)),
        ("/download", ("download", None, False)),
        ("/to?url=/download", ("download", None, False)),
        ("/404-empty", ("http_404", 404, False)),
        ("/429-empty", ("http_429", 429, True)),
        ("/500-empty", ("http_500", 500, True)),
        ("/401", ("auth_required", 401, False)),
        ("/loop", ("redirect_loop", None, False)),
        ("/no-answer", ("empty_response", None, True)),
        ("/reset", ("reset", None, True)),
        ("/garbage", ("bad_response", None, True)),
        ("/blank", ("no_document", None, False)),
    ],
)
def test_what_gives_no_document_has_a_reason(chrome, site, path, expected):
    assert refusal(chrome, site.url(path)) == expected


def test_a_host_that_does_not_exist_is_dns(chrome):
    assert refusal(chrome, "http://nowhere.invalid/") == ("dns", None, True)


def test_a_port_that_nobody_listens_on_is_refused(chrome):
    assert refusal(chrome, "http://127.0.0.1:8/") == ("refused", None, True)


@pytest.mark.parametrize("port", [6000, 9])
def test_a_port_that_browsers_do_not_speak_to_is_unsafe(chrome, port):
    assert refusal(chrome, f"http://127.0.0.1:{port}/") == ("unsafe_port", None, False)


@pytest.mark.parametrize(
    "url",
    [
        "mailto:x@y.z",
        "javascript:alert(1)",
        "data:,x",
        "file:///etc/passwd",
        "chrome://crash",
        "ftp://x/",
        "",
    ],
)
def test_only_the_web_is_navigated_to(chrome, url):
    assert refusal(chrome, url) == ("unsupported_scheme", None, False)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "https://x:99999/"])
def test_an_address_that_is_none_is_malformed(chrome, url):
    assert refusal(chrome, url) == ("malformed", None, False)


def test_a_certificate_that_nobody_vouches_for_is_an_error(chrome, tls_site):
    assert refusal(chrome, tls_site.url("/ok")) == ("certificate", None, False)


@pytest.mark.parametrize("kilobytes", [0, 300])
def test_a_body_that_breaks_off_is_truncated(chrome, site, kilobytes):
    assert refusal(chrome, site.url(f"/truncated?kb={kilobytes}")) == ("truncated", 200, True)


def test_a_silent_server_is_a_timeout_and_not_the_page_before(hasty, site):
    assert refusal(hasty, site.url("/silence")) == ("timeout", None, True)


@pytest.mark.parametrize(
    ("path", "title", "link"),
    [("/slow-body", "Slow", "/from-slow"), ("/slow-image", "Slow image", "/from-slow-image")],
)
def test_a_page_that_loads_too_slowly_comes_as_far_as_it_came(hasty, site, path, title, link):
    response = go(hasty, site.url(path))
    assert (response.url, response.status, response.title, paths(response)) == (
        site.url(path),
        200,
        title,
        [link],
    )
    assert "load" not in response.timing
    assert response.timing["total"] > 2_400


def test_a_second_time_out_in_a_row_replaces_the_session(hasty, site):
    with hasty.session(TESTS) as browser:
        first = browser.session_id
        for _ in range(2):
            with pytest.raises(PageError, match="timeout"):
                browser.request(Page(site.url("/silence")))
        assert not browser.health.good
    with hasty.session(TESTS) as browser:
        assert browser.session_id != first


# Dialogs and windows


@pytest.mark.parametrize("path", ["/hash-storm", "/script-loop"])
def test_a_page_that_navigates_without_end_holds_up_no_other_page(hasty, site, path):
    # either may be, as the table of hostile pages says
    with contextlib.suppress(PageError, BrowserLost):
        go(hasty, site.url(path))
    assert go(hasty, site.url("/pushes")).url == site.url("/pushed")
    assert go(hasty, site.url("/moves")).url == site.url("/a")


def test_dialogs_without_end_fail_the_page_for_good(hasty, site):
    assert refusal(hasty, site.url("/alert-loop")) == ("dialogs", None, False)


def test_a_dialog_while_a_page_loads_does_not_cut_it_short(chrome, site):
    response = go(chrome, site.url("/alert"))
    assert (response.title, paths(response)) == ("Alert", ["/before", "/after"])


def test_a_late_dialog_does_not_stop_hooks_or_the_next_page(chrome, site):
    with chrome.session(TESTS) as browser:
        page = Page(site.url("/alert-late"))
        live = browser.live(page, browser.request(page))
        assert live.evaluate("new Promise(done => setTimeout(() => done(1), 300))") in (1, None)
        assert live.attrs("a", "href") == ["/before"]


def test_a_page_that_does_not_want_to_be_left_is_left(chrome, site):
    with chrome.session(TESTS) as browser:
        page = Page(site.url("/stay"))
        # without a gesture Chrome does not ask
        browser.live(page, browser.request(page)).click("button")
        assert browser.request(Page(site.url("/a"))).title == "A"


def test_windows_that_a_page_opened_are_closed(chrome, site):
    for _ in range(3):
        assert go(chrome, site.url("/popup")).title == "Popup"
    with chrome.session(TESTS) as browser:
        assert len(browser.driver.window_handles) == 1


def test_a_download_that_a_script_began_leaves_its_page(chrome, site):
    response = go(chrome, site.url("/download-by-script"))
    assert (response.title, paths(response)) == ("Mine", ["/from-script"])


def test_hooks_may_navigate_and_the_next_page_is_right(chrome, site):
    with chrome.session(TESTS) as browser:
        browser.request(Page(site.url("/ok")))
        browser.driver.get(site.url("/a"))
        with pytest.raises(PageError):
            browser.request(Page(site.url("/204")))
        assert browser.request(Page(site.url("/b"))).title == "B"


def test_a_session_shows_itself(chrome):
    with chrome.session(TESTS) as browser:
        assert isinstance(browser, Browser)
        assert browser.session_id
