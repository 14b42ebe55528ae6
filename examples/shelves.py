"""Lists and details: shelves lead to books, and tell them what only the shelf knows.

    python examples/demo/serve.py --port 8765 &
    crawler start examples/shelves.py -o shelves.jsonl

An item has what its book's page says, and the shelf and the place on it that its link brought.
"""

from crawler import Crawl, Skip

shelves = Crawl(
    name="shelves", url="http://127.0.0.1:8765/", concurrency_limit=4, depth_limit=4,
    deny=[r"/reviews/$"],
)  # fmt: skip


@shelves.route("shelf", match=r"^/categories/")
def shelf(page, follow):
    for place, card in enumerate(page.select_all(".cards li"), 1):
        data = {"shelf": page.text("h1"), "place": place}
        follow(card.attr("a", "href"), route="book", data=data)


@shelves.route("book", match=r"^/books/[^/]+/$", links=False)
def book(page):
    if page.text(".price") is None:
        raise Skip("no price")
    return {
        "title": page.text("h1"),
        "author": page.text(".author"),
        "price": page.text(".price"),
        "shelf": page.data.get("shelf"),
        "place": page.data.get("place"),
    }
