"""Documents in frames: pages to follow, or a part of their page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.page import LivePage
from crawler.browser.pool import Chrome
from crawler.definition.bounds import entry_pages
from crawler.definition.browser_profile import profile_of
from crawler.definition.choosing import choose
from crawler.definition.extraction import extract_by_table
from crawler.definition.network import guard_of
from crawler.model import Response
from crawler.net.permits import Permits
from crawler.run.dry_run import dry_run
from crawler.run.request import accept
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]
pytestmark = pytest.mark.browser

Visit = Callable[..., tuple[Crawl, Response, LivePage]]
FIELDS = {"h1": "h1", "prices": [".price"], "title": "head title::text"}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=10)) as chrome:
        yield chrome


@pytest.fixture
def visit(chrome: Chrome, site: Server) -> Visit:
    """Request a page of the site as a crawl with these fields would."""

    def visit(path: str, **fields) -> tuple[Crawl, Response, LivePage]:
        crawl = Crawl(name="tests", url=site.url(path), robots=False, extract=FIELDS, **fields)
        page = entry_pages(crawl)[0]
        with chrome.session(profile_of(crawl)) as browser:
            response = accept(crawl, page, browser, Permits(guard_of(crawl), obey=False))
            return crawl, response, browser.live(page, response)

    return visit


def pages(crawl: Crawl, response: Response) -> list[str]:
    """Return the paths of the pages that the links of a response become."""
    chosen = choose(crawl, entry_pages(crawl)[0], response.links, response=response)
    return [page.url.split("/", 3)[3] for page in chosen.pages]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/wrapped/set", ["wrapped/inside", "a"]),
        ("/wrapped/one", ["wrapped/inside"]),
        ("/wrapped/lazy", ["wrapped/inside"]),
        ("/wrapped/object", ["wrapped/inside"]),
        # documents without an address are parts of the page; the other site is out of scope
        ("/wrapped/srcdoc", ["from-inside"]),
        ("/wrapped/written", ["from-inside"]),
    ],
)
def test_documents_in_frames_are_pages_to_follow(visit, path, found):
    crawl, response, _ = visit(path)
    assert pages(crawl, response) == found
    assert pages(*visit(path, frames="ignore")[:2]) == []


def test_frames_of_a_set_are_followed_whatever_restricts_links(visit):
    for fields in ({"restrict_css": ["main"]}, {"nofollow": True}):
        crawl, response, _ = visit("/wrapped/set", **fields)
        assert pages(crawl, response) == ["wrapped/inside", "a"]
    assert pages(*visit("/wrapped/one", restrict_css=["main"])[:2]) == []
    assert pages(*visit("/wrapped/one", restrict_css=["body"])[:2]) == ["wrapped/inside"]


@pytest.mark.parametrize("path", ["set", "one", "srcdoc", "written"])
def test_documents_in_frames_can_be_a_part_of_the_page(visit, path):
    crawl, response, live = visit(f"/wrapped/{path}", frames="part")
    # Then selectors of tables and of hooks find what is in them, and their links are the page's
    taken = extract_by_table(crawl, response).data
    assert taken == {"h1": "Inside", "prices": ["7"], "title": path}
    assert (live.text("h1"), live.texts(".price")) == ("Inside", ["7"])
    found = pages(crawl, response)
    assert found == ["from-inside", "from-a"] if path == "set" else ["from-inside"]
    # and nothing of another site, which is out of scope
    assert "from-b" not in response.html


def test_a_part_may_come_from_another_host_of_the_crawl(visit):
    _, response, _ = visit(
        "/wrapped/one", frames="part", allow=["localhost"], private_hosts=["localhost"]
    )
    assert [link.url.split("/")[3] for link in response.links] == ["from-inside", "from-b"]
    assert "from-b" in response.html


@pytest.mark.parametrize("path", ["set", "one", "srcdoc"])
def test_a_page_that_is_nothing_but_frames_says_so(chrome, site, path):
    def hints(path: str, **fields) -> dict:
        crawl = Crawl(name="tests", url=site.url(path), robots=False, **fields)
        return dry_run(crawl, chrome, Permits(guard_of(crawl), obey=False)).hints

    hint = hints(f"/wrapped/{path}")["frames"]
    assert (hint["pages"], hint["example"]) == (1, site.url(f"/wrapped/{path}"))
    assert 'frames = "part"' in hint["advice"]
    assert "frames" not in hints(f"/wrapped/{path}", frames="part")
    assert "frames" not in hints("/framed")
