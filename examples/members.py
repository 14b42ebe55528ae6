"""A log-in: orders that only a member of the bundled shop sees.

    python examples/demo/serve.py --port 8765 &
    SHOP_PASSWORD=wisteria crawler start examples/members.py -o orders.jsonl

One run logs in, for every session of every worker. This shop forgets its members after nine pages:
then one run logs in again, and the others wait for it.
"""

import os

from crawler import Crawl

members = Crawl(name="members", url="http://127.0.0.1:8765/members/", concurrency_limit=4)


@members.before_all
def log_in(browser, crawl):
    browser.open(crawl.url[0] + "enter/")
    browser.fill("[name=user]", "reader")
    browser.fill("[name=password]", os.environ["SHOP_PASSWORD"])
    browser.click("form.enter button")
    browser.wait_for(".member")


@members.logged_out
def expired(page):
    return page.text("form.enter") is not None


@members.extract
def order(page):
    if "/orders/" not in page.url:
        return None
    return {
        "order": page.text("h1"),
        "member": page.text(".member"),
        "title": page.text(".title"),
        "copies": int(page.text(".copies")),
    }
