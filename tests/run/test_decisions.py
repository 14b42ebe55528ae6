"""Hooks and conditions decide about their pages, in real workers with a real Chrome."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crawler import Blocked, Crawl, Retry, Skip
from crawler.errors import DefinitionError
from crawler.run.request import decide
from tests.support.loopback import serving

LINKS = ("half", "sold", "known", "captcha", "later", "odd", "waits", "dies", "refused", "saved")
DEFINITION = """
import psutil
from crawler import Blocked, Crawl, Retry, Skip

shop = Crawl(
    name="shop", url={url!r}, concurrency_limit=1, backoff=0.05, hook_attempts=2,
    blocked={{"status": 403, "reason": "refused", "after": 0.1}},
    retry=[{{"text": "try again", "after": 0.1}}],
)
seen = set()

def first(page):
    new = page.url not in seen
    seen.add(page.url)
    return new

@shop.before
def prepare(page):
    if "/known" in page.url:
        raise Skip("known")

@shop.extract
def book(page):
    name = page.url.rpartition("/")[2]
    if name == "half" and first(page):
        raise Retry("half loaded", after=0.1)
    if name == "sold":
        raise Skip("sold out")
    if page.text(".captcha"):
        raise Blocked("captcha", after=0.1)
    if name == "odd" and first(page):
        raise LookupError("odd")
    if name == "waits" and first(page):
        page.wait_for(".never", timeout=0.1)
    if name == "dies" and first(page):
        for process in psutil.Process().children(recursive=True):
            if "chrom" in process.name() and "driver" not in process.name():
                process.kill()
    return {{"title": page.text("h1")}}

@shop.after
def save(result, page):
    if result.page.url.endswith("/saved") and first(result.page):
        raise Retry("busy", after=0.1)
    with open("saved.txt", "a") as file:
        file.write(f"{{result.page.url.rpartition('/')[2]}} {{result.skipped}}\\n")
"""


class Site(BaseHTTPRequestHandler):
    """A shop that shows a captcha to a visitor whom it knows, and other things at first."""

    hits: Counter[str]

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.hits[name] += 1
        first = self.hits[name] == 1
        body = name or "".join(f'<a href="/{link}">{link}</a>' for link in LINKS)
        if name == "sold":
            body = '<a href="/beyond">more</a>'
        if name == "captcha" and "known=1" in self.headers.get("Cookie", ""):
            body = "<p class=captcha>who are you?</p>"
        if name == "later" and first:
            body = "Please try again"
        self.send_response(403 if name == "refused" and first else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "known=1")
        self.end_headers()
        self.wfile.write(f"<title>{name}</title><h1>{name or 'shop'}</h1>{body}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, Counter[str]]]:
    hits: Counter[str] = Counter()
    handler = type("Handler", (Site,), {"hits": hits})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/", hits


@pytest.mark.browser
@pytest.mark.slow
def test_hooks_and_conditions_decide_about_their_pages(folder, site):
    url, hits = site
    (folder.path / "shop.py").write_text(DEFINITION.format(url=url))
    done = folder.run("start", "shop.py", "--output", "out", "-c", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    # every page is done once, whatever was decided at first
    lines = {line["url"].removeprefix(url): line for line in folder.lines("out/pages.jsonl")}
    assert set(lines) == {"", "beyond", *LINKS}
    assert len(folder.lines("out/pages.jsonl")) == len(lines)
    without = {name for name, line in lines.items() if line["data"] is None}
    assert without == {"sold", "known"}
    assert (lines["sold"]["skipped"], lines["known"]["skipped"]) == ("sold out", "known")
    # a page that is skipped before its request is not asked for; the others twice
    assert (hits["known"], hits["sold"], hits["beyond"]) == (0, 1, 1)
    twice = ("half", "captcha", "later", "odd", "waits", "dies", "refused")
    assert {name: hits[name] for name in twice} == dict.fromkeys(twice, 2)
    # after is called for skipped pages, too, and again when it asks for it
    saved = (folder.path / "saved.txt").read_text().splitlines()
    assert sorted(saved) == sorted(f"{name} {line.get('skipped')}" for name, line in lines.items())
    # and all of it is counted
    facts = json.loads((folder.path / "out" / "report.json").read_text())
    assert facts["decisions"] == {
        "blocked": {"captcha": 1, "refused": 1},
        "retry": {"half loaded": 1, "try again": 1},
        "skip": {"known": 1, "sold out": 1},
    }
    assert "  blocked  captcha 1, refused 1" in done.stdout


def test_a_page_that_did_not_load_is_not_skipped_for_its_url():
    crawl = Crawl(
        name="shop",
        url="http://shop.test/",
        skip=[{"url": "/old/"}, {"url": "/gone/", "status": 410}],
        retry={"url": "/odd/"},
    )
    at = partial(decide, crawl, None)  # which asks no document
    with pytest.raises(Skip):
        at("http://shop.test/old/", 200)
    with pytest.raises(Skip):  # it came; something on it did not
        at("http://shop.test/old/", None, document=False)
    at("http://shop.test/old/", None, document=False, loaded=False)
    at("http://shop.test/old/", 503, loaded=False)
    with pytest.raises(Skip):
        at("http://shop.test/gone/", 410, loaded=False)
    with pytest.raises(Retry):
        at("http://shop.test/odd/", None, document=False, loaded=False)


def test_a_decision_needs_a_reason_and_a_number_of_seconds():
    assert str(Retry("half\n loaded")) == "retry: half loaded"
    assert Blocked("captcha", after=600).after == 600
    for wrong in (lambda: Retry(), lambda: Skip(7), lambda: Retry("x", after="60")):
        with pytest.raises(TypeError):
            wrong()
    for seconds in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no number from 0 on"):
            Retry("x", after=seconds)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"blocked": {"selektor": ".captcha"}}, "has 'selektor'; there are: selector, text, url"),
        ({"blocked": {"reason": "captcha"}}, "needs one of selector, text, url, status"),
        ({"retry": [{"text": "("}]}, "text: '(' is no regular expression"),
        ({"retry": [{"text": "x", "after": -1}]}, "after: is no number of seconds"),
        ({"skip": [{"selector": ".sold"}, {"status": 4}]}, "table 2 status: 4 is no HTTP status"),
        ({"skip": {"selector": ".sold", "after": 1}}, "has 'after'; there are"),
        ({"skip": "sold"}, "is neither a table nor a list of them"),
        ({"skip": {"selector": []}}, "selector: is empty"),
    ],
)
def test_a_condition_that_is_wrong_is_named(fields, what):
    with pytest.raises(DefinitionError) as raised:
        Crawl(name="shop", url="https://shop.example/", **fields).validate()
    assert what in str(raised.value)
    assert next(iter(fields)) in str(raised.value)
