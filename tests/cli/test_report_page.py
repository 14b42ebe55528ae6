"""The report of a crawl as a page for a browser: real Chrome reads it, on a screen and a phone."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.remote.webdriver import WebDriver

from crawler.browser.chrome.local import find_chrome, find_driver, resolve_wrapper
from crawler.model import FailureClass, Page, short_id
from crawler.output.html.crawl_facts import PageFacts
from crawler.output.html.link_map import NODES_MAX, link_map
from tests.support.desk import SITE, take

#: What strangers write.
EVIL = (
    "</script><script>document.title = 'owned'</script>",
    "<img src=http://evil.example/x.png onerror=document.title='owned'>",
    "\u202egpj.exe\u202c",
    "\x1b[31mred",
    "\"'><b>bold",
)
#: A picture of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@contextmanager
def chrome() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = resolve_wrapper(find_chrome() or "")
    for flag in ("--headless", "--hide-scrollbars", "--no-proxy-server"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(find_driver()))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def shop(desk):
    """A crawl of some pages, with failures, redirects, and what strangers write."""
    handle = desk.begin()
    frontier = handle.frontier
    entry = take(frontier)
    paths = [f"/books/{n}" for n in range(60)] + [f"/authors/{n}" for n in range(20)]
    paths += [f"/?q={text}" for text in EVIL]
    links = [Page(f"{SITE}{path}", 1, parent=entry.page.id) for path in paths]
    report(frontier, entry, links=links)
    for number in range(80):
        claim = take(frontier)
        if number % 20:
            report(frontier, claim, title=EVIL[number % len(EVIL)])
        else:
            frontier.fail(claim, FailureClass.TERMINAL, EVIL[number % 3], status=500)
            picture(desk, claim.page)
    frontier.fail(take(frontier), FailureClass.TERMINAL, "http_404", status=404)
    return handle


def report(frontier, claim, title: str = "Shop", links=()) -> None:
    page = claim.page
    record = {
        "url": page.url, "final_url": f"{page.url}#2" if title == EVIL[0] else page.url,
        "status": 200, "depth": page.depth, "title": title, "data": {"title": title}, "links": 2,
        "ms": 30, "change": "new", "id": short_id(page.id),
        **({"parent": short_id(page.parent)} if page.parent else {}),
    }  # fmt: skip
    frontier.finish(claim, page.url, links, result=json.dumps(record))


def picture(desk, page: Page) -> None:
    """Keep an error snapshot of ``page``."""
    folder = desk.folder.path / "errors" / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"http_500-shop-{page.id}"
    (folder / f"{stem}.png").write_bytes(PNG)
    record = {"at": "", "url": page.url, "shown": page.url, "reason": "x", "status": 500}
    with (folder / "errors.jsonl").open("a") as file:
        file.write(json.dumps(record | {"html": f"{stem}.html", "png": f"{stem}.png"}) + "\n")


@pytest.mark.browser
@pytest.mark.usefixtures("shop")
def test_a_report_is_read_on_a_screen_and_on_a_phone(desk):
    # Given a report of a crawl that still goes on
    desk.folder.environ["CRAWLER_ERRORS_DIR"] = str(desk.folder.path / "errors")
    desk.run("report", "shop", "--html")
    desk.run("report", "shop", "--html", "shop.html")  # ours is replaced
    path = desk.folder.path / "shop.html"
    text = path.read_text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)
    # When it is opened, then nothing is asked from elsewhere, and nothing of strangers runs
    with chrome() as driver:
        for width, dark in ((1280, False), (390, True)):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            driver.get(path.as_uri())
            seen = driver.execute_script(LOOK)
            assert seen["width"] <= width
            assert seen["title"] == "shop: report of a crawl"
            assert seen["charts"] >= 1
            assert seen["pictures"] == 4
            assert seen["unnamed"] == 0
            # the places of the map are reached by keys, and show their links then
            assert seen["places"] == seen["reached"] > 1
            assert seen["lit"] > 0
            assert seen["headings"] == [
                "Pages over time", "Status codes and depths", "Where the time goes",
                "Hosts and routes", "Failures", "Redirects and duplicates",
                "The site by its links",
            ]  # fmt: skip
        log = driver.get_log("browser")
        assert log == [], log
        events = [json.loads(one["message"])["message"] for one in driver.get_log("performance")]
        asked = {
            one["params"]["request"]["url"].partition(":")[0]
            for one in events
            if one["method"] == "Network.requestWillBeSent"
        }
    assert asked <= {"file", "data"}
    assert desk.client.handle("shop").snapshot().failed == 5


#: What Chrome makes of the page.
LOOK = """
const all = (css) => [...document.querySelectorAll(css)];
return {
  width: document.documentElement.scrollWidth,
  title: document.title,
  charts: all(".plot canvas").length,
  pictures: all("img").filter((image) => image.complete && image.naturalWidth && image.alt).length,
  unnamed: all("[role=img], [role=group], [role=region], nav, section").filter(
    (one) => !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby")).length,
  places: all(".map circle").length,
  reached: all(".map .node[tabindex='0'][role=img][aria-label]").filter(
    (one) => (one.focus(), document.activeElement === one)).length,
  lit: all(".map.chosen path.near").length,
  headings: all("h2").map((one) => one.textContent),
};
"""


def test_a_report_replaces_only_a_report_of_its_crawl(desk):
    desk.begin()
    (desk.folder.path / "mine.html").write_text("precious")
    said = desk.run("report", "shop", "--html", "mine.html", status=2)
    assert "mine.html exists" in said
    assert len(said.strip().splitlines()) == 1
    assert (desk.folder.path / "mine.html").read_text() == "precious"
    desk.run("export", "shop", "-o", "items.csv")  # ours, but no report
    assert "items.csv exists" in desk.run("report", "shop", "--html", "items.csv", status=2)
    assert "name one" in desk.run("report", "shop", "--json", "--html", status=2)
    desk.run("report", "shop", "--html")  # nothing is done yet
    assert "No page is done yet" in (desk.folder.path / "shop.html").read_text()
    # and no rows replace a report
    refused = desk.run("export", "shop", "--format", "csv", "-o", "shop.html", status=2)
    assert "shop.html exists" in refused
    assert "No page is done yet" in (desk.folder.path / "shop.html").read_text()
    desk.run("report", "shop", "--html")


def test_a_map_of_many_pages_shows_their_folders():
    entry = PageFacts("0", "", "http://a/", 0)
    pages = [entry]
    for shelf in range(5):
        pages.append(PageFacts(f"s{shelf}", "0", f"http://a/shelf/{shelf}/", 1))
        pages += [
            PageFacts(f"{shelf}-{n}", f"s{shelf}", f"http://a/shelf/{shelf}/book/{n}", 2)
            for n in range(200)
        ]
    found = link_map(pages)
    sizes = {node.label: len(node.pages) for node in found.nodes}
    assert len(found.nodes) <= NODES_MAX
    assert sum(sizes.values()) == len(pages)
    assert sizes["/shelf/3/book/"] == 200
    number = next(n for n, node in enumerate(found.nodes) if node.label == "/shelf/3/book/")
    assert found.sources(number) == [("/shelf/3/", 200)]
    # each page is a place where they are few, whatever their addresses
    odd = [entry, PageFacts("1", "0", "http://[bad/", 1), PageFacts("2", "lost", "", 9)]
    assert len(link_map(odd).nodes) == 3
    assert link_map(odd).svg("words").count("<circle") == 3
