"""``fetch="auto"`` is proven: over whole sites its items are those of Chrome alone, or the report
names the page that differs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.config import settings as configuration
from crawler.model import Outcome
from crawler.output.report import lines, report
from crawler.services import Services
from tests.support.loopback import serving

pytest_plugins = ["tests.site.shop"]
pytestmark = [pytest.mark.browser, pytest.mark.soak, pytest.mark.timeout(1_800)]

#: The manual of Debian's python3-doc.
MANUAL = Path("/usr/share/doc/python3/html")
#: Modules whose import does something, or is no part of every Python.
NOT_WRITTEN = {"antigravity", "this", "idlelib", "turtledemo", "msilib", "winreg", "winsound"}
#: Enough of a page that no difference of its document is missed.
EXTRACT = {"title": "title", "heads": ["h1, h2, h3"], "links": ["a::attr(href)"], "text": "body"}


#: Writes a page of each module that it is given.
WRITE = """
import pydoc, sys
for name in sys.argv[1:]:
    try:
        pydoc.writedoc(name)
    except BaseException:  # to import a module may end its importer
        pass
"""


class Files(SimpleHTTPRequestHandler):
    """Files of a folder, without a word for each."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def crawled(redis, redis_server, den) -> Iterator[Callable[..., tuple[dict[str, object], Crawl]]]:
    """Crawls a site; the items that it gave, by URL, and how it went."""
    settings = configuration.load(
        redis_url=redis_server.url, broker_url=redis_server.broker_url, state_dir=str(den)
    )
    services = Services(settings)

    def crawl(url: str, fetch: str, **fields: object):
        name = f"proof-{fetch}"
        given = {"name": name, "url": url, "fetch": fetch, "extract": EXTRACT, **fields}
        crawl = Crawl(**{"depth_limit": None, "pattern_limit": None, "robots": False, **given})
        services.client.start(crawl)
        while services.run(crawl) is not Outcome.FINISHED:
            pass
        frontier = services.client.frontier(name)
        rows = [json.loads(row[b"json"]) for _, row in redis.xrange(frontier.key("results"))]
        # of a page that was done again, the last word counts
        return {row["url"]: row["data"] for row in rows}, frontier.snapshot()

    yield crawl
    services.chrome.close()


def prove(crawled, url: str, **fields: object) -> dict[str, object]:
    """Crawl the site by Chrome and by auto; return what the report of the latter says."""
    by_chrome, _ = crawled(url, "chrome", **fields)
    by_auto, snapshot = crawled(url, "auto", **fields)
    told = "\n".join(lines(snapshot))
    print(told)  # noqa: T201  (for those who look)
    differing = [page for page in by_chrome if by_auto.get(page) != by_chrome[page]]
    assert [page for page in differing if page not in told] == []
    assert by_auto.keys() == by_chrome.keys()
    facts = report(snapshot)["fetch"]
    assert facts["http"] + facts["chrome"] == len(by_auto) + facts.get("again", 0)
    return facts


def test_the_shop_comes_as_by_chrome(crawled, shop, shop_pages):
    kinds = ("categories", "books", "events")
    routes = {kind: {"match": f"^/{kind}/"} for kind in kinds}
    facts = prove(crawled, shop, routes={**routes, "home": {"match": "^/$"}})
    assert set(facts["differs"]) == {"home", "events"}  # scripts fetch links there
    assert facts["http"] > shop_pages / 2


def test_a_manual_of_the_standard_library_comes_as_by_chrome(crawled, tmp_path):
    """Pages by the hundred that Python writes of itself."""
    names = sorted(one for one in sys.stdlib_module_names if one[0] != "_")
    wanted = [one for one in names if one not in NOT_WRITTEN]
    for _ in range(3):  # one whose import ends the process is left out
        there = {path.stem for path in tmp_path.glob("*.html")}
        command = [sys.executable, "-c", WRITE, *(one for one in wanted if one not in there)]
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300, check=False)
    pages = sorted(path.name for path in tmp_path.glob("*.html"))
    index = "".join(f"<li><a href={name}>{name}</a>" for name in pages)
    (tmp_path / "index.html").write_text(f"<!doctype html><title>Index</title><ul>{index}</ul>")
    handler = partial(Files, directory=tmp_path)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        facts = prove(crawled, f"http://127.0.0.1:{server.server_address[1]}/", depth_limit=1)
    assert "differs" not in facts
    assert len(pages) > 100
    assert facts["http"] > len(pages) * 0.8


@pytest.mark.skipif(not MANUAL.is_dir(), reason=f"{MANUAL} is not there: install python3-doc")
def test_the_manual_of_python_comes_as_by_chrome(crawled):
    """Its pages have scripts, of a theme and of a search."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=MANUAL))) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/index.html"
        # scripts put menus around the article, and buttons beside the examples in it
        extract = {
            "title": "title",
            "heads": [".body h1, .body h2"],
            "first": ".body p",
            "sections": [".body section::attr(id)"],
        }
        facts = prove(crawled, url, extract=extract, allow=[r"/tutorial/|/library/[a-h]"])
    assert "differs" not in facts
    assert facts["http"] > facts["chrome"]
