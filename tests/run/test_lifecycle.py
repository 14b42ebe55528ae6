"""The life cycle as an author of hooks meets it: a crawl with code, in real workers, with a real
Chrome.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

SHOP = Path(__file__).parents[2] / "examples" / "demo" / "serve.py"
STEPS = [
    *("execute", "validate", "browser", "queue.register", "before_all", "before"),
    *("request", "extract", "filter", "queue.deregister", "after", "start"),
]

DEFINITION = """
from pathlib import Path
from crawler import Priority, Crawl

books = Crawl(name="books", url="{url}", concurrency_limit=2, depth_limit=2)
calls = Path(__file__).with_name("calls.txt")

def note(text):
    with calls.open("a") as file:
        file.write(text + "\\n")

@books.before_all
def log_in(browser, crawl):
    note("before_all " + crawl.name)
    browser.driver.get("{url}about/")
    browser.driver.add_cookie({{"name": "member", "value": "yes"}})

@books.before
def prepare(page, snapshot):
    note(f"before {{page.url}} {{snapshot.processing > 0}}")

@books.extract
def book(page, response):
    return {{"title": page.text("h1"), "none": page.text(".no-such"), "status": response.status,
            "member": [cookie["value"] for cookie in page.cookies if cookie["name"] == "member"]}}

@books.filter
def only_books(link):
    if "/books/" in link.url:
        return Priority.HIGH
    return "reviews" not in link.url and "categories" in link.url

@books.after
def save(result, snapshot, stop):
    note(f"after {{result.page.url}} {{result.data['title']}}")
    if snapshot.done >= 8:
        stop("eight are enough")
"""


@pytest.fixture
def shop() -> Iterator[str]:
    with subprocess.Popen([sys.executable, SHOP], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


def test_hooks_are_called_in_their_order_with_the_arguments_they_name(folder, shop):
    (folder.path / "books.py").write_text(DEFINITION.format(url=shop))
    folder.environ["CRAWLER_LOG_LEVEL"] = "DEBUG"
    done = folder.run("start", "books.py", "-o", "items.jsonl", "-c", "2")
    assert done.returncode == 0, done.stderr
    assert "stopped (eight are enough)" in done.stdout

    lines = folder.lines()
    assert 8 <= len(lines) <= 10  # those in flight when it stopped were finished
    assert lines[0] == {
        "url": shop,
        "title": "Good books, slowly found",
        "none": None,
        "status": 200,
        "member": ["yes"],
    }
    assert all(line["member"] == ["yes"] for line in lines)  # one log-in, for every session
    assert {re.sub(r".*/(books|categories)/.*", r"\1", line["url"]) for line in lines[1:]} == {
        "books"
    }  # high priority comes first

    calls = (folder.path / "calls.txt").read_text().splitlines()
    assert calls[0] == "before_all books"
    assert [call for call in calls if call.startswith("before_all")] == ["before_all books"]
    assert calls[1] == f"before {shop} True"
    assert calls[2] == f"after {shop} Good books, slowly found"
    assert sum(call.startswith("after ") for call in calls) == len(lines)

    log = (folder.path / "state" / "worker.log").read_text()
    first = re.findall(r"ForkPoolWorker-(\d)\] books: (\S+)(?: http\S*)?$", log, re.MULTILINE)
    worker = next(child for child, step in first if step == "before_all")
    assert [step for child, step in first if child == worker][: len(STEPS)] == STEPS


def test_a_hook_that_raises_or_returns_no_json_fails_its_page_only(folder, shop):
    (folder.path / "books.py").write_text(
        f'from crawler import Crawl\nbooks = Crawl(name="books", url="{shop}", depth_limit=1)\n'
        '@books.extract\ndef book(page):\n    if "poems" in page.url:\n       '
        ' raise LookupError("no rhyme found")\n    if "about" in page.url:\n        return'
        ' {page.title}\n    return {"title": page.title}\n'
    )
    done = folder.run("start", "books.py", "--output", "out", "-c", "1")
    assert done.returncode == 0, done.stderr
    reasons = {
        line["url"].removeprefix(shop): line["reason"] for line in folder.lines("out/failed.jsonl")
    }
    assert reasons.pop("categories/poems/") == ("extract: LookupError: no rhyme found (books.py:6)")
    ((path, reason),) = reasons.items()
    no_json = "extract: TypeError: Object of type set is not JSON serializable"
    assert (path, reason[: len(no_json)]) == ("about/", no_json)
    assert len(folder.lines("out/items.jsonl")) == 18
    assert (
        "LookupError: no rhyme found" in (folder.path / "state" / "worker.log").read_text()
    )  # for its author, with the traceback
