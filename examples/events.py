"""The API that a page loads: the events of the bundled shop come as JSON, and a script shows them.

    python examples/demo/serve.py --port 8765 &
    crawler run examples/events.py

`capture` keeps what the page loads from there, `wait_for_response` waits until it has come.
"""

from parsel import Selector

from crawler import Crawl

events = Crawl(
    name="events", url="http://127.0.0.1:8765/events/", depth_limit=0,
    capture="*/api/events.json", wait_for_response="*/api/events.json",
)  # fmt: skip


@events.extract
def event(page):
    for response in page.responses("*/api/events.json"):
        for item in response.json():
            link = Selector(item).css("a")
            yield {"name": link.css("::text").get(), "path": link.attrib["href"]}
