"""``crawler run``: one page, with every hook, and without Redis."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.cli.click_errors import Mistake
from crawler.cli.page_report import link_lines
from crawler.cli.run import data_of
from crawler.definition.credentials import secrets_of
from crawler.definition.digest import digest_of
from crawler.definition.network import guard_of
from crawler.frontier.frontier import Frontier
from crawler.net.permits import Permits
from crawler.run.dry_run import NoFrontier, dry_run
from crawler.run.http_hint import http_hint
from crawler.run.looks import StillLooks
from tests.site.server import Request, Server, route

pytest_plugins = ["tests.site.fixture"]


@pytest.fixture
def chrome(tmp_path) -> Iterator[Chrome]:
    with Chrome(Endpoint(state=tmp_path)) as chrome:
        yield chrome


@pytest.mark.browser
def test_a_dry_run_hands_its_hooks_the_arguments_of_a_run(chrome: Chrome, site: Server):
    crawl = Crawl(name="books", url=site.url("/ok"), robots=False)
    calls = []

    @crawl.before_all
    def log_in(snapshot, follow):
        calls.append(("before_all", snapshot.processing))
        follow("/early")

    @crawl.extract
    def read(page, follow):
        follow("/c", data={"from": page.text("h1")})
        follow("ftp://127.0.0.1/")
        return {"title": page.title}

    @crawl.filter
    def choose(link, page, response):
        # the live page, which can be asked
        return link.text == page.text("a") and response.status == 200

    @crawl.after
    def save(result, page, links, stop, follow, browser):
        stop()  # which nobody hears
        calls.append(("after", result.data["title"], page.text("h1"), len(links)))
        browser.open(site.url("/base-elsewhere"))
        follow("late")  # of the document that is there now
        follow(site.url("/late"))
        follow(site.url("/a"))  # which it would queue as a link

    seen = dry_run(crawl, chrome, Permits(guard_of(crawl), obey=False), after=True)
    # with what the hooks follow, in the order in which they do
    kept = [(page.url, page.depth, dict(page.data)) for page in seen.kept]
    assert kept == [
        (site.url("/early"), 0, {}),
        (site.url("/c"), 1, {"from": "Fine"}),
        (site.url("/a"), 1, {}),
        (site.url("/late"), 1, {}),
    ]
    assert any('/c  {"from": "Fine"}' in line for line in link_lines(crawl, seen, every=False))
    assert [(link.url, reason) for link, reason in seen.dropped] == [
        ("ftp://127.0.0.1/", "scheme"),
        (site.url("/b"), "filter"),
        ("http://elsewhere.test/dir/late", "scope"),
        (site.url("/a"), "duplicate"),
    ]
    assert calls == [("before_all", 1), ("after", "OK", "Fine", 2)]


def test_a_frontier_that_keeps_nothing_takes_the_same_arguments():
    for name, method in inspect.getmembers(NoFrontier, inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(getattr(Frontier, name)).parameters.values()
            in_order = [one.name for one in given if one.kind is one.POSITIONAL_OR_KEYWORD]
            by_name = {one.name: None for one in given if one.kind is one.KEYWORD_ONLY}
            inspect.signature(method).bind(*in_order, **by_name)


@pytest.mark.browser
def test_a_dry_run_leaves_after_alone_unless_asked(chrome: Chrome, site: Server):
    # Given a crawl whose hook writes to somebody's database
    crawl, rows = Crawl(name="books", url=site.url("/ok"), robots=False), []
    crawl.after(lambda result: rows.append(result.data["title"]))
    # When its entry is tried
    # as a page to which a link with data led
    permits = Permits(guard_of(crawl), obey=False)
    outcome = dry_run(crawl, chrome, permits, data=data_of('{"shelf": "Poems"}'))
    # Then the result is there, and nothing is written
    assert (outcome.result.data["title"], rows) == ("OK", [])
    assert outcome.result.page.data == {"shelf": "Poems"}


@route("/by-script")
def by_script(request: Request) -> None:
    request.html("<h1 id=t>Old</h1><a href=/a>a</a><script>t.textContent = 'New'</script>")


@pytest.mark.browser
def test_http_is_proposed_only_where_it_gives_the_same(chrome: Chrome, site: Server):
    def hint(path: str, **fields) -> str:
        crawl = Crawl(name="x", url=site.url(path), robots=False, extract={"h1": "h1"}, **fields)
        permits = Permits(guard_of(crawl), obey=False)
        seen = dry_run(crawl, chrome, permits, looks=StillLooks())
        return http_hint(crawl, seen, chrome, permits)

    same = 'the item and all 2 links are there without a browser: fetch = "http"'
    assert hint("/ok") == same
    # a script makes the item, or the crawl needs the tab, or has its pages by http already
    assert hint("/by-script") == ""
    assert hint("/ok", scroll=True) == ""
    assert hint("/ok", fetch="http") == ""


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": NaN}', "[" * 100_000, '"' + "x" * 3_000 + '"'])
def test_data_that_no_link_could_carry_are_a_mistake(text):
    with pytest.raises(Mistake, match="--data is no object of JSON"):
        data_of(text)


@pytest.mark.browser
def test_credentials_of_an_entry_reach_its_host_and_no_url(chrome: Chrome, site: Server):
    def crawl(password: str) -> Crawl:
        return Crawl(
            name="in",
            url=site.url("/private/a").replace("http://", f"http://me:{password}@"),
            robots=False,
        )

    definition = crawl("s3c%3Aret")
    seen = dry_run(definition, chrome, Permits(guard_of(definition), obey=False))
    assert (seen.result.response.status, seen.result.response.title) == (200, "In")
    assert seen.result.page.url == seen.result.response.url == site.url("/private/a")
    assert "s3c" not in repr(definition)
    assert secrets_of(definition) == {"s3c:ret"}
    assert digest_of(definition) != digest_of(crawl("other"))
