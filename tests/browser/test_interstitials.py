"""Pages that are only shown until they lead on: the page is where they lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.chrome.local import LocalDriver
from crawler.browser.navigation import parse_refresh
from crawler.browser.pool import Chrome
from crawler.browser.transport.javascript import script
from crawler.definition.bounds import entry_pages
from crawler.definition.browser_profile import profile_of
from crawler.definition.network import guard_of
from crawler.errors import PageError
from crawler.model import Page, Response
from crawler.net.permits import Permits
from crawler.profile import Profile
from crawler.run.dry_run import dry_run
from crawler.run.request import accept
from tests.site import members as club
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]

Ask = Callable[..., Response]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=5)) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A Chrome elsewhere, of which WebDriver alone tells."""
    driver = LocalDriver(tmp_path_factory.mktemp("driver"))
    with Chrome(Endpoint(url=driver.url, page_load_timeout=10)) as chrome:
        yield chrome
    driver.kill()


@pytest.fixture
def ask(chrome: Chrome, site: Server) -> Ask:
    def ask(path: str, chrome: Chrome = chrome, **fields) -> Response:
        crawl = Crawl(name="tests", url=site.url(path), robots=False, **fields)
        with chrome.session(profile_of(crawl)) as browser:
            permits = Permits(guard_of(crawl), obey=False)
            return accept(crawl, entry_pages(crawl)[0], browser, permits)

    return ask


def paths(response: Response) -> list[str]:
    return [link.url.split("/", 3)[3] for link in response.links]


@pytest.mark.browser
@pytest.mark.parametrize("way", ["meta", "timer", "load"])
def test_a_page_with_hardly_anything_is_where_it_leads(ask, way):
    response = ask(f"/onward/{way}")
    assert (response.title, response.url.split("/", 3)[3]) == ("Behind", "behind")
    # its own links are not lost
    assert paths(response)[:1] == ["from-behind"]


@pytest.mark.browser
def test_a_header_or_a_form_leads_on_and_so_does_a_chain(ask):
    for path in ("/onward-header", "/onward/form", "/onward/chain"):
        assert ask(path).title == "Behind", path


@pytest.mark.browser
def test_a_chrome_elsewhere_follows_headers_and_timers(ask, remote):
    for path in ("/onward-header", "/onward/timer"):
        assert ask(path, remote).title == "Behind", path


@pytest.mark.browser
def test_a_form_is_asked_for_once(ask, remote, site):
    # its server sets a cookie that belongs to this very document
    before = len(club.of(site).forms)
    assert ask("/enter", remote).title == "Log in"
    assert len(club.of(site).forms) == before + 1


@pytest.mark.browser
def test_links_of_both_pages_are_found(ask):
    assert paths(ask("/onward/meta")) == ["from-behind", "from-onward"]


@pytest.mark.browser
def test_nothing_is_followed_that_leads_nowhere_or_is_not_to_be(ask):
    for path, fields in (
        ("/onward/inert", {}),
        ("/onward/again", {}),
        ("/onward/meta", {"interstitial_wait": 0}),
    ):
        assert "behind" not in ask(path, **fields).url
    with pytest.raises(PageError, match="http_404"):
        ask("/onward-404")


@pytest.mark.browser
def test_content_that_comes_instead_is_the_page_s(ask):
    assert paths(ask("/onward/late")) == ["a"]


@pytest.mark.browser
def test_a_circle_of_such_pages_ends_and_says_so(ask):
    with pytest.raises(PageError) as failed:
        ask("/onward/circle")
    assert (failed.value.reason, failed.value.retryable) == ("refresh_loop", False)


@pytest.mark.browser
def test_a_way_out_of_bounds_is_no_page(ask, chrome, site):
    with pytest.raises(PageError, match="redirect_"):
        ask("/onward/out")
    # a page with content of its own is done, and the report says what was not followed
    crawl = Crawl(name="tests", url=site.url("/refresh-by-meta"), robots=False, deny=["/behind"])
    hint = dry_run(crawl, chrome, Permits(guard_of(crawl), obey=False)).hints["refresh_out"]
    assert hint["example"] == f"{site.url('/refresh-by-meta')} to {site.url('/behind')}"


SPELLINGS = (
    ("2; url=/x", (2.0, "http://a.example/x")),
    ("2;URL='x'", (2.0, "http://a.example/d/x")),
    ('0, url="/x" ', (0.0, "http://a.example/x")),
    ("5 /x", (5.0, "http://a.example/x")),
    ("3", (3.0, "http://a.example/d/p")),
    (".5;url=//b.example/", (0.0, "http://b.example/")),
    ("2.9;url=//b.example/", (2.0, "http://b.example/")),
    ('2;url="/x', (2.0, "http://a.example/x")),
    ("2;'/x'y", (2.0, "http://a.example/x")),
    ("2;url=javascript:1", None),
    ("soon", None),
    ("", None),
)


@pytest.mark.parametrize(("value", "found"), SPELLINGS)
def test_the_header_is_read_as_browsers_do(value, found):
    assert parse_refresh(value, "http://a.example/d/p") == found


@pytest.mark.browser
def test_a_meta_element_is_read_as_its_header_is(chrome, site):
    html = "<base href=http://a.example/d/p><meta http-equiv=REFRESH content='%s'>"
    with chrome.session(Profile("tests")) as browser:
        for value, found in SPELLINGS:
            if found and found[0] < 2:
                continue  # Chrome goes there at once
            browser.request(Page(site.url("/ok")))
            page = html % value.replace("'", "&#39;")
            browser.evaluate("document.head.innerHTML = arguments[0]", page)
            source, wanted = script("collect.js"), ("mark", 1, 100, False, False, 5)
            refresh = (browser.driver.execute_script(source, *wanted)["thin"] or {})["refresh"]
            if found and found[1] == "http://a.example/d/p":
                found = (found[0], site.url("/ok"))  # itself, which is not the base
            assert refresh == (list(found) if found else None), value


@pytest.mark.browser
def test_the_soonest_of_several_counts(chrome, site):
    with chrome.session(Profile("tests")) as browser:
        browser.request(Page(site.url("/ok")))
        metas = "".join(f"<meta http-equiv=refresh content='{n};/{n}'>" for n in (5, 3, 4))
        browser.evaluate("document.head.innerHTML = arguments[0]", metas)
        facts = browser.driver.execute_script(script("collect.js"), "mark", 1, 9, False, False, 5)
        assert facts["thin"]["refresh"] == [3, site.url("/3")]
