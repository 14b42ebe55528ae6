"""Error snapshots: what an operator finds in the folder after a crawl in which pages failed."""

from __future__ import annotations

import json
import stat

import pytest

from crawler.browser.artifacts.capture import Capture, capture
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.errors import PageError
from crawler.frontier.frontier import Frontier
from crawler.model import Page, Plan, Policy
from crawler.profile import Profile
from crawler.run.snapshots import INDEX, ErrorSnapshots, kind_of

pytest_plugins = ["tests.site.fixture"]

DEFINITION = """
from crawler import Crawl

shop = Crawl(
    name="shop", url="{url}", robots=False, concurrency_limit=2, backoff=0.05, backoff_cap=0.1,
    breaker_failures=0,
)

@shop.filter
def add(page, links):
    paths = ("404", "500", "a", "b", "204", "download") if page.url.endswith("/ok") else ()
    return [page.url.replace("/ok", "/" + path) for path in paths]

@shop.extract
def price(page):
    if page.text("h1") in ("A", "B"):
        raise ValueError(f"no price at {{page.url}}")
    return {{"title": page.title}}
"""


@pytest.mark.browser
def test_each_kind_of_failure_leaves_once_what_chrome_showed(folder, site):
    # Given pages that fail: with a document, in a hook (of which two are alike), and without any
    # document
    (folder.path / "shop.py").write_text(DEFINITION.format(url=site.url("/ok")))
    done = folder.run("start", "shop.py", "--output", "out", "-c", "2")
    assert done.returncode == 0, done.stderr
    assert "errors   out/errors/shop" in done.stdout
    failed = {
        line["url"].rpartition("/")[2]: line["reason"] for line in folder.lines("out/failed.jsonl")
    }
    assert set(failed) == {"404", "500", "a", "b", "204", "download"}
    # Then there is one snapshot of each kind that could be seen
    errors = folder.path / "out" / "errors" / "shop"
    kept = {kind_of(line["reason"]): line for line in folder.lines(str(errors / INDEX))}
    assert set(kept) == {"http_404", "http_500", "extract: ValueError"}
    assert len(folder.lines(str(errors / INDEX))) == 3
    # With the page that failed, which does nothing any more, its picture, and a name that tells
    # them
    for kind, heading in (
        ("http_404", "<h1>Gone</h1>"),
        ("http_500", "<h1>Broken</h1>"),
        ("extract: ValueError", "<h1>"),
    ):
        page = kept[kind]
        assert page["url"] == page["shown"]
        assert page["html"].startswith(f"{kind.replace(': ', '-')}-127.0.0.1-")
        html = (errors / page["html"]).read_text()
        assert heading in html
        assert html.startswith(
            "<!doctype html><meta http-equiv=Content-Security-Policy content=\"default-src 'none';"
        )
        assert (errors / page["png"]).read_bytes().startswith(b"\x89PNG")
    # For nobody else to read
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (errors.parent, errors, *errors.iterdir())
    }
    assert {modes.pop("errors"), modes.pop("shop")} == {0o700}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 7
    # And the lists of failed pages name it, in the folder and in the command
    pictures = {line["reason"]: line.get("picture") for line in folder.lines("out/failed.jsonl")}
    assert pictures["http_404"] == f"errors/shop/{kept['http_404']['png']}"
    listed = map(json.loads, folder.run("failed", "shop", "--json").stdout.splitlines())
    paths = {line["reason"]: line.get("picture") for line in listed}
    assert paths["http_404"] == str(errors / kept["http_404"]["png"])
    assert sum(path is not None for path in paths.values()) == 3


@pytest.mark.browser
def test_a_folder_that_cannot_be_written_fails_no_page_and_is_said(redis, site, tmp_path, caplog):
    frontier = Frontier(redis, "shop")
    frontier.create(Plan("shop", Policy(), "d", None))
    (tmp_path / "file").touch()
    page = Page(site.url("/404"))
    with Chrome(Endpoint(state=tmp_path)) as chrome, chrome.session(Profile("shop")) as browser:
        browser.request(page)
        assert (
            ErrorSnapshots(tmp_path / "file" / "shop", frontier, 5).take(
                browser, page, "http_404", 404, str
            )
            is None
        )
        assert browser.health.good
    assert "no error snapshot of" in caplog.text


@pytest.mark.browser
def test_what_another_page_left_in_the_tab_is_no_evidence(site, tmp_path):
    with Chrome(Endpoint(state=tmp_path)) as chrome, chrome.session(Profile("shop")) as browser:
        browser.request(Page(site.url("/ok")))
        seen = capture(browser, 1_000, 5_000_000)
        assert (seen.url, "<h1>Fine</h1>" in seen.html) == (site.url("/ok"), True)
        with pytest.raises(PageError, match="no_content"):
            browser.request(Page(site.url("/204")))
        assert capture(browser, 1_000, 5_000_000) is None
        browser.rest()
        assert capture(browser, 1_000, 5_000_000) is None
        browser.request(Page(site.url("/ok")))
        assert capture(browser, 10, 10) == Capture(site.url("/ok"), seen.html[:10], None)
        browser.health.distrust("it is a test")
        assert capture(browser, 1_000, 5_000_000) is None


def test_a_kind_of_failure_counts_once_within_a_limit_of_kinds(redis):
    frontier = Frontier(redis, "shop")
    frontier.create(Plan("shop", Policy(), "d", None))
    assert [frontier.first_of_kind("http_404 shop.example", 2) for _ in range(3)] == [
        True,
        False,
        False,
    ]
    assert frontier.first_of_kind("http_500 shop.example", 2)
    assert not frontier.first_of_kind("dns shop.example", 2)
    # When there was nothing to be seen, another may try
    assert not frontier.first_of_kind("http_500 shop.example", 0)
    assert frontier.first_of_kind("dns shop.example", 2)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("http_404", "http_404"),
        ("extract: KeyError: 'price'", "extract: KeyError"),
        ("filter: ValueError", "filter: ValueError"),
        ("filter: ValueError (shop/crawls.py:7)", "filter: ValueError"),
        ("extract: KeyError: 'price' (shop.py:31)", "extract: KeyError"),
    ],
)
def test_failures_of_a_hook_are_of_one_kind_whatever_they_say(reason, kind):
    assert kind_of(reason) == kind
