"""The crawl that is measured, as a user would write it: a hook before each page, one for its data, and one after."""

import os

from crawler import Crawl

address, kind, pages, sessions = os.environ["BENCH_CRAWL"].split(",")

bench = Crawl(
    name="bench", url=f"{address}/{kind}/0", concurrency_limit=int(sessions), depth_limit=None, page_limit=int(pages),
    wait_for="#word" if kind == "js" else None,  # a script makes that page from what it fetches
)  # fmt: skip


@bench.before
def prepare(page):
    assert page.url


@bench.extract
def content(page):
    return {"title": page.title, "word": page.text("#word")}


@bench.after
def look(result):
    assert result.data["word"]
