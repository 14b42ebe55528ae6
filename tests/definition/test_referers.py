"""The Referer of pages: a URL of the crawl, or the page that led to them."""

from __future__ import annotations

import pytest

from crawler import Crawl
from crawler.definition.referers import found_on, referer_of
from crawler.errors import DefinitionError
from crawler.frontier.entries import decode_page, encode_page
from crawler.model import Page

SEARCH = "https://www.search.test/?q=books"


def crawl(referer) -> Crawl:
    return Crawl(name="shop", url="https://shop.example/", referer=referer)


def test_a_page_says_what_its_crawl_wants():
    entry = Page("https://shop.example/")
    linked = Page("https://shop.example/b", 1, referer="https://shop.example/a?x=1")
    expected = {
        (): ("", linked.referer),  # of a crawl that asked for it when the page was queued
        (SEARCH,): (SEARCH, linked.referer),
        ("link",): ("", linked.referer),
        (SEARCH, "link"): (SEARCH, linked.referer),
    }
    for referer, said in expected.items():
        asks = crawl(referer)
        assert (referer_of(asks, entry), referer_of(asks, linked)) == said
    assert decode_page(encode_page(linked).encode()).referer == linked.referer


def test_links_bring_along_the_page_they_were_found_on():
    here = "https://me:pw@shop.example/a?x=1#top"
    assert found_on(crawl(SEARCH), here) == ""
    assert found_on(crawl([SEARCH, "link"]), here) == "https://shop.example/a?x=1"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://shop.example/b", "https://shop.example/a?x=1"),
        ("https://else.example/b", "https://shop.example/"),
        ("https://shop.example:444/b", "https://shop.example/"),
        ("http://shop.example/b", ""),
    ],
)
def test_other_sites_learn_the_origin_at_most(url, said):
    page = Page(url, referer="https://shop.example/a?x=1")
    assert referer_of(crawl("link"), page) == said


@pytest.mark.parametrize(
    ("referer", "words"),
    [
        ("links", "has no http:// or https:// in front"),
        (["link", SEARCH], "neither a URL nor"),
        ([SEARCH, SEARCH], "neither a URL nor"),
        ("https://me:password@x.test/", "holds a password"),
    ],
)
def test_what_is_no_referer_is_refused(referer, words):
    with pytest.raises(DefinitionError, match=words):
        crawl(referer).validate()


def test_a_header_referer_is_refused_with_the_field_that_helps():
    with pytest.raises(DefinitionError, match="use the field referer"):
        Crawl(name="x", url="http://x.test/", headers={"Referer": SEARCH}).validate()
