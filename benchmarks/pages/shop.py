"""The crawl that is measured, as a user would write it: a hook before each page, one for its data,
and one after.
"""

import os
from pathlib import Path

from crawler import Crawl

if "BENCH_STEPS" in os.environ:  # so much of it no user would write
    from benchmarks.pages.steps import record

    record(Path(os.environ["BENCH_STEPS"]))

address, kind, pages, sessions = os.environ["BENCH_CRAWL"].split(",")

bench = Crawl(
    name="bench",
    url=f"{address}/{kind}/0",
    concurrency_limit=int(sessions),
    depth_limit=None,
    page_limit=int(pages),
    fetch=os.environ.get("BENCH_FETCH", "chrome"),
    wait_for=["#word"] if kind == "js" else (),  # a script makes that page from what it fetches
)


@bench.before
def prepare(page):
    assert page.url


@bench.extract
def content(page):
    return {"title": page.title, "word": page.text("#word")}


@bench.after
def look(result):
    assert result.data["word"]
