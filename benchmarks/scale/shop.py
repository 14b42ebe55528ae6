"""The crawl that is measured: pages that say who they are in their titles, which takes no question
to the browser.
"""

import os
from pathlib import Path

from crawler import Crawl

address, kind, pages, sessions = os.environ["BENCH_CRAWL"].split(",")

bench = Crawl(
    name="bench",
    url=f"{address}/{kind}/0",
    concurrency_limit=int(sessions),
    depth_limit=None,
    page_limit=int(pages),
    robots=False,
)


@bench.extract
def content(response):
    title, _, word = response.title.rpartition(" ")
    return {"title": title, "word": word}


if "BENCH_STEPS" in os.environ:
    from benchmarks.pages.steps import record
    from crawler.browser.pool import Chrome
    from crawler.run.observer import RunObserver

    record(Path(os.environ["BENCH_STEPS"]))
    plain = Chrome._put_away
    beside = RunObserver(bench.name)

    def put_away(self, session, idle):
        """Count what is said to the browser after the last hook as a step of its own."""
        beside.step("put away")
        plain(self, session, idle)
        beside.step("after")

    Chrome._put_away = put_away
