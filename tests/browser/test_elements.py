"""Elements of the live page, which say the same as tables of selectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
from pydantic import BaseModel

from crawler import Crawl, PageError, Select
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.elements import elements
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.model import Json
from crawler.net.permits import Permits
from crawler.run.dry_run import DryRun, dry_run
from crawler.run.looks import Looks
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]

TABLE = {
    "head": "h1",
    "cards": [
        {
            "select": ".card",
            "title": "h2",
            "to": {"select": "a", "type": "url"},
            "price": {"select": "b", "type": "number"},
            "marks": ["li"],
        }
    ],
    "offer": ".offer b",
    "offers": [{"select": ".offer", "to": {"select": "a", "type": "url"}}],
    "schema": {"select": "jsonld:Product.offers.price", "type": "number"},
}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with Chrome(Endpoint(page_load_timeout=10, script_timeout=10)) as chrome:
        yield chrome


def seen(chrome: Chrome, crawl: Crawl) -> DryRun:
    return dry_run(
        crawl, chrome, Permits(guard_of(crawl), obey=False), looks=Looks(spent=float("inf"))
    )


@pytest.mark.browser
@pytest.mark.parametrize(("path", "frames"), [("/cards", "links"), ("/cards-framed", "part")])
def test_elements_of_a_live_page_and_tables_agree(chrome, site: Server, path, frames):
    fields = {"name": "cards", "url": site.url(path), "robots": False, "frames": frames}
    by_table = seen(chrome, Crawl(**fields, extract=TABLE))
    live = Crawl(**fields)
    trips: list[int] = []

    @live.extract
    def shelf(page) -> Json:
        ask, asked = page.transport.ask, []
        page.transport.ask = lambda *args, **kw: asked.append(1) or ask(*args, **kw)
        cards = page.select_all(".card")
        read = [
            {
                "title": card.text("h2"),
                "to": card.attr("a", "href"),
                "price": 12.99 if "12,99" in card.text("b") else None,
                "marks": card.texts("li"),
            }
            for card in cards
        ]
        trips.append(len(asked))
        page.transport.ask = ask
        offers = [{"to": one.attr("a", "href")} for one in page.select_all(".offer")]
        (offer,) = page.select_all(".offer b")
        return {
            "head": page.text("h1"),
            "cards": read,
            "offer": offer.text(),
            "offers": offers,
            "schema": 12.99,
        }

    assert seen(chrome, live).result.data == by_table.result.data
    assert by_table.result.data == {
        "head": "Shelf" if path == "/cards" else "Around",
        "cards": [
            {"title": "Emma", "to": site.url("/book/0"), "price": 12.99, "marks": ["x", "y"]},
            {"title": "Persuasion", "to": site.url("/book/1"), "price": None, "marks": ["x", "y"]},
        ],
        "offer": "Half price",
        "offers": [{"to": site.url("/offers")}],
        "schema": 12.99,
    }
    # one trip for all elements, and the value that does not fit is counted
    assert trips == [1 if path == "/cards" else 0]
    hint = by_table.hints["no_number"]
    assert (hint["pages"], hint["example"]) == (1, f"{site.url(path)}: cards.1.price: 'sold out'")


class Card(BaseModel):
    """What is on a card."""

    title: Annotated[str, Select("h2")]
    price: Annotated[float, Select("b")]


class Shelf(BaseModel):
    """What is on a page."""

    cards: Annotated[list[Card], Select(".card")]


@pytest.mark.browser
def test_an_item_that_its_model_refuses_is_counted_or_fails_its_page(chrome, site: Server):
    url = site.url("/cards")
    warned = seen(chrome, Crawl(name="cards", url=url, robots=False, extract=Shelf))
    why = "cards.1.price: no_number"
    assert warned.result.data is None
    assert warned.hints["invalid_item"]["example"] == f"{url}: {why}"
    assert warned.hints["no_number"]["pages"] == 1
    failing = Crawl(name="cards", url=url, robots=False, extract=Shelf, invalid_items="fail")
    with pytest.raises(PageError) as caught:
        seen(chrome, failing)
    assert (caught.value.reason, caught.value.advice) == ("invalid_item", why)
    # models that a hook returns are written as JSON
    hooked = Crawl(name="cards", url=url, robots=False)
    hooked.extract(lambda page: [Card(title=page.text("h2"), price=1)])
    assert seen(chrome, hooked).result.data == [{"title": "Emma", "price": 1.0}]


HTML = """<base href="/shop/"><ul id=outer data-url="x"><li class=a>one<ul><li>inner</li></ul></li>
</ul><form action=go><a href=" p " rel=next srcset="x 2x">a</a> tail</form><p>one<br>two</p>"""


def test_an_element_reads_within_itself():
    (outer,) = elements(HTML, "https://a.example/b", "#outer")
    (first, inner) = outer.select_all("li")
    assert (outer.attrib, first.attrib) == ({"id": "outer", "data-url": "x"}, {"class": "a"})
    assert (first.text("li"), first.texts("li"), inner.texts("li")) == ("inner", ["inner"], [])
    assert (first.text(), inner.text(), outer.text("p")) == ("one inner", "inner", None)
    assert (first.attr("li", "class"), first.attrs("li", "class")) == (None, [])
    assert inner.html == "<li>inner</li>"
    (form,) = elements(HTML, "https://a.example/b", "form")
    assert form.attrib == {"action": "https://a.example/shop/go"}
    assert form.attr("a", "href") == "https://a.example/shop/p"
    (link,) = form.select_all("a")
    assert link.attrib["srcset"] == "x 2x"
    assert (link.html.endswith("</a>"), link.attrs("a", "href")) == (True, [])
    assert [one.text() for one in elements(HTML, "", "p")] == ["one two"]


@pytest.mark.parametrize("css", ["h1[", "a::text", "", "a::attr(href)"])
def test_what_selects_no_elements_says_so(css):
    with pytest.raises(ValueError, match="is not a CSS selector"):
        elements(HTML, "", css)
