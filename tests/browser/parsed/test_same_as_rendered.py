"""Whatever document Chrome shows, its readers tell the same of it as those of the parsed one: over
all pages of the shop, and the documents of the hostile site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from crawler.browser.browser import Browser
from crawler.browser.http.parsed_document import ParsedDocument
from crawler.browser.http.parsed_page import ParsedPage
from crawler.browser.page import LivePage
from crawler.browser.pool import Chrome
from crawler.definition.crawl import Crawl
from crawler.definition.extraction import extract_by_table
from crawler.errors import CrawlerError
from crawler.model import Page, Response
from crawler.profile import Profile
from tests.site.table import HOSTILE, Done
from tests.site.walk import endpoint

pytest_plugins = ["tests.site.fixture", "tests.site.shop"]
pytestmark = pytest.mark.browser

#: Pages whose scripts replace what the readers of a live page ask by, some that go elsewhere again
#: and again, and documents of XML, which have no parsed page.
REPLACING = ("/overwrites", "/prototypes", "/getters", "/clobbers")
GOING = ("/reload-storm", "/meta-circle", "/meta-loop")
UNLIKE = (*REPLACING, *GOING, "/xml", "/xml-broken", "/svg", "/xhtml")
#: Characters of a document that is compared: asking for the text of each element takes long.
SIZE_MAX = 300_000
TABLE = {"heads": ["h1, h2, h3"], "links": {"each": "a", "to": "a::attr(href)", "text": "a"}}
#: Elements that no style sheet of the shop lays out, nor what is in them.
LETTERS = "h1, h2, h3, p, td, th, a, b, em, span, label, option"


def no_chrome(reason: str) -> LivePage:
    raise AssertionError(f"Chrome is brought: {reason}")


def words(texts: list[str]) -> list[str]:
    return ["".join(text.split()) for text in texts]


def facts(page: LivePage, html: str, letters: str) -> Iterator[tuple[str, object]]:
    """All that readers may ask; texts of ``letters`` to the letter, others by their words."""
    yield "title", page.title
    yield "words", words(page.texts("*"))
    yield "letters", page.texts(letters)
    yield "first", (page.text("p, h1, a"), page.attr("a", "href"))
    for name in sorted(set(re.findall(r"\s([a-z-]+)=", html)))[:40]:
        yield f"attribute {name}", page.attrs(f"[{name}]", name)
    yield "elements", [(one.attrib, one.text()) for one in page.select_all("a, p, td, h1, li")]
    crawl = Crawl(name="t", url=page.response.url, extract=TABLE)
    yield "table", extract_by_table(crawl, Response(page.response.url, html=page.html)).data


def differences(browser: Browser, url: str, letters: str) -> list[str] | None:
    """Return what differs; None: there is nothing to compare, as the page changes by itself, or
    its document is left to Chrome or very large.
    """
    page = Page(url)
    response = browser.request(page, html=True)
    live = browser.live(page, response)
    html = live.html
    document = ParsedDocument(html, live.url)
    if document.differs or len(html) > SIZE_MAX:
        return None
    parsed = ParsedPage(page, response, lambda: document, no_chrome, list)
    rendered = dict(facts(live, html, letters))
    if live.html != html:
        return None
    return [name for name, value in facts(parsed, html, letters) if value != rendered[name]]


def test_all_pages_of_the_shop_are_told_alike(shop, shop_pages):
    found, seen, queue = {}, {shop}, [shop]
    with Chrome(endpoint()) as chrome, chrome.session(Profile("tests")) as browser:
        for url in queue:
            found[url] = differences(browser, url, LETTERS)
            links = (link.url.partition("#")[0] for link in browser.request(Page(url)).links)
            queue += [
                one for one in dict.fromkeys(links) if one.startswith(shop) and one not in seen
            ]
            seen.update(queue)
    assert {url: what for url, what in found.items() if what} == {}
    assert len([what for what in found.values() if what is not None]) == shop_pages


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_hostile_documents_are_told_alike(site):
    found: dict[str, list[str] | None] = {}
    rows = [row for row in HOSTILE if not row.hasty and not row.doubt and row.path not in UNLIKE]
    with Chrome(endpoint()) as chrome, chrome.session(Profile("tests")) as browser:
        for row in rows:
            if any(isinstance(one, Done) for one in row.right):
                try:
                    found[row.path] = differences(browser, site.url(row.path), "*")
                except CrawlerError:  # it is another page at each look
                    found[row.path] = None
    assert {path: what for path, what in found.items() if what} == {}
    assert len([what for what in found.values() if what is not None]) > 100
