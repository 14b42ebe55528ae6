"""Hints: a page that is done, and perhaps not what its author thinks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.model import Json, Snapshot, Status
from crawler.net.permits import Permits
from crawler.output.report import lines, report
from crawler.run.dry_run import dry_run
from crawler.run.looks import FIRST_LOOKS, LOOK, ONE_IN, Looks, is_empty
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=10)) as chrome:
        yield chrome


@pytest.fixture
def hints(chrome: Chrome, site: Server):
    def hints(path: str, **fields) -> Json:
        crawl = Crawl(name="tests", url=site.url(path), robots=False, **fields)
        site.read.clear()
        if "wait_for" in fields:
            site.read.set()

        @crawl.filter
        def note_that_it_was_read(links):
            site.read.set()
            return links

        return dry_run(crawl, chrome, Permits(guard_of(crawl), obey=False)).hints

    return hints


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/app/empty", "/app/text"])
def test_content_that_comes_late_is_noticed_with_what_helps(hints, site, path):
    late = hints(path)["late"]
    assert (late["pages"], late["example"]) == (1, site.url(path))
    assert late["advice"] == "write wait_for = ['#root a'], or wait_quiet = 0.5"
    # When that is done, then there is nothing to say
    assert hints(path, wait_for=["#root a"]) == {}


@pytest.mark.browser
def test_a_little_text_is_content_too_where_there_was_hardly_any(hints):
    assert "wait_for = ['#root span']" in hints("/app/price")["late"]["advice"]


@pytest.mark.browser
def test_a_page_that_leads_elsewhere_late_is_noticed(hints, site):
    assert hints("/app/leaves")["left"]["example"] == site.url("/app/leaves")


@pytest.mark.browser
def test_a_list_that_grows_as_it_is_scrolled_is_noticed(hints):
    assert "scroll = true" in hints("/app/endless")["scroll"]["advice"]
    assert hints("/app/endless", scroll=True) == {}


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/app/plain", "/app/clock", "/app/static", "/app/full", "/ok"])
def test_nothing_is_said_of_a_page_that_is_all_there(hints, path):
    assert hints(path) == {}


@pytest.mark.browser
def test_an_item_without_any_value_is_noticed(hints, site):
    empty = hints("/app/full", extract={"price": ".price", "tags": [".tag"]})["empty"]
    assert empty["example"] == site.url("/app/full")
    assert hints("/app/full", extract={"price": ".price", "h1": "h1"}) == {}


def test_an_item_is_empty_if_no_field_has_a_value():
    assert is_empty({"a": None, "b": [], "c": ""})
    assert is_empty([{"a": None}, {"a": ""}])
    assert not any(map(is_empty, ({}, None, [], {"a": 0}, {"a": False}, 0, "")))


def test_a_crawl_looks_at_a_sample_of_pages_only():
    looks = Looks()
    # Given a page that is not suspicious, then no look; the first that is, then one in many
    assert looks.seconds("a", "") == 0
    assert [looks.seconds("a", "bare") for _ in range(ONE_IN + 1)] == [
        LOOK,
        *[0] * (ONE_IN - 1),
        LOOK,
    ]
    assert looks.seconds("b", "bare") == LOOK
    # When the time for looks is spent, then there is none
    looks.note(FIRST_LOOKS)
    assert looks.seconds("c", "bare") == 0


def test_the_report_counts_hints_with_an_example():
    counts = {"hint_late": 2, "looks": 3}
    examples = {"hint_late": "http://a.example/x", "late_css": "#root a"}
    snapshot = Snapshot(
        "shop", Status.FINISHED, None, 1, 5, 0, 0, 0, 5, 0, counts=counts, examples=examples
    )
    assert report(snapshot)["hints"]["late"]["example"] == "http://a.example/x"
    (line,) = (line for line in lines(snapshot) if "hint" in line)
    assert "2 pages of 3 that were looked at again" in line
    assert "http://a.example/x: write wait_for = ['#root a']" in line
