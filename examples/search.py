"""A search form: what a shop finds for some words, page by page.

    python examples/demo/serve.py --port 8765 &
    crawler start examples/search.py -o hits.jsonl

Each search is a POST with what the form hides; the pages of what it finds are forms, too. A search
changes nothing, so a page that fails may be asked for again: form_retry.
"""

from crawler import Crawl

WORDS = ("the", "garden", "clara", "no such book")

search = Crawl(name="search", url="http://127.0.0.1:8765/search/", concurrency_limit=4)


@search.route("form", match="^/search/$", links=False)
def ask(page, follow):
    for words in WORDS:
        form = {"token": page.attr("form.search [name=token]", "value"), "words": words}
        follow("/search/", route="hits", form=form, data={"first": 1})


@search.route("hits", links=False, form_retry=True)
def hits(page, follow):
    cards = page.select_all(".cards li")
    if more := page.attr("button.next", "value"):
        first = page.data["first"] + len(cards)
        follow("/search/", route="hits", form={**page.form, "page": more}, data={"first": first})
    return [
        {
            "words": page.form["words"],
            "place": place,
            "title": card.text("b"),
            "price": card.text(".cost"),
            "url": card.attr("a", "href"),
        }
        for place, card in enumerate(cards, page.data["first"])
    ]
