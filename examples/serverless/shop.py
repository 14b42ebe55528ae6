"""A crawl whose pages are done by functions: `start` invokes one for each further run, and no
worker takes part.

    CRAWLER_REDIS_URL=redis://127.0.0.1:6379/0 AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:9001 \
        AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x \
        python examples/serverless/shop.py

Without AWS_ENDPOINT_URL_LAMBDA the functions are AWS's own; `stand_in.py` is a small local one.
What is lost with a function that is killed comes back with `crawler tick`: let a schedule call it.
"""

import json
import os
from functools import cache

import boto3

from crawler import Crawl

#: The site to crawl, and the function's name.
SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8765/")
FUNCTION = os.environ.get("CRAWL_FUNCTION", "crawl-page")

shop = Crawl(name="serverless-shop", url=SHOP_URL, concurrency_limit=2, page_limit=4)


@shop.extract
def book(page):
    return {"title": page.text("h1")}


@shop.start
def start(ticket):
    """Send one invocation; nobody waits for its answer."""
    client().invoke(
        FunctionName=FUNCTION, InvocationType="Event", Payload=json.dumps({"ticket": ticket})
    )


@cache
def client():
    return boto3.client("lambda")


if __name__ == "__main__":
    from crawler.client.client import Client

    seen = Client().start(shop).handle.wait()
    print(json.dumps({"status": seen.status, "done": seen.done, "failed": seen.failed}))
