"""The books of the bundled shop, with code.

    python examples/demo/serve.py --port 8765 &
    crawler start examples/books.py -o books.jsonl

The same without code is books.toml.
"""

from crawler import Crawl

books = Crawl(
    name="books",
    url="http://127.0.0.1:8765/",
    concurrency_limit=4,
    depth_limit=3,
    deny=[r"/reviews/$"],
)


@books.extract
def book(page):
    if "/books/" not in page.url:
        return None  # a shelf, an event, the café: visited for their links
    return {
        "title": page.text("h1"),
        "author": page.text(".author"),
        "price": page.text(".price"),
        "cover": page.attr("img.cover", "src"),
        "tags": page.texts("a.tag"),
    }


@books.after
def enough(snapshot, stop):
    if snapshot.done >= 500:
        stop()
