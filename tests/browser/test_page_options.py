"""Options of a crawl for its pages: waits, steps, pictures, emulation, blocked loads, details of
responses.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.browser.artifacts import screenshots
from crawler.browser.chrome.emulation import KINDS
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.page import LivePage
from crawler.browser.pool import Chrome
from crawler.browser.transport.javascript import script
from crawler.definition.bounds import entry_pages
from crawler.definition.browser_profile import profile_of
from crawler.definition.extraction import extract_by_table
from crawler.definition.field_types import BLOCK_KINDS
from crawler.definition.network import guard_of
from crawler.errors import DefinitionError, PageError
from crawler.model import Page, Response, Result
from crawler.net.permits import Permits
from crawler.profile import Profile
from crawler.run.request import accept
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

Ask = Callable[..., tuple[Response, LivePage]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def chrome(files: Path) -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=5, files=files)) as chrome:
        yield chrome


@pytest.fixture
def ask(chrome: Chrome, site: Server) -> Ask:
    """Request a page of the site as a crawl with these fields would.

    Returns its response, and the page as hooks see it.
    """

    def ask(path: str, **fields) -> tuple[Response, LivePage]:
        crawl = Crawl(
            name="tests", url=site.url(path, host=fields.pop("host", "127.0.0.1")), **fields
        )
        page = entry_pages(crawl)[0]
        permits = Permits(guard_of(crawl), obey=False)
        with chrome.session(profile_of(crawl, permits.flags(local=chrome.local))) as browser:
            response = accept(crawl, page, browser, permits)
            return response, browser.live(page, response)

    return ask


def paths(response: Response) -> list[str]:
    return [link.url.split("/", 3)[3] for link in response.links]


def reason(ask: Ask, *args, **fields) -> tuple[str, bool]:
    with pytest.raises(PageError) as failed:
        ask(*args, **fields)
    return failed.value.reason, failed.value.retryable


# Where a page goes on to by itself


@pytest.mark.parametrize("way", ["meta", "header"])
def test_a_declared_refresh_within_some_seconds_is_a_link(ask, way):
    path = f"/refresh-by-{way}"
    response, _ = ask(path)
    assert paths(response) == ["other", "behind"]
    assert [link.rel for link in response.links] == ["", "refresh"]
    assert paths(ask(path, interstitial_wait=1)[0]) == ["other"]
    assert paths(ask(path, interstitial_wait=0)[0]) == ["other"]
    # When the next page declares none, then none is left over
    assert "behind" not in paths(ask("/ok")[0])


def test_the_script_alone_finds_the_refresh_of_a_meta_element(chrome, site):
    source = script("collect.js")
    with chrome.session(Profile("tests")) as browser:
        browser.request(Page(site.url("/refresh-by-meta")))
        facts = browser.driver.execute_script(source, "mark", 1, 100, False, False, 5)
        assert f"{site.url('/behind')}\trefresh\t" in facts["links"]
        assert (
            "behind"
            not in browser.driver.execute_script(source, "mark", 1, 100, False, False, 1)["links"]
        )


def test_a_page_that_loads_itself_again_links_nowhere_else(ask):
    assert {*paths(ask("/refresh-of-itself")[0])} <= {"other", "refresh-of-itself"}


# What a session carries


@pytest.mark.parametrize("status", [400, 413, 431])
def test_cookies_that_are_too_many_are_cleared_except_the_log_in(chrome, site, caplog, status):
    # Given a log-in, and a site whose pages leave more cookies than its server takes
    crawl = Crawl(name="tests", url=site.url(f"/hoards/{status}"), robots=False)
    page = entry_pages(crawl)[0]
    member = {"name": "member", "value": "yes", "domain": "127.0.0.1", "path": "/", "session": True}
    with chrome.session(profile_of(crawl)) as browser:
        browser.login.load({"cookies": [member]}, version=1)
        before = browser.cookies_cleared
        browser.request(page)
        # When another page is asked for, then it is there, as a member's
        assert browser.request(page).status == 200
        assert browser.live(page, Response(page.url)).text("h1") == "member=yes"
        assert browser.cookies_cleared == before + 1
        browser.login.begin()
    assert "with 41 cookies" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_name_of_a_window_does_not_reach_the_next_page(chrome, site, host):
    with chrome.session(Profile("tests")) as browser:
        browser.request(Page(site.url("/named")))
        assert browser.evaluate("window.name") == "mine"
        browser.request(Page(site.url("/a", host=host)))
        assert browser.evaluate("window.name") == ""


def test_a_refusal_with_few_cookies_is_not_asked_for_again(chrome, site):
    crawl = Crawl(name="tests", url=site.url("/refuses/400"), robots=False)
    with chrome.session(profile_of(crawl)) as browser:
        before = browser.cookies_cleared
        assert browser.request(entry_pages(crawl)[0]).status == 400
        assert browser.cookies_cleared == before


# Waits


def test_fragments_choose_pages_only_for_a_crawl_that_says_so(ask):
    # Given an app that shows its views by fragment
    # When a crawl keeps fragments, then links keep theirs, and each view is shown
    response, live = ask("/hash-app#/a", keep_fragment=True, frames=True)
    assert live.text("h1") == "a"
    assert paths(response) == ["hash-app#/a", "hash-app#/b", "framed#/c"]
    assert ask("/hash-app#/b", keep_fragment=True)[1].text("h1") == "b"
    # When it does not, then they are one page
    response, live = ask("/hash-app#/a", frames=True)
    assert live.text("h1") == "start"
    assert paths(response) == ["hash-app", "framed"]


def test_a_page_is_read_only_when_what_is_waited_for_is_there(ask):
    assert paths(ask("/comes")[0]) == []
    assert paths(ask("/comes", wait_for="#list")[0]) == ["from-late"]
    # an error at first: there is no such variable
    assert paths(ask("/comes", wait_until="ready.there")[0]) == ["from-late"]


def test_a_quiet_network_is_one_without_requests_under_way(ask):
    assert paths(ask("/fetches", wait_quiet=0.3)[0]) == ["from-fetch-from-fetch"]


def test_what_does_not_come_in_time_fails_the_page_for_now(ask):
    assert reason(ask, "/ok", wait_for=["h1", "#never"], wait_timeout=0.3) == ("wait_timeout", True)
    assert reason(ask, "/ok", wait_until="window.never", wait_timeout=0.3) == ("wait_timeout", True)
    assert reason(ask, "/polls", wait_quiet=1.5, wait_timeout=2) == ("wait_timeout", True)


def test_a_wait_that_makes_no_sense_fails_the_page_for_good(ask):
    assert reason(ask, "/ok", wait_for="h1[") == ("bad_selector", False)
    assert reason(ask, "/ok", wait_until="ready ready") == ("bad_script", False)


def test_an_error_page_is_not_waited_on(ask):
    assert reason(ask, "/404", wait_for="#never", wait_timeout=30) == ("http_404", False)


def test_links_that_come_by_scrolling_are_found(ask):
    _, live = ask("/lazy", scroll=True)
    assert live.texts("p") == [f"part {n}" for n in range(6)]


# Steps


def test_steps_are_done_in_their_order_before_the_page_is_read(ask):
    steps = [
        {"click": "#cookies", "optional": True, "timeout": 0.1},
        {"click": "#accept"},
        {"choose": ["#kind", "Lamps"]},
        {"fill": ["#q", "green"]},
        {"press": "Enter"},
        {"until": "document.querySelector('#found').textContent !== ''"},
        {"click": ".more", "times": 20},
    ]
    response, live = ask("/steps", steps=steps)
    assert live.text("#found") == "green among b"
    assert paths(response) == ["more/1", "more/2", "more/3"]


def test_a_step_waits_until_possible_and_its_target_is_the_page(ask, site):
    response, _ = ask("/covered", steps=[{"click": "button"}, {"wait": "a"}])
    assert (response.url, response.title, paths(response)) == (site.url("/a"), "A", ["from-a"])


def test_a_step_must_not_lead_out_of_the_crawl(ask):
    leave = {"until": "location.href = 'http://localhost:' + location.port + '/a'"}
    assert reason(ask, "/ok", steps=[leave, {"pause": 0.5}]) == ("redirect_private", False)


def test_a_step_that_cannot_be_done_is_named_and_tells_no_secret(ask, caplog):
    caplog.set_level(logging.DEBUG, "crawler")
    steps = [{"wait": "h1"}, {"fill": ["#missing", "canary"], "timeout": 0.1}]
    with pytest.raises(PageError) as failed:
        ask("/ok", steps=steps)
    assert (failed.value.reason, failed.value.retryable) == ("step_2_fill", True)
    assert "canary" not in caplog.text
    assert "#missing" in caplog.text


def test_all_faults_of_steps_are_told_without_their_texts():
    steps = [
        {"clack": "a"},
        {"fill": "canary"},
        {"press": "Entr"},
        {"click": "a", "times": 0},
        {"wait": "a", "until": "b"},
        "x",
    ]
    with pytest.raises(DefinitionError) as wrong:
        Crawl(name="x", url="http://x.test/", steps=steps).validate()
    text = str(wrong.value)
    for part in (
        "step 1 has no action",
        "step 2 fill: needs",
        "step 3 press: 'Entr' is no key",
        "step 4 times",
        "step 5 has wait and",
    ):
        assert part in text
    assert "step 6 is no table" in text
    assert "canary" not in text


# Shadows and frames


def test_open_shadow_roots_are_read_like_the_document(ask):
    response, live = ask("/shadows")
    assert paths(response) == ["from-light", "from-shadow", "from-depth"]
    assert live.text("h1") == "Light"
    assert live.texts(".deep") == ["shade"]
    # what the document has itself comes first, and alone
    assert live.attrs("a", "href") == ["/from-light"]
    live.click("button")
    live.fill("input", "typed")
    assert (live.text("button"), live.evaluate("arguments[0].value", live.element("input"))) == (
        "1",
        "typed",
    )


def test_a_table_of_selectors_sees_into_open_shadow_roots(ask, site):
    crawl = Crawl(name="tests", url=site.url("/shadows"), extract={"deep": ".deep", "light": "h1"})
    assert extract_by_table(crawl, ask("/shadows")[0]).data == {"deep": "shade", "light": "Light"}


def test_links_in_frames_count_if_that_is_asked_for(ask):
    assert paths(ask("/framed", frames=False)[0]) == ["from-top"]
    response, live = ask("/framed", frames=True)
    within = ["from-b", "from-frame", "from-top"]
    assert sorted(paths(response)) == ["204", "framed?inner=1", *within]
    assert live.text("h1") == "Top"


def test_a_frame_of_whatever_site_can_be_asked_like_a_page(ask):
    _, live = ask("/framed")
    with live.frame("#inner") as inner:
        assert inner.text("h1") == "Frame"
        assert inner.url.endswith("/framed?inner=1")
        with inner.frame("#other") as other:
            assert other.text("h1") == "B"
        assert inner.text("h1") == "Frame"
    assert live.text("h1") == "Top"


# What Chrome sends, pretends, and does not load


def test_the_kinds_that_fields_know_can_be_blocked():
    assert set(BLOCK_KINDS) == set(KINDS)


def test_what_is_blocked_is_not_requested_also_in_a_new_tab(ask, chrome, site):
    def requested(**fields) -> set[str]:
        site.hits.clear()
        ask("/sent", wait_quiet=0.2, **fields)
        return {path for path in site.hits if path != "/sent"}

    everything = {"/shot.png", "/ads/1.png", "/clip.mp4", "/own.woff2", "/style.css"}
    assert requested() - {"/favicon.ico"} == everything
    assert requested(block=["image", "font", "media", "style"]) & everything == set()
    assert requested(block=["*/ads/*"]) & everything == everything - {"/ads/1.png"}
    # the page opens another window, and closes its own
    with chrome.session(next(iter(chrome._sessions)).profile) as browser:
        first = browser.driver.current_window_handle
        browser.driver.switch_to.new_window("tab")
        second = browser.driver.current_window_handle
        browser.driver.switch_to.window(first)
        browser.driver.close()
        browser.driver.switch_to.window(second)
    assert requested(block=["*/ads/*"]) & everything == everything - {"/ads/1.png"}


def test_headers_are_sent_and_those_with_secrets_are_refused(ask):
    sent = json.loads(ask("/sent", headers={"X-Crawler": "me"})[1].text("pre"))
    assert sent["X-Crawler"] == "me"
    with pytest.raises(DefinitionError) as wrong:
        Crawl(
            name="x",
            url="http://x.test/",
            headers={"Authorization": "canary", "X\n": "1", "X-A": "can\nary"},
        ).validate()
    text = str(wrong.value)
    assert "Authorization would go to every host" in text
    assert "is no name of a header" in text
    assert "one line of printable" in text
    assert "canary" not in text
    assert "can\\nary" not in text


def test_a_phone_is_one_in_every_respect(ask):
    agent = (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/140.0.0.0 Mobile Safari/537.36"
    )
    phone = {
        "mobile": True,
        "window": [412, 915],
        "scale": 2.5,
        "language": "de-CH,de",
        "timezone": "Asia/Tokyo",
    }
    _, live = ask("/asks", user_agent=agent, geolocation=[47.37, 8.54], host="localhost", **phone)
    live.wait_for("#where:not(:empty)")
    assert live.text("#where") == "47.37 8.54"
    assert live.evaluate(
        "[navigator.userAgent, navigator.userAgentData.mobile, navigator.userAgentData.platform]"
    ) == [agent, True, "Android"]
    assert live.evaluate("[innerWidth, devicePixelRatio, navigator.maxTouchPoints]") == [
        412,
        2.5,
        5,
    ]
    assert live.evaluate("matchMedia('(pointer: coarse)').matches")
    assert live.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == "Asia/Tokyo"
    assert live.evaluate("[navigator.language, Intl.NumberFormat().resolvedOptions().locale]") == [
        "de-CH",
        "de-CH",
    ]
    sent = json.loads(
        ask("/sent", user_agent=agent, host="localhost", geolocation=[47.37, 8.54], **phone)[
            1
        ].text("pre")
    )
    assert (sent["User-Agent"], sent["sec-ch-ua-mobile"], sent["sec-ch-ua-platform"]) == (
        agent,
        "?1",
        '"Android"',
    )
    assert '"Chromium";v="140"' in sent["sec-ch-ua"]
    assert sent["Accept-Language"].startswith("de-CH")


def test_permissions_are_denied_and_nobody_is_asked(ask):
    _, live = ask("/asks", host="localhost")
    live.wait_for("#where:not(:empty)")
    assert live.text("#where") == "error 1"
    assert live.evaluate("Notification.requestPermission()") != "granted"


def test_a_place_or_a_clock_that_is_none_is_refused():
    with pytest.raises(DefinitionError) as wrong:
        Crawl(
            name="x",
            url="http://x.test/",
            timezone="Europe/Zuerich",
            geolocation=[91, 8],
            block=["fonts"],
        ).validate()
    assert {fault.field for fault in wrong.value.faults} == {"timezone", "geolocation", "block[0]"}
    assert "did you mean 'Europe/Zurich'" in str(wrong.value)


# What a response tells


def test_a_response_tells_headers_and_redirects_without_secrets(ask, site):
    response, _ = ask("/sent", response_headers=True)
    assert (response.status, response.status_text) == (200, "OK")
    assert response.headers["x-served-by"] == "me"
    assert response.headers["set-cookie"] == "***"
    again, _ = ask("/sent", response_headers=True)
    assert again.request_headers["cookie"] == "***"
    assert again.request_headers["host"] == site.url("")[7:]
    assert again.redirects == ()
    hopped, _ = ask("/hop/2", response_headers=True)
    assert (hopped.url, hopped.redirects) == (
        site.url("/a"),
        (site.url("/hop/2"), site.url("/hop/1")),
    )
    waited, _ = ask("/covered", response_headers=True, steps=[{"click": "button"}, {"wait": "a"}])
    assert (waited.url, waited.redirects) == (site.url("/a"), ())


def test_a_page_tells_the_captured_responses_that_it_loaded(ask, site):
    _, page = ask(
        "/shelf", capture="*/api/*", wait_for_response="*/api/late", capture_body_limit=4_000
    )
    found = {one.url.rpartition("/")[2]: one for one in page.responses()}
    assert set(found) == {"books?page=1", "large", "bytes", "search", "late"}
    books, large = found["books?page=1"], found["large"]
    assert (books.method, books.status, books.headers["content-type"]) == (
        *("GET", 200),
        "application/json",
    )
    assert books.json() == {"of": "books", "price": "£9"}
    assert found["search"].method == "POST"
    assert found["bytes"].body == bytes(range(256))
    # one that is too long is not here, and says so
    assert (large.body, large.truncated) == (b"", True)
    with pytest.raises(ValueError, match="is not here whole"):
        large.json()
    assert [one.url for one in page.responses("*/books?*")] == [site.url("/api/books?page=1")]
    # together they have a limit, too, and the next page begins with nothing
    _, page = ask("/shelf", capture="*/api/b*", wait_for_response="*/late", capture_limit=200)
    assert [bool(one.body) for one in page.responses()] == [True, False]


def test_a_crawl_may_wait_less_for_a_page_than_its_worker(ask):
    with pytest.raises(PageError, match="timeout"):
        ask("/silence", page_load_timeout=0.5)
    with pytest.raises(DefinitionError, match="page_load_timeout: must lie below page_deadline"):
        Crawl(name="x", url="http://x.test/", page_load_timeout=200).validate()


def test_what_is_not_captured_is_not_told(ask):
    with pytest.raises(LookupError, match='capture=\\["'):
        ask("/shelf")[1].responses()
    with pytest.raises(PageError, match="wait_timeout"):
        ask("/shelf", wait_for_response="*/never", wait_timeout=0.2)


def test_without_being_asked_a_response_does_not_guess(ask):
    response, _ = ask("/ok")
    assert (
        response.headers,
        response.request_headers,
        response.redirects,
        response.status_text,
    ) == (None,) * 4
    assert (response.console, response.timings, response.files) == (None, None, ())


def test_an_answer_without_a_document_has_a_status_then(ask):
    for path, told in {"/204": ("no_content", 204), "/download": ("download", 200)}.items():
        with pytest.raises(PageError) as failed:
            ask(path, response_headers=True)
        assert (failed.value.reason, failed.value.status) == told
    with pytest.raises(PageError) as failed:
        ask("/no-answer", response_headers=True)
    assert (failed.value.reason, failed.value.status) == ("empty_response", None)


def test_errors_of_the_console_and_timings_are_in_the_result(ask):
    response, live = ask("/complains", console=True, timings=True, wait_quiet=0.2)
    assert [(one["level"], one["message"].split(" ", 2)[2]) for one in response.console] == [
        ("error", '"no good"'),
        ("warning", '"so so"'),
        ("error", "Uncaught ReferenceError: oops is not defined"),
    ]
    assert {"first_byte", "response", "load", "bytes", "resources"} <= response.timings.keys()
    record = Result("tests", live.page, response, None, (), 1.0).record()
    assert record["console"][0] == dict(response.console[0])
    assert record["timings"]["load"] > 0
    assert json.dumps(record)


# Pictures and prints


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def test_a_picture_shows_the_window_the_page_or_an_element(ask, tmp_path):
    _, live = ask("/tall", window=[800, 600])
    assert size_of(live.screenshot())[1] < 700
    whole = live.screenshot(tmp_path / "page.png", whole=True)
    assert size_of(whole)[1] > 3000
    assert (tmp_path / "page.png").read_bytes() == whole
    assert size_of(live.screenshot(css="#box")) == (100, 50)
    assert live.pdf(tmp_path / "page.pdf").startswith(b"%PDF")
    assert (tmp_path / "page.pdf").stat().st_size > 1000


def test_the_picture_of_a_page_without_end_has_one(ask):
    _, live = ask("/tall?pixels=40000")
    assert size_of(live.screenshot(whole=True))[1] == 16_384


def test_kept_html_is_of_the_rendered_page_and_bounded(ask, files, monkeypatch, caplog):
    response, _ = ask("/tall", keep_html=True)
    (file,) = response.files
    assert (files / "tests" / file.name).read_text() == response.html
    monkeypatch.setattr(screenshots, "SIZE_MAX", 10)
    assert ask("/tall", keep_html=True)[0].files == ()
    assert "the html of" in caplog.text


def test_pictures_and_prints_are_kept_by_option_and_the_result_names_them(ask, files):
    response, live = ask("/tall", screenshot="page", pdf=True)
    names = [f"{live.page.id}.png", f"{live.page.id}.pdf"]
    record = Result("tests", live.page, response, None, (), 1.0).record()
    assert [file["name"] for file in record["files"]] == names
    for file in record["files"]:
        data = (files / "tests" / file["name"]).read_bytes()
        assert file == {
            "name": file["name"],
            "size": len(data),
            "digest": hashlib.sha256(data).hexdigest(),
        }
