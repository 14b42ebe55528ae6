"""A crawl whose runs are started by itself: each is a system process that does one page and starts
the next ones.

    CRAWLER_REDIS_URL=redis://127.0.0.1:6379/0 python examples/own_start.py http://127.0.0.1:8765/

No Celery worker takes part. `start` may as well start a container or a serverless function that
calls `crawler.execute`. What is lost with a process that is killed comes back with `crawler tick`:
let cron, or anything else, call it now and then.
"""

import json
import subprocess
import sys

import crawler
from crawler import Crawl
from crawler.client.client import Client

ENTRY = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8765/"

books = Crawl(name="own-start", url=ENTRY, concurrency_limit=2, page_limit=6)


@books.extract
def title(page):
    return {"title": page.text("h1")}


@books.start
def start(ticket):
    subprocess.Popen([sys.executable, __file__, ENTRY, ticket])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        crawler.execute(books, sys.argv[2])
    else:
        client = Client()
        seen = client.start(books).handle.wait()
        print(json.dumps({"status": seen.status, "done": seen.done, "failed": seen.failed}))
