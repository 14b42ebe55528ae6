"""Prices watched nightly: the same crawl each night, and what has changed since the night before.

    python examples/demo/serve.py --port 8765 &
    crawler start examples/nightly.py --output first
    curl -X POST http://127.0.0.1:8765/tomorrow           # two prices rise, and a book is sold out
    crawler start examples/nightly.py --output changes --recrawl
    crawler vanished nightly

The second folder holds the items that are new or have changed (`only_changes`), and their pages. In
production a schedule starts it each night: docs/recrawl.md.
"""

from crawler import Crawl

nightly = Crawl(
    name="nightly", url="http://127.0.0.1:8765/", concurrency_limit=4, depth_limit=3,
    allow=[r"/categories/", r"/books/[^/]+/$"], only_changes=True,
)  # fmt: skip


@nightly.route("book", match=r"^/books/[^/]+/$", links=False)
def book(page):
    return {"title": page.text("h1"), "price": page.text(".price")}


@nightly.after
def tell(result):
    if result.change == "changed":
        print(f"{result.data['title']} costs {result.data['price']} now")
