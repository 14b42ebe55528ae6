"""Routes at work in a real Chrome: what a page of each route gives, and a whole crawl by routes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

import pytest

from crawler import Crawl, Result
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.hooks import note_of
from crawler.net.permits import Permits
from crawler.run.dry_run import DryRun, dry_run
from crawler.run.looks import Looks

pytestmark = pytest.mark.browser

pytest_plugins = ["tests.site.shop"]

BOOK = "books/the-patient-gardener/"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with Chrome(Endpoint(state=tmp_path_factory.mktemp("state"))) as chrome:
        yield chrome


def test_a_page_of_each_route_goes_by_its_options_and_hooks(chrome: Chrome, shop: str):
    crawl, befores, saved = Crawl(name="shop", url=shop, robots=False), [], []

    @crawl.before
    def prepare(page):
        befores.append(page.route)

    @crawl.extract
    def other(page):
        return {"other": page.text("h1")}

    @crawl.route("book", match="/books/", links=False, wait_for=".price", accept_status=[404])
    def book(page, response):
        if "unsent" in page.url:
            raise LookupError("no stamp")
        return {"price": page.text(".price"), "route": page.route, "status": response.status}

    @crawl.route("shelf", match="/categories/", links=["main"])
    def shelf(page):
        return [{"book": text} for text in page.texts(".cards b")]

    def own(page):
        befores.append(f"own {page.route}")

    crawl.route("named", extract={"title": "title"}, before=own)

    @crawl.after
    def save(result: Result, **given):  # which could lead to the route named
        saved.append(result.page.route)
        assert given

    def run(path: str, route: str = "") -> DryRun:
        permits = Permits(guard_of(crawl), obey=False)
        url = shop + path
        return dry_run(crawl, chrome, permits, url, route=route, after=True, looks=Looks())

    front, one, list_ = run(""), run(BOOK), run("categories/poems/")
    assert front.result.data == {"other": "Good books, slowly found"}
    assert len(front.kept) > 10
    data, record = one.result.data, one.result.record()
    assert (data["route"], data["status"], record["route"]) == ("book", 200, "book")
    assert data["price"]
    assert (one.kept, {reason for _, reason in one.dropped}) == ((), {"route"})
    assert len(list_.result.data) == 6
    assert {"restrict"} <= {reason for _, reason in list_.dropped}
    assert run("about/", "named").result.data["title"].startswith("About")
    lost = run("about/", "of another version")
    assert "about/ (route of another version)" in lost.hints["route"]["example"]
    assert lost.result.data["other"]
    # a redirect leads to a page of another route, and its waits and links count
    surprise = run("surprise")
    assert surprise.result.data["route"] == "book"
    assert surprise.kept == ()
    assert befores == ["", "book", "shelf", "own named", "", ""]
    assert saved == ["", "book", "shelf", "named", "", "book"]

    with pytest.raises(LookupError) as caught:
        run("books/unsent/")
    at = f"{shop}books/unsent/"
    first, place = note_of(caught.value).splitlines()
    assert first == f"raised by the hook extract of the crawl shop, route book, at {at}"
    assert "test_routes_of_pages.py:" in place


PYTHON = """
    from crawler import Crawl

    poems = Crawl(name="poems", url="{shop}categories/poems/", concurrency_limit=2)
    poems.route("shelf", match="/categories/poems/", links=[".cards", ".pages"])

    @poems.route("book", match="/books/", links=False, wait_for=".price", priority="high")
    def book(page):
        if "commas" in page.url:
            raise ValueError("no comma")
        return {{"title": page.text("h1"), "price": page.text(".price")}}
"""
TOML = """
    name = "poems"
    url = "{shop}categories/poems/"
    deny = ["commas"]
    concurrency_limit = 2

    [routes.shelf]
    match = '/categories/poems/'
    links = [".cards", ".pages"]

    [routes.book]
    match = '/books/'
    links = false
    wait_for = ".price"
    priority = "high"

    [routes.book.extract]
    title = "h1"
    price = ".price"
"""


def test_a_crawl_by_routes_gives_the_same_items_from_python_and_toml(folder, shop):
    items = {}
    for name, text in (("poems.py", PYTHON), ("poems.toml", TOML)):
        (folder.path / name).write_text(textwrap.dedent(text.format(shop=shop)))
        done = folder.run("start", name, "--output", f"out-{name}", "-c", "2", "--reset")
        assert done.returncode == 0, done.stderr
        lines = folder.lines(f"out-{name}/pages.jsonl")
        items[name] = {line["url"]: line["data"] for line in lines if line.get("route") == "book"}
        report = json.loads((folder.path / f"out-{name}" / "report.json").read_text())
        assert report["routes"]["book"]["done"] == len(items[name])
        assert report["routes"]["book"]["seconds_per_page"] > 0
        assert report["routes"]["shelf"]["done"] == 2
        assert sum(route["done"] for route in report["routes"].values()) == report["pages"]["done"]
        if name == "poems.py":
            assert report["routes"]["book"]["failed"] == 1
            (failed,) = folder.lines(f"out-{name}/failed.jsonl")
            assert failed["reason"] == "extract: ValueError: no comma (route book, poems.py:10)"
            assert report["failures"] == {"extract: ValueError": 1}
            assert "book 6 done, 1 failed" in done.stdout
    assert items["poems.py"] == items["poems.toml"]
    assert len(items["poems.py"]) == 6
